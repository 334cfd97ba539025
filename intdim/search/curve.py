"""The posterior of a learning curve over log d, and of the dimension at which it crosses a threshold.

A curve rises from a floor (about chance) to a ceiling (about the baseline) along one of three sigmoids: logistic,
Gompertz, and Gompertz mirrored. A score is normal around the curve, with more noise where the curve is still low; with
a small probability a run collapsed and says nothing about d. The threshold itself is uncertain by the baseline's
error. Sampling is tempered sequential Monte Carlo (Del Moral, Doucet & Jasra 2006) over the unit cube of prior
quantiles, from a fixed seed: the same scores give the same posterior bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

Array = np.ndarray
PARTICLES = 1500
MOVES = 3  # Metropolis moves after each tempering stage
DIMENSIONS = 9


@dataclass(frozen=True)
class Setting:
    """What is fixed before any run: the range of d, the baseline and its standard error, chance, the threshold."""

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
    width: Array
    ceiling: Array
    floor: Array
    noise: Array
    heavier: Array
    collapse: Array
    family: Array
    threshold: Array

    def mean(self, x: Array) -> tuple[Array, Array]:
        """Return (mean score, share of the rise), each (n, k), at log d ``x`` (k,)."""
        t = np.clip((x[None, :] - self.middle[:, None]) / self.width[:, None], -30.0, 30.0)
        logistic = 1.0 / (1.0 + np.exp(-t))
        gompertz = np.exp(-np.exp(-np.clip(t, -6.0, 30.0)))
        mirrored = 1.0 - np.exp(-np.exp(np.clip(t, -30.0, 6.0)))
        family = self.family[:, None]
        share = np.where(family == 0, logistic, np.where(family == 1, gompertz, mirrored))
        return self.floor[:, None] + (self.ceiling - self.floor)[:, None] * share, share

    def crossing(self) -> Array:
        """Return the log d (n,) at which each curve reaches its threshold: -inf if always, inf if never."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (self.threshold - self.floor) / (self.ceiling - self.floor)
            inside = np.clip(share, 1e-12, 1 - 1e-12)
            logistic = np.log(inside / (1 - inside))
            gompertz = -np.log(-np.log(inside))
            mirrored = np.log(-np.log1p(-inside))
        t = np.where(self.family == 0, logistic, np.where(self.family == 1, gompertz, mirrored))
        x = self.middle + self.width * t
        return np.where(share <= 0, -np.inf, np.where(share >= 1, np.inf, x))


def unpack(cube: Array, setting: Setting) -> Curves:
    """Turn prior quantiles (n, DIMENSIONS) into curves. The prior: the middle anywhere in the range or a third beyond;
    the width log-uniform; the ceiling near the baseline, more often a little lower; the floor at chance or a little
    above; noise of 0.15 to 4 points, up to fourfold where the curve is low; collapses in 0.5 to 10 % of the runs."""
    span = max(setting.high - setting.low, 0.5)
    gap, normal = setting.gap, ndtri(np.clip(cube, 1e-9, 1 - 1e-9))
    family = np.minimum((cube[:, 7] * 3).astype(int), 2)
    return Curves(
        middle=setting.low - span / 3 + cube[:, 0] * span * 5 / 3,
        width=0.12 * (3.0 / 0.12) ** cube[:, 1],
        ceiling=setting.baseline + gap * (-0.01 + 0.035 * normal[:, 2]),
        floor=setting.chance + gap * (0.03 + 0.05 * normal[:, 3]),
        noise=0.0015 * (0.04 / 0.0015) ** cube[:, 4],
        heavier=3.0 * cube[:, 5],
        collapse=0.005 + 0.095 * cube[:, 6] ** 2,
        family=family,
        threshold=setting.threshold + setting.baseline_se * normal[:, 8],
    )


def log_likelihood(curves: Curves, x: Array, y: Array, setting: Setting) -> Array:
    """Return (n,) log-likelihoods of scores ``y`` (k,) at log d ``x`` (k,); a NaN score is a collapsed run."""
    mean, share = curves.mean(x)
    spread = curves.noise[:, None] * (1.0 + curves.heavier[:, None] * (1.0 - share))
    failed = np.isnan(y)
    score = np.where(failed, setting.chance, y)[None, :]
    around = np.exp(-0.5 * ((score - mean) / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
    wide = 0.05 * setting.gap + 0.01
    at_chance = np.exp(-0.5 * ((score - setting.chance) / wide) ** 2) / (wide * np.sqrt(2 * np.pi))
    anywhere = 1.0 / (1.5 * setting.gap)
    lost = 0.7 * at_chance + 0.3 * anywhere
    around = np.where(failed[None, :], 0.0, around)
    chance = curves.collapse[:, None]
    return np.log((1 - chance) * around + chance * lost + 1e-300).sum(axis=1)


def sample(x: Array, y: Array, setting: Setting, seed: int) -> Curves:
    """Return ``PARTICLES`` equally weighted curves from the posterior given scores ``y`` at log d ``x``."""
    chooser = np.random.default_rng([seed, len(y)])
    cube = (chooser.permuted(np.tile(np.arange(PARTICLES), (DIMENSIONS, 1)), axis=1).T + 0.5) / PARTICLES
    if not len(y):
        return unpack(cube, setting)
    current = log_likelihood(unpack(cube, setting), x, y, setting)
    temperature = 0.0
    while temperature < 1.0:
        step = _next_step(current, 1.0 - temperature)
        temperature = 1.0 if step >= 1.0 - temperature else temperature + step
        weights = np.exp(step * (current - current.max()))
        weights /= weights.sum()
        keep = np.searchsorted(np.cumsum(weights), (np.arange(PARTICLES) + chooser.random()) / PARTICLES)
        keep = np.minimum(keep, PARTICLES - 1)
        cube, current = cube[keep], current[keep]
        for _ in range(MOVES if temperature < 1.0 else 3 * MOVES):
            cube, current = _move(cube, current, temperature, x, y, setting, chooser)
    return unpack(cube, setting)


def _next_step(current: Array, left: float) -> float:
    """Return the largest tempering step (at most ``left``) that keeps half of the particles effective."""

    def effective(step: float) -> float:
        weights = np.exp(step * (current - current.max()))
        return float(weights.sum() ** 2 / (weights**2).sum())

    if effective(left) >= 0.5 * PARTICLES:
        return left
    low, high = 0.0, left
    for _ in range(20):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(middle) >= 0.5 * PARTICLES else (low, middle)
    return max(low, 1e-4)


def _move(
    cube: Array, current: Array, temperature: float, x: Array, y: Array, setting: Setting, chooser: np.random.Generator
) -> tuple[Array, Array]:
    """Metropolis: differences of two other particles as proposals (ter Braak 2006), reflected at the cube's faces."""
    first, second = chooser.integers(PARTICLES, size=(2, PARTICLES))
    scale = np.where(chooser.random(PARTICLES) < 0.2, 1.0, 2.38 / np.sqrt(2 * DIMENSIONS))[:, None]
    some = chooser.random(cube.shape) < np.where(chooser.random(PARTICLES) < 0.5, 1.0, 0.35)[:, None]
    jitter = 0.01 * chooser.standard_normal(cube.shape)
    proposed = np.where(some, cube + scale * (cube[first] - cube[second]) + jitter, cube)
    proposed = np.abs(np.mod(proposed + 1.0, 2.0) - 1.0)  # reflect into [0, 1]
    value = log_likelihood(unpack(proposed, setting), x, y, setting)
    accepted = np.log(chooser.random(PARTICLES)) < temperature * (value - current)
    return np.where(accepted[:, None], proposed, cube), np.where(accepted, value, current)
