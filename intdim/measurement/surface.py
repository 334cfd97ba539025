"""What all runs of a cell say about the best step length at each d: a posterior over windows of useful lengths.

The gain of a run at (d, s) is that of the best length at d times what the length keeps of it, exp(-|u / h|^p / 2). u
is the distance of log s from the best log s at d, a straight line in log d, and h the half width of the window, which
may grow with d. Lines, widths, shapes and noise lie on a grid, and the gain of the best length at each d on another, so
that the posterior is a sum: no random numbers, and the same runs give the same lengths. With a small probability a run
has collapsed and says nothing.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
SPACING = 0.25  # of the best log s in the middle of the range
BEYOND = 2.3  # how far beyond the lengths of the grid the best log s may lie
SLOPES = {-0.36: 0.12, -0.24: 0.18, -0.12: 0.3, 0.0: 0.3, 0.12: 0.1}  # change of the best log s with log d, and prior
WIDTHS = {0.45: 0.15, 0.75: 0.25, 1.2: 0.3, 2.0: 0.3}  # half width at the lower end of the range
GROWTHS = {1.0: 0.5, 2.0: 0.5}  # of the width over the range
POWERS = {2.0: 0.5, 4.0: 0.5}
NOISES = {0.02: 0.35, 0.06: 0.4, 0.15: 0.25}  # standard deviation of a gain
TOPS = np.array([0.0, 0.06, 0.14, 0.24, 0.36, 0.5, 0.64, 0.76, 0.86, 0.94, 1.0, 1.08])  # gain of the best length at a d
COLLAPSED = 0.06
LENGTHS = 61  # candidates among which the best length at a d is chosen


@dataclass(frozen=True)
class Seen:
    """A run as the surface sees it: log d, log s and the gain over chance, in gains of full fine-tuning."""

    x: float
    v: float
    gain: float


class Surface:
    """The posterior over windows.

    Args:
        d_min: smallest dimension of the range.
        d_max: largest one.
        lengths: the grid of step lengths.
    """

    def __init__(self, d_min: int, d_max: int, lengths: tuple[float, ...]) -> None:
        self.low, self.high = math.log(d_min), math.log(max(d_max, d_min + 1))
        bottom, top = math.log(min(lengths)), math.log(max(lengths))
        self.bottom, self.top = bottom - BEYOND, top + BEYOND
        count = max(2, round((self.top - self.bottom) / SPACING) + 1)
        middles = np.linspace(self.bottom, self.top, count)
        far = np.maximum(np.maximum(bottom - middles, middles - top), 0.0)
        prior_middle = np.exp(-0.5 * (far / 1.2) ** 2)

        axes = [list(SLOPES), list(WIDTHS), list(GROWTHS), list(POWERS), list(NOISES)]
        grid = np.array(list(itertools.product(middles, *axes)))
        self.middle, self.slope, self.width, self.growth, self.power, self.noise = grid.T
        weights = [prior_middle, *(list(table.values()) for table in (SLOPES, WIDTHS, GROWTHS, POWERS, NOISES))]
        self.log_prior = np.log([math.prod(one) for one in itertools.product(*weights)])
        self._runs: dict[float, list[Seen]] = {}
        self._terms: dict[float, Array] = {}  # log-likelihood of the runs at each log d, (hypotheses,)
        self._weights: Array | None = None

    def see(self, run: Seen) -> None:
        """Take a run into account."""
        self._runs.setdefault(run.x, []).append(run)
        self._terms.pop(run.x, None)
        self._weights = None

    @property
    def weights(self) -> Array:
        """The posterior probability of each hypothesis."""
        if self._weights is None:
            for x in self._runs:
                if x not in self._terms:
                    self._terms[x] = self._log_likelihood(self._runs[x])
            logs = self.log_prior + sum(self._terms.values())
            made = np.exp(logs - logs.max())
            self._weights = made / made.sum()
        assert self._weights is not None
        return self._weights

    def kept(self, x: float, v: float) -> Array:
        """Return what a length keeps of the gain under each hypothesis: (hypotheses,)."""
        away = np.abs(v - self.middle - self.slope * (x - 0.5 * (self.low + self.high)))
        share = min(max((x - self.low) / (self.high - self.low), 0.0), 1.0)
        return np.exp(-0.5 * (away / (self.width * self.growth**share)) ** self.power)

    def expected(self, d: int, length: float) -> float:
        """Return the expected share of the gain that a length keeps at ``d``."""
        return float(self.weights @ self.kept(math.log(d), math.log(length)))

    def best(self, d: int) -> float:
        """Return the length whose expected share of the gain is largest at ``d``."""
        x, weights = math.log(d), self.weights
        many = weights > 1e-5 * weights.max()
        away_x = x - 0.5 * (self.low + self.high)
        share = min(max((x - self.low) / (self.high - self.low), 0.0), 1.0)
        centre = (self.middle + self.slope * away_x)[many]
        width, power = (self.width * self.growth**share)[many], self.power[many]
        candidates = np.linspace(self.bottom - 1.0, self.top + 1.0, LENGTHS)
        kept = np.exp(-0.5 * (np.abs(candidates[:, None] - centre) / width) ** power)
        expected = kept @ weights[many]
        top = int(np.argmax(expected))
        near = slice(max(0, top - 1), top + 2)
        return math.exp(_peak(candidates[near], expected[near]))

    def draws(self, places: list[tuple[float, float]], weights: Array, count: int) -> Array:
        """Return ``count`` equally likely values of what runs at places (log d, log s), weighted by ``weights``, keep
        of the gain: quantiles of the posterior, ascending."""
        share = np.asarray(weights) / np.sum(weights)
        kept = sum(w * self.kept(x, v) for w, (x, v) in zip(share, places, strict=True))
        order = np.argsort(kept)
        below = np.cumsum(self.weights[order])
        wanted = (np.arange(count) + 0.5) / count
        return np.asarray(kept)[order[np.minimum(np.searchsorted(below, wanted), len(order) - 1)]]

    def _log_likelihood(self, runs: list[Seen]) -> Array:
        kept = np.array([self.kept(one.x, one.v) for one in runs])  # (runs, hypotheses)
        total = np.zeros((len(TOPS), kept.shape[1]))
        for share, run in zip(kept, runs, strict=True):
            away = (run.gain - TOPS[:, None] * share) / self.noise
            around = np.exp(-0.5 * away**2) * (0.3989422804014327 / self.noise)
            total += np.log((1 - COLLAPSED) * around + COLLAPSED * 0.7)
        most = total.max(axis=0)
        return most + np.log(np.exp(total - most).mean(axis=0))


def _peak(x: Array, y: Array) -> float:
    """Return where the parabola through three points is highest, or the highest point."""
    if len(x) < 3 or y[1] < max(y[0], y[2]):
        return float(x[int(np.argmax(y))])
    bend = y[0] - 2 * y[1] + y[2]
    return float(x[1] + (0.5 * (y[0] - y[2]) / bend * (x[1] - x[0]) if bend < 0 else 0.0))
