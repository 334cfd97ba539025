"""``search=posterior``: asks where a score would tell most about d90, until its interval is narrow."""

from __future__ import annotations

import math

import numpy as np

from intdim.search.base import Search
from intdim.search.curve import OUTSIDE, Array
from intdim.search.evidence import DECADE, Crossing
from intdim.search.isotonic import contradiction
from intdim.search.verdict import status_of

PER_DECADE = 12  # dimensions asked for lie on a lattice, so that replicates meet
CERTAIN = 0.97  # probability beyond an end of the range at which the search ends there
LIKELY = 0.8  # probability beyond an end from which that end is measured


class PosteriorSearch(Search):
    """Asks for the dimensions that promise the largest fall of the variance of log d90.

    The promise is the linear one: cov(mean score at x, log d90)^2 / (variance of the mean score at x + noise) over the
    posterior's curves; a batch is chosen one by one, each knowing that the former will be measured. Before that come
    duties: an end of the range beyond which d90 seems to lie, a second look where a larger d scored below the bar
    although a smaller one was above it, one look far from an answer that is otherwise complete, and the seeds still
    missing on one side of d90.

    Ends when the 90 % interval is within a factor of 1.26 of its centre with enough seeds on each side, when d90 is
    known to lie beyond an end of the range, when the curve is known to fall again, or when the runs are spent.
    """

    def _choose(self, n: int) -> list[int]:
        crossing = self.evidence.crossing()
        if self.points and not self._pending.total() and self._ended(crossing):
            return []
        dims = self.lattice()
        promise = Promise(self, crossing, np.log(dims))
        for d in self.under_way():
            promise.expect(int(np.argmin(np.abs(np.log(dims) - math.log(d)))))
        chosen: list[int] = []
        for _ in range(n):
            allowed = self._duty(crossing, dims, chosen)
            place = promise.best(allowed)
            promise.expect(place)
            chosen.append(int(dims[place]))
        return chosen

    def lattice(self) -> Array:
        """Return the dimensions that may be asked for: the ends of the range, and 12 a decade in between."""
        low, high = self.setting.d_min, self.setting.d_max
        steps = np.arange(0, math.floor(PER_DECADE * math.log10(high)) + 1)
        inner = np.round(10 ** (steps / PER_DECADE)).astype(int)
        return np.unique(np.concatenate([[low, high], inner[(inner > low) & (inner < high)]]))

    def _duty(self, crossing: Crossing, dims: Array, chosen: list[int]) -> Array:
        """Return which dimensions are allowed for the next run, (k,) of bool."""
        x, places = np.log(dims), np.arange(len(dims))
        awaited = self.under_way() + chosen
        for probability, end, place in (
            (crossing.below, self.setting.low, 0),
            (crossing.above, self.setting.high, len(dims) - 1),
        ):
            if probability > LIKELY and self.evidence.near(end, 1.0) + awaited.count(int(dims[place])) < self.seeds:
                return places == place
        looked = np.log(sorted(awaited)) if awaited else np.empty(0)
        doubted = contradiction(self.points, self.setting.threshold, self.evidence.reached)
        if doubted is not None and doubted not in awaited:
            return places == int(np.argmin(np.abs(x - math.log(doubted))))
        far = self._far(crossing)
        if far is not None and not np.any(np.abs(looked - far) < 1):
            return places == int(np.argmin(np.abs(x - far)))
        if math.isfinite(crossing.median):
            room = self.max_runs - len(self.points) - len(awaited)
            lacking = self._lacking(crossing, looked)
            if sum(lacking) and (room <= sum(lacking) or crossing.narrow):
                return self._side(crossing, x, 0 if lacking[0] >= lacking[1] else 1)
        return np.ones(len(dims), dtype=bool)

    def _lacking(self, crossing: Crossing, looked: Array) -> tuple[int, int]:
        """Return how many seeds are still missing below and above the median, with the runs awaited at ``looked``."""
        below, above = self.evidence.sides(crossing.median)
        away = looked - crossing.median
        below += int(np.sum((away < 0) & (away >= -DECADE)))
        above += int(np.sum((away >= 0) & (away <= DECADE)))
        return max(0, self.seeds - below), max(0, self.seeds - above)

    def _side(self, crossing: Crossing, x: Array, side: int) -> Array:
        """Allow what lies surely on one side of d90 (0 below, 1 above), or if nothing does, what probably does."""
        if side == 0:
            allowed, sure = (x < crossing.median) & (x >= crossing.median - DECADE), x < crossing.low
        else:
            allowed, sure = (x >= crossing.median) & (x <= crossing.median + DECADE), x >= crossing.high
        return next(mask for mask in (allowed & sure, allowed, np.ones(len(x), dtype=bool)) if mask.any())

    def _far(self, crossing: Crossing) -> float | None:
        """Return the log d of a look that is owed far from an answer that is otherwise complete, or None.

        Beyond d90 the curve is only believed to stay above the bar, and a range that seems to lie wholly on one side
        of the bar was only looked at from one end."""
        status = status_of(self.evidence, crossing, self.seeds, self.setting.threshold)
        x = self.evidence.x
        if status == "below_range" and not np.any(x > self.setting.high - 1):
            return self.setting.high
        if status == "above_range" and not np.any(x < self.setting.low + 1):
            return self.setting.low
        if status == "found" and crossing.narrow:
            for wanted in (min(crossing.median + DECADE, self.setting.high), self.setting.high):
                if not np.any(np.abs(x - wanted) <= 1):
                    return wanted
        return None

    def _ended(self, crossing: Crossing) -> bool:
        """True when what is known suffices."""
        status = status_of(self.evidence, crossing, self.seeds, self.setting.threshold)
        if status == "not_monotone":
            return True
        doubted = contradiction(self.points, self.setting.threshold, self.evidence.reached)
        if doubted is not None or self._far(crossing) is not None:
            return False
        if status == "below_range":
            return crossing.below > CERTAIN and self.evidence.near(self.setting.low, 1.0) >= self.seeds
        if status == "above_range":
            return crossing.above > CERTAIN and self.evidence.near(self.setting.high, 1.0) >= self.seeds
        return status == "found" and crossing.narrow


class Promise:
    """By how much a score at each candidate dimension would lower the variance of log d90, in linear theory."""

    def __init__(self, search: PosteriorSearch, crossing: Crossing, x: Array) -> None:
        curves, setting = search.evidence.cloud.curves, search.setting
        share = curves.share(x)
        mean = curves.floor[:, None] + (curves.ceiling - curves.floor)[:, None] * share
        spread = curves.noise[:, None] * (1 + curves.heavier[:, None] * (1 - share))
        reach = np.clip(crossing.samples, setting.low - OUTSIDE, setting.high + OUTSIDE)
        self.mean, aim = mean - mean.mean(axis=0), reach - reach.mean()
        # einsum: its order of summation does not depend on the number of threads, a matrix product's may
        self.with_d90 = np.einsum("ni,n->i", self.mean, aim) / len(reach)
        self.variance = np.einsum("ni,ni->i", self.mean, self.mean) / len(reach)
        self.noise = np.mean(spread**2, axis=0) + 1e-12
        self.known: list[Array] = []

    def best(self, allowed: Array) -> int:
        """Return the place of the best allowed candidate."""
        gain = self.with_d90**2 / (self.variance + self.noise)
        return int(np.argmax(np.where(allowed, gain, -1.0)))

    def expect(self, place: int) -> None:
        """Count a run at a candidate as measured, whatever its score will be: condition the covariances on it."""
        row = np.einsum("ni,n->i", self.mean, self.mean[:, place]) / len(self.mean)
        for step in self.known:
            row = row - step * step[place]
        step = row / math.sqrt(row[place] + self.noise[place])
        self.with_d90 = self.with_d90 - step * self.with_d90[place] / math.sqrt(row[place] + self.noise[place])
        self.variance = np.maximum(self.variance - step**2, 0.0)
        self.known.append(step)
