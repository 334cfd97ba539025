"""A learning curve over log d, its prior, and how likely scores are under it.

A score rises from a floor (about chance) to a ceiling (about the baseline) along a smooth step whose two sides have
widths of their own (which covers the logistic, Gompertz and Weibull curves), or along two such steps with a plateau
in between. A score is normal around the curve, with more noise where the curve is still low; with a small probability
a run collapsed and says nothing about d. The bar itself is uncertain by the baseline's error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

Array = np.ndarray
DIMENSIONS = 12  # numbers that make a curve
SECOND = 0.5  # prior probability of a second step
OUTSIDE = 0.6  # where log d90 lies when it is beyond an end of the range, for moments of it


@dataclass(frozen=True)
class Setting:
    """What is fixed before any run: the range of d, the threshold, the baseline and chance, and the standard error of
    the threshold that comes from the baseline's."""

    d_min: int
    d_max: int
    threshold: float
    baseline: float
    chance: float
    baseline_se: float

    @property
    def gap(self) -> float:
        """The gain of the baseline over chance, kept away from 0."""
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
    """Parameters of n curves, each (n,): see ``unpack``."""

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

    def share(self, x: Array) -> Array:
        """Return the share of the rise that is done at log d ``x``, which broadcasts against (n, 1): (n, k)."""
        from_middle = x - self.middle[:, None]
        first = np.tanh(from_middle / np.where(from_middle < 0, self.left[:, None], self.right[:, None]))
        later = np.tanh((x - self.later[:, None]) / self.width[:, None])
        return 0.5 + 0.5 * (first + self.second[:, None] * (later - first))

    def mean(self, x: Array) -> Array:
        """Return the mean score at log d ``x``: (n, k)."""
        return self.floor[:, None] + (self.ceiling - self.floor)[:, None] * self.share(x)

    def crossing(self, low: float, high: float, shift: float | Array = 0.0) -> Array:
        """Return the log d (n,) at which each curve reaches its threshold, moved by ``shift`` (one for all, or one for
        each curve): -inf at or below ``low``, inf above ``high``."""
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
    a third beyond; widths about 0.6 in log d, seldom off by more than a factor of 4 but with tails that reach to a
    jump, the two sides of a step alike within a factor of 2; in half of the curves a second step, later by a factor of
    1.5 to 400; the ceiling near the baseline with tails that reach far down; the floor at chance or a little above;
    noise of about 0.9 points within a factor of 5, up to fourfold where the curve is low; collapses in 0.5 to 12 % of
    the runs. Widths and noise are not flat in the logarithm: a few scores that happen to agree would else speak for a
    curve steeper, and noise smaller, than any that is ever seen."""
    normal = ndtri(np.clip(cube[:, [1, 2, 5, 6, 7, 8, 11]], 1e-6, 1 - 1e-6))
    wide, skew, later_wide, tall, low, noise, error = normal.T
    span, gap = setting.high - setting.low, setting.gap
    beyond = max(span / 3, 3.0)
    middle = setting.low - beyond + cube[:, 0] * (span + 2 * beyond)
    width = 2 * 0.6 * np.exp(0.55 * wide + 0.06 * wide**3)  # twice: tanh(t / 2w) is the logistic of t / w
    return Curves(
        middle=middle,
        left=width * np.exp(0.35 * skew),
        right=width * np.exp(-0.35 * skew),
        second=np.clip((cube[:, 3] - SECOND) / (1 - SECOND), 0.0, 0.9),
        later=middle + 0.4 + 5.6 * cube[:, 4],
        width=2 * 0.35 * np.exp(0.5 * later_wide + 0.05 * later_wide**3),
        ceiling=np.minimum(
            setting.baseline + setting.baseline_se * error + gap * (-0.01 + 0.03 * tall + 0.006 * tall**3), 1.0
        ),
        floor=setting.chance + gap * (0.02 + 0.04 * low),
        noise=0.009 * np.exp(0.8 * noise),
        heavier=3.0 * cube[:, 9],
        collapse=0.005 + 0.115 * cube[:, 10] ** 2,
        threshold=setting.threshold + setting.baseline_se * error,
    )


def log_likelihood(curves: Curves, x: Array, y: Array, setting: Setting, bound: Array | None = None) -> Array:
    """Return the log-likelihood (n, k) of each score ``y`` (k,) at log d ``x`` (k,); NaN is a collapsed run.

    Where ``bound`` (k,) is true the run ended early and its score would have been at least ``y``: the likelihood is
    the probability of that."""
    share = curves.share(x)
    mean = curves.floor[:, None] + (curves.ceiling - curves.floor)[:, None] * share
    spread = curves.noise[:, None] * (1.0 + curves.heavier[:, None] * (1.0 - share))
    failed = np.isnan(y)
    score = np.where(failed, setting.chance, y)
    around = np.exp(-0.5 * ((score - mean) / spread) ** 2) / spread * 0.3989422804014327
    lost = curves.collapse[:, None] * lost_density(score, mean, setting)
    if bound is not None and bound.any():
        around = np.where(bound, ndtr((mean - score) / spread), around)
        lost = np.where(bound, curves.collapse[:, None] * lost_beyond(score, mean, setting), lost)
    return np.log((1 - curves.collapse[:, None]) * np.where(failed, 0.0, around) + lost + 1e-300)


def lost_density(score: Array, mean: Array, setting: Setting) -> Array:
    """Return the density (n, k) of the score of a collapsed run: about chance, else anywhere below the curve's mean
    score (n, k). A little of it lies anywhere at all, so that no single score can forbid a curve."""
    wide = 0.05 * setting.gap + 0.01
    at_chance = np.exp(-0.5 * ((score - setting.chance) / wide) ** 2) / wide * 0.3989422804014327
    room = np.maximum(mean - setting.chance, 0.0) + 0.1 * setting.gap
    return 0.6 * at_chance + 0.37 * (score < mean) / room + 0.03 / (1.5 * setting.gap)


def lost_beyond(score: Array, mean: Array, setting: Setting) -> Array:
    """Return the probability (n, k) that the score of a collapsed run is larger than ``score`` (k,): the integral of
    ``lost_density``, whose share that lies anywhere begins at chance."""
    wide = 0.05 * setting.gap + 0.01
    at_chance = ndtr((setting.chance - score) / wide)
    room = np.maximum(mean - setting.chance, 0.0) + 0.1 * setting.gap
    below_mean = np.clip((mean - score) / room, 0.0, 1.0)
    anywhere = np.clip(1.0 - (score - setting.chance) / (1.5 * setting.gap), 0.0, 1.0)
    return 0.6 * at_chance + 0.37 * below_mean + 0.03 * anywhere
