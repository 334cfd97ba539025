"""``search=posterior``: measures where a score tells most about d90, until the interval of d90 is narrow."""

from __future__ import annotations

import math

import numpy as np

from intdim.search.base import Search
from intdim.search.curve import OUTSIDE, Array
from intdim.search.evidence import DECADE, Crossing
from intdim.search.isotonic import contradiction
from intdim.search.verdict import WIDEST, knows_ceiling, status_of

PER_DECADE = 12  # candidate dimensions are few, so that several seeds meet at the same one
CERTAIN = 0.97  # probability beyond an end of the range at which the search ends there
LEAST = 12  # runs before which a narrow interval is not believed: a few scores may agree by luck, or lie on a plateau
LATER = 4  # runs after which what is not found by then may be given up
HOPELESS = 1.25  # times the widest interval that is called found: by the error of the threshold alone
UNLIKELY = 3.0  # likewise, where runs at the ceiling may still tell about that error
LIKELY = 0.8  # probability beyond an end from which that end is measured


class PosteriorSearch(Search):
    """Asks for the dimension at which a score is expected to reduce the variance of log d90 most.

    The acquisition function is the linear one: cov(mean score at x, log d90)^2 / (variance of the mean score at x +
    noise) over the posterior's curves. A batch is chosen one by one, each counting the former ones as measured.

    Constraints come first: an end of the range beyond which d90 seems to lie, another run where a larger d scored
    below the threshold although a smaller one was above it, a run far from an answer that is otherwise complete, and
    the seeds still missing on one side of d90.

    Ends when the 90 % interval is within a factor ``narrow`` of its median, or after ``enough`` runs when d90 is found
    by then, with enough seeds on each side; when d90 is known to lie beyond an end of the range; when the curve is
    known to fall again; when the threshold is too uncertain for any number of runs; or when the budget is spent.
    """

    def _choose(self, n: int) -> list[int]:
        crossing = self.evidence.crossing()
        if self.points and not self._pending.total():
            crossing, ended = self._judged(crossing)
            if ended:
                return []

        candidates = self.candidates()
        acquisition = Acquisition(self, crossing, np.log(candidates))
        for d in self.all_pending():
            acquisition.assume_measured(int(np.argmin(np.abs(np.log(candidates) - math.log(d)))))

        chosen: list[int] = []
        for _ in range(n):
            allowed = self._constraints(crossing, candidates, chosen)
            best = acquisition.best(allowed)
            acquisition.assume_measured(best)
            chosen.append(int(candidates[best]))
        return chosen

    def candidates(self) -> Array:
        """Return the dimensions that may be asked for, (k,): the ends of the range, and 12 a decade in between."""
        low, high = self.setting.d_min, self.setting.d_max
        steps = np.arange(0, math.floor(PER_DECADE * math.log10(high)) + 1)
        inner = np.round(10 ** (steps / PER_DECADE)).astype(int)
        return np.unique(np.concatenate([[low, high], inner[(inner > low) & (inner < high)]]))

    def _constraints(self, crossing: Crossing, candidates: Array, chosen: list[int]) -> Array:
        """Return which candidates are allowed for the next run, (k,) of bool."""
        x, index = np.log(candidates), np.arange(len(candidates))
        pending = self.all_pending() + chosen
        pending_x = np.log(sorted(pending)) if pending else np.empty(0)

        # an end of the range beyond which d90 seems to lie
        last = len(candidates) - 1
        for probability, end, at in ((crossing.below, self.setting.low, 0), (crossing.above, self.setting.high, last)):
            runs = self.evidence.near(end, 1.0) + pending.count(int(candidates[at]))
            if probability > LIKELY and runs < self.seeds:
                return index == at

        # a larger d below the threshold although a smaller one was above it
        doubtful = contradiction(self.points, self.setting.threshold, self.evidence.upper_points)
        if doubtful is not None and doubtful not in pending:
            return index == int(np.argmin(np.abs(x - math.log(doubtful))))

        # a run far from an answer that is otherwise complete
        far = self._far(crossing)
        if far is not None and not np.any(np.abs(pending_x - far) < 1):
            return index == int(np.argmin(np.abs(x - far)))

        # missing seeds on one side of d90
        if math.isfinite(crossing.median):
            left = self.max_runs - len(self.points) - len(pending)
            missing = self._missing(crossing, pending_x)
            if sum(missing) and (left <= sum(missing) or self._settled(crossing)):
                return self._side(crossing, x, 0 if missing[0] >= missing[1] else 1)

        return np.ones(len(candidates), dtype=bool)

    def _missing(self, crossing: Crossing, pending_x: Array) -> tuple[int, int]:
        """Return how many seeds are missing below and above the median, counting the runs pending at ``pending_x``."""
        below, above = self.evidence.sides(crossing.median)
        away = pending_x - crossing.median
        below += int(np.sum((away < 0) & (away >= -DECADE)))
        above += int(np.sum((away >= 0) & (away <= DECADE)))
        return max(0, self.seeds - below), max(0, self.seeds - above)

    def _side(self, crossing: Crossing, x: Array, side: int) -> Array:
        """Allow what surely lies on one side of d90 (0 below, 1 above), or if nothing does, what probably does."""
        if side == 0:
            allowed, sure = (x < crossing.median) & (x >= crossing.median - DECADE), x < crossing.low
        else:
            allowed, sure = (x >= crossing.median) & (x <= crossing.median + DECADE), x >= crossing.high
        return next(mask for mask in (allowed & sure, allowed, np.ones(len(x), dtype=bool)) if mask.any())

    def _far(self, crossing: Crossing) -> float | None:
        """Return the log d of a run still needed far from an answer that is otherwise complete, or None.

        Above d90 the curve is only assumed to stay above the threshold, and a range that seems to lie wholly on one
        side of the threshold was only measured at one end."""
        status = status_of(self.evidence, crossing, self.seeds, self.setting.threshold)
        x = self.evidence.x
        if status == "below_range" and not np.any(x > self.setting.high - 1):
            return self.setting.high
        if status == "above_range" and not np.any(x < self.setting.low + 1):
            return self.setting.low
        if status == "found" and self._settled(crossing):
            for wanted in (min(crossing.median + DECADE, self.setting.high), self.setting.high):
                if not np.any(np.abs(x - wanted) <= 1):
                    return wanted
        return None

    def _judged(self, crossing: Crossing) -> tuple[Crossing, bool]:
        """Return the posterior of log d90 that the next run is to narrow, and whether the runs so far suffice, with all
        errors of the threshold as well."""
        status = status_of(self.evidence, crossing, self.seeds, self.setting.threshold)
        if status == "not_monotone":
            return crossing, True
        if contradiction(self.points, self.setting.threshold, self.evidence.upper_points) is not None:
            return crossing, False

        late = len(self.points) >= self.enough + LATER
        if not late and not self._suffices(status, crossing):
            return crossing, False
        errors = self.errors()  # these may take time
        whole = crossing if errors is None else self.evidence.crossing(shifts=errors)
        wanted = whole if knows_ceiling(errors) else crossing
        if self._far(whole) is not None:
            return wanted, False

        status = status_of(self.evidence, whole, self.seeds, self.setting.threshold)
        if late and status == "budget_spent":
            return wanted, self._hopeless(errors)
        return wanted, self._suffices(status, whole)

    def _hopeless(self, errors: Array | None) -> bool:
        """True when the threshold is too uncertain for any number of runs. Errors that do not tell of the ceiling are
        those of step lengths, which further runs do change."""
        if knows_ceiling(errors):
            return self.evidence.bar_width(shifts=errors) > UNLIKELY * math.log(WIDEST)
        return self.evidence.bar_width() > HOPELESS * math.log(WIDEST)

    def _suffices(self, status: str, crossing: Crossing) -> bool:
        """True when a status is certain enough to end with."""
        if status == "below_range":
            return crossing.below > CERTAIN and self.evidence.near(self.setting.low, 1.0) >= self.seeds
        if status == "above_range":
            return crossing.above > CERTAIN and self.evidence.near(self.setting.high, 1.0) >= self.seeds
        return status == "found" and self._complete(crossing)

    def _settled(self, crossing: Crossing) -> bool:
        """True when the interval is narrow, or the runs are enough for a wider one."""
        return crossing.is_narrow(self.narrow) or len(self.points) >= self.enough

    def _complete(self, crossing: Crossing) -> bool:
        """True when that is to be believed."""
        return self._settled(crossing) and len(self.points) >= min(LEAST, self.enough)


class Acquisition:
    """By how much a score at each candidate dimension would reduce the variance of log d90, in linear theory."""

    def __init__(self, search: PosteriorSearch, crossing: Crossing, x: Array) -> None:
        curves, setting = crossing.curves, search.setting
        share = curves.share(x)
        mean = curves.floor[:, None] + (curves.ceiling - curves.floor)[:, None] * share
        spread = curves.noise[:, None] * (1 + curves.heavier[:, None] * (1 - share))
        log_d90 = np.clip(crossing.samples, setting.low - OUTSIDE, setting.high + OUTSIDE)
        self.mean, target = mean - mean.mean(axis=0), log_d90 - log_d90.mean()

        # einsum: its order of summation does not depend on the number of threads, a matrix product's may
        self.covariance = np.einsum("ni,n->i", self.mean, target) / len(log_d90)  # of the mean score and log d90
        self.variance = np.einsum("ni,ni->i", self.mean, self.mean) / len(log_d90)
        self.noise = np.mean(spread**2, axis=0) + 1e-12
        self._steps: list[Array] = []  # rows of the Cholesky factor of what was assumed measured

    def best(self, allowed: Array) -> int:
        """Return the index of the best candidate among those allowed, (k,) of bool."""
        gain = self.covariance**2 / (self.variance + self.noise)
        return int(np.argmax(np.where(allowed, gain, -1.0)))

    def assume_measured(self, index: int) -> None:
        """Condition the covariances on a run at a candidate, whatever its score will be."""
        row = np.einsum("ni,n->i", self.mean, self.mean[:, index]) / len(self.mean)
        for step in self._steps:
            row = row - step * step[index]
        step = row / math.sqrt(row[index] + self.noise[index])
        self.covariance = self.covariance - step * self.covariance[index] / math.sqrt(row[index] + self.noise[index])
        self.variance = np.maximum(self.variance - step**2, 0.0)
        self._steps.append(step)
