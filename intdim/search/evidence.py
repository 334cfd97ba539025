"""Scores by dimension, and what follows from them about the dimension at which a threshold is reached."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace

import numpy as np

from intdim.search.curve import OUTSIDE, Array, Curves, Setting, log_prior_of_ceiling
from intdim.search.particles import Particles

LEVEL = 0.9  # probability that the interval is meant to hold d90 with
NARROW = 1.26  # the interval is narrow enough when both ends are within this factor of the median
PARTICLES = 1000  # the 5 % quantile of log d90 then errs by less than a tenth of the interval's width
ONE_BY_ONE = 24  # scores that are observed singly; later ones in batches: as exact, and long grids stay affordable
CURVE_POINTS = 80
DECADE = math.log(10)
PAIRS = 4  # errors of the threshold that are tried with each curve
TRUST = 0.5  # in what a ceiling tells about the error: curves may rise or fall slowly where nobody measured
APART = 97  # between the errors that a curve is tried with


@dataclass(frozen=True)
class Crossing:
    """The posterior of log d90: quantiles, the probability of lying below or above the range, the samples (n,), -inf or
    inf where they lie outside the range, and the curves that they belong to."""

    low: float
    median: float
    high: float
    below: float
    above: float
    samples: Array
    curves: Curves

    def is_narrow(self, factor: float) -> bool:
        """True when both ends are within a factor of the median."""
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return False
        return max(self.high - self.median, self.median - self.low) <= math.log(factor)


class Evidence:
    """All scores in the order in which they were observed, and the posterior of the curve given them.

    The posterior depends on the list of scores alone, not on when somebody asked for it.
    """

    def __init__(self, setting: Setting, seed: int) -> None:
        self.setting = setting
        self.points: list[tuple[int, float]] = []
        self.bounds: list[bool] = []  # whether the score of each run is a lower bound
        self._batched = Particles.prior(setting, seed, PARTICLES)  # has observed all complete batches
        self._latest: Particles | None = None
        self._refined: Evidence | None = None

    def add(self, d: int, score: float, at_least: bool = False) -> None:
        """Add a score at ``d``, or a lower bound of one; NaN is a failed run."""
        self.points.append((d, score))
        self.bounds.append(bool(at_least) and not math.isnan(score))
        self._latest = self._refined = None

    @property
    def particles(self) -> Particles:
        """The posterior of the curve."""
        if self._latest is not None:
            return self._latest

        x, y, bound = self.x, self.y, np.asarray(self.bounds, dtype=bool)
        while True:
            known = len(self._batched.y)
            batch = 1 if known < ONE_BY_ONE else known // 6
            if known + batch > len(y):
                break
            stop = known + batch
            self._batched = self._batched.update(x[known:stop], y[known:stop], bound[known:stop])

        if known == len(y):
            self._latest = self._batched
        else:
            self._latest = self._batched.update(x[known:], y[known:], bound[known:])
        return self._latest

    def refined(self) -> Evidence:
        """Return the same evidence with a finer posterior, for a verdict; what is asked for never depends on it."""
        if self._refined is None:
            self._refined = copy.copy(self)
            self._refined._latest = self.particles.refined()
            self._refined._refined = self._refined
        return self._refined

    @property
    def upper_points(self) -> list[tuple[int, float]]:
        """(d, score) of every run, inf where the score is a lower bound: that run had crossed the threshold."""
        return [(d, math.inf if b else score) for (d, score), b in zip(self.points, self.bounds, strict=True)]

    @property
    def bounded(self) -> set[int]:
        """The dimensions at which some score is a lower bound."""
        return {d for (d, _), bound in zip(self.points, self.bounds, strict=True) if bound}

    @property
    def x(self) -> Array:
        """log d of every run."""
        return np.log(np.asarray([d for d, _ in self.points], dtype=float))

    @property
    def y(self) -> Array:
        """The score of every run."""
        return np.asarray([score for _, score in self.points], dtype=float)

    def crossing(self, threshold: float | None = None, shifts: Array | None = None, exact: bool = False) -> Crossing:
        """Return the posterior of log d90 for the setting's threshold or another one.

        ``shifts`` (any number,) or (2, any number) are errors that all scores share: see ``with_errors``.
        ``exact``: as if the threshold had no error.
        """
        curves = self.particles.curves
        if exact:
            curves = replace(curves, threshold=np.full(len(curves.middle), self.setting.threshold))
        shift: float | Array = 0.0 if threshold is None else threshold - self.setting.threshold
        if shifts is not None:
            curves, errors = with_errors(curves, self.setting, shifts)
            shift = shift + errors

        samples = curves.crossing(self.setting.low, self.setting.high, shift)
        low, median, high = np.quantile(samples, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], method="inverted_cdf")
        below, above = float(np.mean(samples == -np.inf)), float(np.mean(samples == np.inf))
        return Crossing(float(low), float(median), float(high), below, above, samples, curves)

    def bar_width(self, threshold: float | None = None, shifts: Array | None = None) -> float:
        """Return how wide, in log d, the interval would be by the error of the threshold alone, whatever the runs."""
        low, high = self.setting.low - OUTSIDE, self.setting.high + OUTSIDE
        found = [self.crossing(threshold, shifts), self.crossing(threshold, exact=True)]
        whole, exact = (min(max(one.high, low), high) - min(max(one.low, low), high) for one in found)
        return math.sqrt(max(0.0, whole**2 - exact**2))

    def sides(self, median: float) -> tuple[int, int]:
        """Return how many runs with a score lie within a decade below a log d, and within a decade above it."""
        away = self.x[~np.isnan(self.y)] - median
        return int(np.sum((away < 0) & (away >= -DECADE))), int(np.sum((away >= 0) & (away <= DECADE)))

    def near(self, end: float, factor: float) -> int:
        """Return how many runs with a score lie within ``factor`` of a log d."""
        return int(np.sum(np.abs(self.x[~np.isnan(self.y)] - end) <= math.log(factor) + 1e-9))

    def band(self) -> dict[str, list[float]]:
        """Return the posterior of the mean score over the range: lists ``d``, ``median``, ``low``, ``high``."""
        x = np.linspace(self.setting.low, self.setting.high, CURVE_POINTS)
        mean = self.particles.curves.mean(x)
        low, median, high = np.quantile(mean, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0)
        return {"d": np.exp(x).tolist(), "median": median.tolist(), "low": low.tolist(), "high": high.tolist()}


def with_errors(curves: Curves, setting: Setting, shifts: Array) -> tuple[Curves, Array]:
    """Return curves, each (n,), and an error of the threshold for each, (n,).

    Args:
        curves: equally likely ones.
        setting: what was fixed before any run.
        shifts: (k,) equally likely errors of the threshold relative to all scores, or (2, k) these and the errors of
            the baseline relative to the scores at the ceiling that come with them. A baseline that is higher than it
            was measured makes a low ceiling less likely, and a lower one makes it more likely: where the ceiling is
            known, it tells about the error.
    """
    size = len(curves.middle)
    if shifts.ndim == 1:  # neighbouring particles may be the same curve: they get different errors
        return curves, np.resize(shifts, size)

    order = np.arange(PAIRS * size)
    drawn = (order + order // size * APART) % shifts.shape[1]
    bar, top = shifts[:, drawn]
    many = curves.take(order % size)
    weights = TRUST * (log_prior_of_ceiling(many, setting, top) - log_prior_of_ceiling(many, setting))
    sums = np.cumsum(np.exp(weights - weights.max()))
    chosen = np.searchsorted(sums / sums[-1], (order + 0.5) / len(order))
    return many.take(chosen), bar[chosen]
