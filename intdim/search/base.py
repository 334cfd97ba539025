"""What a search is: asked for dimensions, told scores, and at any time able to give a verdict. It runs nothing."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from intdim.errors import UserError
from intdim.search import curve
from intdim.search.curve import Setting
from intdim.search.isotonic import crossing_by_isotonic_fit, dips

LEVEL = 0.9
NARROW = 1.26  # the interval is narrow enough when both ends are within this factor of the centre
WIDEST = 4.0  # a wider interval (high / low) is not called found
NEAR = 3.0  # an end of the range counts as measured when runs lie within this factor of it
PER_DECADE = 24  # dimensions asked for lie on a lattice, so that replicates meet
CURVE_POINTS = 80

MESSAGES = {
    "found": "d90 is {d90}: {level} of the posterior lies between {low} and {high}.",
    "below_range": "The bar is reached already at d_min={d_min}: d90 is at most that.",
    "above_range": "The bar is not reached at d_max={d_max}: d90 is larger.",
    "not_monotone": "The scores fall again with growing d around the bar, so no single d90 describes them.",
    "no_baseline": "Full fine-tuning does not beat the majority class, so there is no bar to reach.",
    "budget_spent": "The runs were spent before d90 was known well enough{sofar}.",
}


@dataclass(frozen=True)
class Verdict:
    """The answer of a search. ``d90`` is a number only when ``status`` is ``found``; ``low`` and ``high`` are the ends
    of the interval at ``level``, or the one end that is known of a censored answer; ``isotonic`` is the second
    opinion; ``curve`` has the lists d, median, low, high of the mean score."""

    status: str
    d90: float | None
    low: float | None
    high: float | None
    threshold: float
    level: float
    runs: int
    isotonic: float | None
    message: str
    curve: dict[str, list[float]] | None

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain JSON types."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Crossing:
    """Quantiles of the posterior of log d90 and the probability beyond each end of the range."""

    low: float
    median: float
    high: float
    below: float
    above: float
    samples: np.ndarray

    @property
    def narrow(self) -> bool:
        """True when both ends are within the factor ``NARROW`` of the centre."""
        return max(self.high - self.median, self.median - self.low) <= math.log(NARROW)


class Evidence:
    """Scores by dimension, and what follows from them for one threshold."""

    def __init__(self, setting: Setting, points: Sequence[tuple[int, float]], seed: int) -> None:
        self.setting, self.points, self.seed = setting, list(points), seed
        self.x = np.log(np.asarray([d for d, _ in points], dtype=float))
        self.y = np.asarray([score for _, score in points], dtype=float)
        self.curves = curve.sample(self.x, self.y, setting, seed)

    def crossing(self) -> Crossing:
        """Return the posterior of log d90."""
        found = self.curves.crossing()
        low, median, high = np.quantile(found, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], method="inverted_cdf")
        below = float(np.mean(found <= self.setting.low))
        above = float(np.mean(found > self.setting.high))
        return Crossing(float(low), float(median), float(high), below, above, found)

    def sides(self, median: float) -> tuple[int, int]:
        """Return how many runs lie below and at or above a log d."""
        return int(np.sum(self.x < median)), int(np.sum(self.x >= median))

    def band(self) -> dict[str, list[float]]:
        """Return the posterior of the mean score over the range: d, median, low, high."""
        x = np.linspace(self.setting.low, self.setting.high, CURVE_POINTS)
        mean, _ = self.curves.mean(x)
        low, median, high = np.quantile(mean, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0)
        return {"d": np.exp(x).tolist(), "median": median.tolist(), "low": low.tolist(), "high": high.tolist()}


def judge(evidence: Evidence, seeds: int) -> Verdict:
    """Return the verdict that all runs so far support, whatever search asked for them."""
    setting, points = evidence.setting, evidence.points
    if not beats_chance(setting):
        return _verdict("no_baseline", setting, len(points), None, None, None, None, None)
    if not points:
        return _verdict("budget_spent", setting, 0, None, None, None, None, None)
    crossing, band = evidence.crossing(), evidence.band()
    isotonic = crossing_by_isotonic_fit(points, setting.threshold)
    tail = (1 - LEVEL) / 2
    below, above = evidence.sides(crossing.median)
    low = _d(crossing.low) if crossing.below < tail else None
    high = _d(crossing.high) if crossing.above < tail else None
    runs = len(points)
    if dips(points, setting.threshold):
        return _verdict("not_monotone", setting, runs, None, low, high, isotonic, band)
    near_bottom = sum(d <= NEAR * setting.d_min for d, _ in points)
    near_top = sum(d >= setting.d_max / NEAR for d, _ in points)
    if crossing.below > LEVEL and near_bottom >= min(seeds, 2):
        return _verdict("below_range", setting, runs, None, None, float(setting.d_min), isotonic, band)
    if crossing.above > LEVEL and near_top >= min(seeds, 2):
        return _verdict("above_range", setting, runs, None, float(setting.d_max), None, isotonic, band)
    decent = low is not None and high is not None and high / low <= WIDEST
    if decent and below >= seeds and above >= seeds:
        return _verdict("found", setting, runs, _d(crossing.median), low, high, isotonic, band)
    return _verdict("budget_spent", setting, runs, None, low, high, isotonic, band)


def beats_chance(setting: Setting) -> bool:
    """True when the baseline is above chance by more than two of its standard errors."""
    return setting.baseline - 2 * setting.baseline_se > setting.chance


class Search:
    """A search for d90: ``ask`` for dimensions, ``tell`` scores, ask again until nothing is asked for.

    Pure and seeded: the same answers give the same questions and the same verdict, bit for bit. A dimension may be
    asked for repeatedly: it wants another seed.
    """

    def __init__(
        self,
        *,
        d_min: int,
        d_max: int,
        threshold: float,
        baseline: float,
        chance: float,
        max_runs: int = 12,
        seed: int = 0,
        baseline_std: float = 0.0,
        seeds: int = 3,
        grid_points: int = 13,
    ) -> None:
        d_min, d_max = whole(d_min, "d_min"), whole(d_max, "d_max")
        if d_min < 1 or d_min > d_max:
            raise UserError(f"d_min={d_min}, d_max={d_max}", "1 <= d_min <= d_max", "Correct the range.")
        if whole(max_runs, "max_runs") < 1 or whole(seeds, "seeds") < 1 or whole(grid_points, "grid_points") < 1:
            raise UserError(f"max_runs={max_runs}, seeds={seeds}, grid_points={grid_points}", "at least 1 each", "")
        for name, value in (("threshold", threshold), ("baseline", baseline), ("chance", chance)):
            if not math.isfinite(value) or value > 1:
                raise UserError(
                    f"{name}={value} is no score", "a finite number of at most 1", "Give scores, not percent."
                )
        self.setting = Setting(d_min, d_max, float(threshold), float(baseline), float(chance), float(baseline_std))
        self.max_runs, self.seed, self.seeds, self.grid_points = int(max_runs), int(seed), int(seeds), int(grid_points)
        self.points: list[tuple[int, float]] = []
        self._scores: dict[tuple[int, int], float] = {}
        self._pending: Counter[int] = Counter()
        self._evidence: Evidence | None = None

    # -- the door ----------------------------------------------------------------------------------------------------

    def ask(self, n: int = 1) -> list[int]:
        """Return up to ``n`` dimensions to measure next; [] when the search has ended or all its runs are under way."""
        room = self.max_runs - len(self.points) - self._pending.total()
        if room <= 0 or not beats_chance(self.setting):
            return []
        chosen = self._choose(min(int(n), room))
        self._pending.update(chosen)
        return chosen

    def tell(self, d: int, score: float, seed: int = 0) -> None:
        """Record a score at ``d``; NaN records a failed run. A dimension that was not asked for counts as well.

        Raises:
            UserError: ``d`` is no whole number in the range, the score is above 1 or infinite, or a pair (d, seed) is
                told again although no further run at ``d`` was asked for.
        """
        d = whole(d, "d")
        score = float(score)
        if not self.setting.d_min <= d <= self.setting.d_max:
            raise UserError(
                f"d={d} is outside the search",
                f"{self.setting.d_min} <= d <= {self.setting.d_max}",
                "Tell what was asked.",
            )
        if math.isinf(score) or score > 1:
            raise UserError(
                f"score={score} at d={d}", "a number of at most 1, or NaN for a failed run", "Check the metric."
            )
        if (d, seed) in self._scores and not self._pending[d]:
            raise UserError(f"d={d} with seed={seed} was told already", "each run once", "Give a fresh seed.")
        self._scores[d, seed] = score
        if self._pending[d]:
            self._pending[d] -= 1
        self.points.append((d, score))
        self._evidence = None

    def verdict(self, threshold: float | None = None) -> Verdict:
        """Return the verdict that the runs so far support, for this search's threshold or another one."""
        if threshold is None:
            return judge(self.evidence(), self.seeds)
        other = dataclasses.replace(self.setting, threshold=float(threshold))
        return judge(Evidence(other, self.points, self.seed), self.seeds)

    # -- for the kinds of search -------------------------------------------------------------------------------------

    def evidence(self) -> Evidence:
        """Return what the scores so far say (computed once for each state)."""
        if self._evidence is None:
            self._evidence = Evidence(self.setting, self.points, self.seed)
        return self._evidence

    def lattice(self, d: float) -> int:
        """Round a dimension to the lattice and into the range."""
        step = round(PER_DECADE * math.log10(max(d, 1.0)))
        return int(min(max(round(10 ** (step / PER_DECADE)), self.setting.d_min), self.setting.d_max))

    def pending(self, d: int) -> int:
        """Return how many runs at ``d`` were asked for and not told yet."""
        return self._pending[d]

    def _choose(self, n: int) -> list[int]:
        raise NotImplementedError


def whole(value: float, name: str) -> int:
    """Return a whole number given as int or float (1e5); raise ``UserError`` for anything else."""
    if isinstance(value, bool) or not math.isfinite(value) or int(value) != value:
        raise UserError(f"{name}={value!r}", f"{name} is a whole number", "Round it.")
    return int(value)


def _d(x: float) -> float:
    return float(np.exp(x))


def _verdict(
    status: str,
    setting: Setting,
    runs: int,
    d90: float | None,
    low: float | None,
    high: float | None,
    isotonic: float | None,
    band: dict[str, list[float]] | None,
) -> Verdict:
    known = f"; so far it lies between {round(low):,} and {round(high):,}" if low and high else ""
    words = {
        "d90": f"{round(d90):,}" if d90 else "",
        "low": f"{round(low):,}" if low else "",
        "high": f"{round(high):,}" if high else "",
        "level": f"{100 * LEVEL:g} %",
        "d_min": f"{setting.d_min:,}",
        "d_max": f"{setting.d_max:,}",
        "sofar": known,
    }
    message = MESSAGES[status].format(**words)
    return Verdict(status, d90, low, high, setting.threshold, LEVEL, runs, isotonic, message, band)
