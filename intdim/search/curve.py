"""A learning curve over log d, its prior, and how likely scores are under it.

The mean score rises from a floor (about chance) to a ceiling (about the baseline) along a smooth step whose two sides
have widths of their own (which covers the logistic, Gompertz and Weibull curves), or along two such steps with a
plateau in between. Scores are normal around the mean, with more noise where the curve is still low; with a small
probability a run has collapsed and says nothing about d. The threshold is uncertain by the baseline's error.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

Array = np.ndarray
DIMENSIONS = 12  # parameters of a curve
SECOND = 0.5  # prior probability of a second step
OUTSIDE = 0.6  # how far beyond an end of the range log d90 is taken to lie in its moments, when it is not inside


@dataclass(frozen=True)
class Setting:
    """What is fixed before any run.

    Attributes:
        d_min: the smallest dimension of the range.
        d_max: the largest one.
        threshold: the score to reach.
        baseline: the mean score of full fine-tuning.
        chance: the score of always answering the majority class.
        baseline_se: the standard error of the baseline.
        freedom: degrees of freedom of that error, which has a t distribution; inf: a normal one.
        fraction: share of that error which is in the threshold.
    """

    d_min: int
    d_max: int
    threshold: float
    baseline: float
    chance: float
    baseline_se: float
    freedom: float = math.inf
    fraction: float = 1.0

    @property
    def gap(self) -> float:
        """The gain of the baseline over chance, at least 0.001."""
        return max(self.baseline - self.chance, 1e-3)

    @property
    def low(self) -> float:
        """log d_min."""
        return float(np.log(self.d_min))

    @property
    def high(self) -> float:
        """log d_max."""
        return float(np.log(self.d_max))


@dataclass(frozen=True)
class Curves:
    """Parameters of n curves, each (n,).

    Attributes:
        middle: log d of the first step.
        left: width of its lower side in log d.
        right: width of its upper side.
        second: share of the rise that the second step makes; 0 without one.
        later: log d of the second step.
        width: its width.
        ceiling: mean score at large d.
        floor: mean score at small d.
        noise: standard deviation of a score on the ceiling.
        heavier: relative increase of the noise on the floor.
        collapse: probability that a run collapses.
        threshold: the score to reach, with the baseline's error.
    """

    middle: Array
    left: Array
    right: Array
    second: Array
    later: Array
    width: Array
    ceiling: Array
    floor: Array
    noise: Array
    heavier: Array
    collapse: Array
    threshold: Array

    def take(self, rows: Array) -> Curves:
        """Return these curves, (k,) of their rows."""
        return Curves(*(getattr(self, field.name)[rows] for field in fields(self)))

    def share(self, x: Array) -> Array:
        """Return the share of the rise completed at log d ``x``, which broadcasts against (n, 1): (n, k)."""
        from_middle = x - self.middle[:, None]
        first = np.tanh(from_middle / np.where(from_middle < 0, self.left[:, None], self.right[:, None]))
        later = np.tanh((x - self.later[:, None]) / self.width[:, None])
        return 0.5 + 0.5 * (first + self.second[:, None] * (later - first))

    def mean(self, x: Array) -> Array:
        """Return the mean score at log d ``x``: (n, k)."""
        return self.floor[:, None] + (self.ceiling - self.floor)[:, None] * self.share(x)

    def crossing(self, low: float, high: float, shift: float | Array = 0.0) -> Array:
        """Return where in log d each curve reaches its threshold, (n,): -inf at or below ``low``, inf above ``high``.

        ``shift`` is added to the thresholds: one number for all, or (n,)."""
        wanted = (self.threshold + shift)[:, None]
        ends = self.mean(np.array([low, high]))
        under, over = np.full((len(self.middle), 1), low), np.full((len(self.middle), 1), high)
        for _ in range(14):  # to 1/16000 of the range
            half = 0.5 * (under + over)
            reached = self.mean(half) >= wanted
            under, over = np.where(reached, under, half), np.where(reached, half, over)

        found = 0.5 * (under + over)[:, 0]
        return np.where(ends[:, 0] >= wanted[:, 0], -np.inf, np.where(ends[:, 1] < wanted[:, 0], np.inf, found))


def unpack(cube: Array, setting: Setting) -> Curves:
    """Turn prior quantiles (n, DIMENSIONS) into curves.

    The prior, with the gap from chance to the baseline as the unit of scores: the first step anywhere in the range or
    a third beyond it; widths about 0.6 in log d, rarely off by more than a factor of 4 but with tails that include a
    jump, the two sides of a step equal within a factor of 2; in half of the curves a second step, later by a factor
    of 1.5 to 400; the ceiling near the baseline with a long lower tail; the floor at chance or a little above it;
    noise of about 0.9 points within a factor of 5, up to four times that where the curve is low; collapses in 0.5 to
    12 % of the runs. Widths and noise are not flat in the logarithm: otherwise a few scores that happen to agree would
    favour curves steeper, and noise smaller, than any that occur."""
    normal = ndtri(np.clip(cube[:, [1, 2, 5, 6, 7, 8, 11]], 1e-6, 1 - 1e-6))
    wide, skew, later_wide, tall, low, noise, error = normal.T
    error = setting.baseline_se * heavy_tailed(error, setting.freedom)

    span, gap = setting.high - setting.low, setting.gap
    beyond = max(span / 3, 3.0)
    middle = setting.low - beyond + cube[:, 0] * (span + 2 * beyond)
    width = 2 * 0.6 * np.exp(0.65 * wide + 0.06 * wide**3)  # twice: tanh(t / 2w) is the logistic of t / w

    return Curves(
        middle=middle,
        left=width * np.exp(0.5 * skew),
        right=width * np.exp(-0.5 * skew),
        second=np.clip((cube[:, 3] - SECOND) / (1 - SECOND), 0.0, 0.9),
        later=middle + 0.4 + 5.6 * cube[:, 4],
        width=2 * 0.35 * np.exp(0.5 * later_wide + 0.05 * later_wide**3),
        ceiling=np.minimum(setting.baseline + error + gap * _excess(tall), 1.0),
        floor=setting.chance + gap * (0.02 + 0.04 * low),
        noise=0.009 * np.exp(0.8 * noise),
        heavier=3.0 * cube[:, 9],
        collapse=0.005 + 0.115 * cube[:, 10] ** 2,
        threshold=setting.threshold + setting.fraction * error,
    )


def _excess(normal: Array) -> Array:
    """Return by how much the ceiling exceeds the baseline, in gaps, at normal quantiles of its prior."""
    return -0.01 + 0.03 * normal + 0.006 * normal**3


def log_prior_of_ceiling(curves: Curves, setting: Setting, error: float | Array = 0.0) -> Array:
    """Return the log of the prior density of each curve's ceiling, up to a constant, were the baseline higher by a
    further ``error``, which broadcasts against (n,)."""
    baseline = setting.baseline + (curves.threshold - setting.threshold) / setting.fraction + error
    normal = np.interp((curves.ceiling - baseline) / setting.gap, *_ceiling_table())
    return -0.5 * normal**2 - np.log(0.03 + 0.018 * normal**2)


@functools.lru_cache(maxsize=1)
def _ceiling_table() -> tuple[Array, Array]:
    normal = np.linspace(-9.0, 9.0, 3601)
    return _excess(normal), normal


def heavy_tailed(normal: Array, freedom: float) -> Array:
    """Return the quantiles of a t distribution that belong to those of a normal one."""
    if not math.isfinite(freedom):
        return normal
    at, quantiles = _t_table(freedom)
    return np.interp(normal, at, quantiles)


@functools.lru_cache(maxsize=64)
def _t_table(freedom: float) -> tuple[Array, Array]:
    at = np.linspace(-4.8, 4.8, 1921)
    return at, stdtrit(freedom, ndtr(at))


def log_likelihood(curves: Curves, x: Array, y: Array, setting: Setting, bound: Array | None = None) -> Array:
    """Return the log-likelihood (n, k) of each score ``y`` (k,) at log d ``x`` (k,); NaN is a failed run,
    which is no evidence about the curve.

    Where ``bound`` (k,) is true the run ended early and its score would have been at least ``y``: the likelihood is
    the probability of that."""
    share = curves.share(x)
    mean = curves.floor[:, None] + (curves.ceiling - curves.floor)[:, None] * share
    spread = curves.noise[:, None] * (1.0 + curves.heavier[:, None] * (1.0 - share))

    failed = np.isnan(y)
    score = np.where(failed, setting.chance, y)  # of a failed run: not used
    around = np.exp(-0.5 * ((score - mean) / spread) ** 2) / spread * 0.3989422804014327
    collapsed = curves.collapse[:, None] * collapsed_density(score, mean, setting)
    if bound is not None and bound.any():
        around = np.where(bound, ndtr((mean - score) / spread), around)
        beyond = curves.collapse[:, None] * collapsed_beyond(score, mean, setting)
        collapsed = np.where(bound, beyond, collapsed)

    return np.where(failed, 0.0, np.log((1 - curves.collapse[:, None]) * around + collapsed + 1e-300))


def collapsed_density(score: Array, mean: Array, setting: Setting) -> Array:
    """Return the density (n, k) of the score of a collapsed run: about chance, or anywhere below the curve's mean
    score (n, k). A small part is spread over all scores, so that no single score can rule out a curve."""
    wide = 0.05 * setting.gap + 0.01
    at_chance = np.exp(-0.5 * ((score - setting.chance) / wide) ** 2) / wide * 0.3989422804014327
    width = np.maximum(mean - setting.chance, 0.0) + 0.1 * setting.gap
    return 0.6 * at_chance + 0.37 * (score < mean) / width + 0.03 / (1.5 * setting.gap)


def collapsed_beyond(score: Array, mean: Array, setting: Setting) -> Array:
    """Return the probability (n, k) that a collapsed run scores more than ``score`` (k,): the integral of
    ``collapsed_density``, whose part that is spread over all scores begins at chance."""
    wide = 0.05 * setting.gap + 0.01
    at_chance = ndtr((setting.chance - score) / wide)
    width = np.maximum(mean - setting.chance, 0.0) + 0.1 * setting.gap
    below_mean = np.clip((mean - score) / width, 0.0, 1.0)
    anywhere = np.clip(1.0 - (score - setting.chance) / (1.5 * setting.gap), 0.0, 1.0)
    return 0.6 * at_chance + 0.37 * below_mean + 0.03 * anywhere
