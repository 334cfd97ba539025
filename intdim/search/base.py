"""What a search is: asked for dimensions, told scores, and at any time able to give a verdict. It runs nothing."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from intdim.errors import UserError
from intdim.search.curve import Array, Setting
from intdim.search.evidence import Evidence
from intdim.search.verdict import Verdict, beats_chance, judge


class Search:
    """A search for d90: ``ask`` for dimensions, ``tell`` scores, ask again until nothing is asked for.

    Pure and seeded: the same answers in the same order give the same questions and the same verdict, bit for bit. A
    dimension may be asked for repeatedly: it wants another seed.

    Args:
        d_min: the smallest dimension that may be asked for.
        d_max: the largest one.
        threshold: the score to reach.
        baseline: the mean score of full fine-tuning.
        chance: the score of always answering the majority class.
        max_runs: how many scores may be asked for in all.
        seed: of the search's own randomness.
        baseline_std: the standard error of the baseline's mean (its spread over seeds divided by the root of their
            number), which blurs the threshold.
        seeds: runs wanted on each side of d90 before it is called found; ``bisection`` and ``grid`` take as many at
            each dimension.
        grid_points: dimensions of ``grid``.
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
        setting = make_setting(d_min, d_max, threshold, baseline, chance, baseline_std)
        counts = {"max_runs": max_runs, "seeds": seeds, "grid_points": grid_points}
        for name, value in counts.items():
            if whole(value, name) < 1:
                raise UserError(f"{name}={value}", f"{name} is at least 1", "")
        self.setting, self.seed = setting, int(seed)
        self.max_runs, self.seeds, self.grid_points = (int(value) for value in counts.values())
        self.evidence = Evidence(setting, abs(self.seed))
        self._scores: dict[tuple[int, int], tuple[float, bool]] = {}
        self._pending: Counter[int] = Counter()

    # -- the door ----------------------------------------------------------------------------------------------------

    def ask(self, n: int = 1) -> list[int]:
        """Return up to ``n`` dimensions to measure next; [] when the search has ended or all its runs are under way."""
        if whole(n, "n") < 1:
            raise UserError(f"n={n}", "n is at least 1", "Ask for one dimension or more.")
        room = self.max_runs - len(self.points) - self._pending.total()
        if room <= 0 or not beats_chance(self.setting):
            return []
        chosen = self._choose(min(int(n), room))
        self._pending.update(chosen)
        return chosen

    def tell(self, d: int, score: float, seed: int = 0, at_least: bool = False) -> None:
        """Record a score at ``d``; NaN records a failed run. A dimension that was not asked for counts as well.
        ``at_least`` says that the run ended early, because it had crossed the bar: its score is a lower bound.

        A pair (d, seed) that was told before is another run while one at ``d`` is awaited; otherwise the same score
        is the same run told twice and changes nothing.

        Raises:
            UserError: ``d`` is no whole number in the range, the score is above 1 or infinite, or a pair (d, seed)
                is told again with another score although no further run at ``d`` was asked for.
        """
        d, score = whole(d, "d"), number(score, f"the score at d={d}")
        seed = whole(seed, "seed")
        low, high = self.setting.d_min, self.setting.d_max
        if not low <= d <= high:
            raise UserError(f"d={d} is outside the search", f"{low} <= d <= {high}", "Tell what was asked.")
        if math.isinf(score) or score > 1:
            raise UserError(
                f"score={score} at d={d}",
                "a number of at most 1, or NaN for a failed run",
                "Give scores as shares, not percent.",
            )
        known, bound = self._scores.get((d, seed), (None, False))
        if known is not None and not self._pending[d]:
            if bound == bool(at_least) and (known == score or (math.isnan(known) and math.isnan(score))):
                return
            raise UserError(
                f"d={d} with seed={seed} was told as {known} and now as {score}",
                "one score for each run",
                "Give a further run a seed of its own.",
            )
        self._scores[d, seed] = score, bool(at_least)
        if self._pending[d]:
            self._pending[d] -= 1
        self.evidence.add(d, score, at_least)

    def verdict(self, threshold: float | None = None, shifts: Array | None = None) -> Verdict:
        """Return the verdict that the runs so far support, for this search's threshold or for another one.

        ``shifts`` (any number,) are equally likely errors of the bar against all scores, which widen the interval.
        """
        bar = None if threshold is None else number(threshold, "threshold")
        return judge(self.evidence, self.seeds, bar, None if shifts is None else errors(shifts))

    # -- for the kinds of search -------------------------------------------------------------------------------------

    @property
    def points(self) -> list[tuple[int, float]]:
        """(d, score) of every run told so far, in the order of telling."""
        return self.evidence.points

    def pending(self, d: int) -> int:
        """Return how many runs at ``d`` were asked for and not told yet."""
        return self._pending[d]

    def under_way(self) -> list[int]:
        """Return the dimensions that were asked for and not told yet."""
        return sorted(self._pending.elements())

    def _choose(self, n: int) -> list[int]:
        raise NotImplementedError


def make_setting(
    d_min: float, d_max: float, threshold: float, baseline: float, chance: float, baseline_std: float
) -> Setting:
    """Check what is fixed before any run.

    Raises:
        UserError: no range of whole numbers, or a score that cannot be one.
    """
    low, high = whole(d_min, "d_min"), whole(d_max, "d_max")
    if low < 1 or low > high:
        raise UserError(f"d_min={low}, d_max={high}", "1 <= d_min <= d_max", "Correct the range.")
    for name, value in (("threshold", threshold), ("baseline", baseline), ("chance", chance)):
        if not math.isfinite(number(value, name)) or value > 1:
            raise UserError(f"{name}={value} is no score", "a finite number of at most 1", "Give scores, not percent.")
    if not (math.isfinite(number(baseline_std, "baseline_std")) and baseline_std >= 0):
        raise UserError(f"baseline_std={baseline_std}", "a finite number of at least 0", "")
    return Setting(low, high, float(threshold), float(baseline), float(chance), float(baseline_std))


def whole(value: object, name: str) -> int:
    """Return a whole number given as int or float (1e5); raise ``UserError`` for anything else."""
    made = number(value, name)
    if isinstance(value, bool) or not math.isfinite(made) or int(made) != made:
        raise UserError(f"{name}={value!r}", f"{name} is a whole number", "Round it.")
    return int(made)


def errors(shifts: object) -> Array:
    """Return shifts of the bar as an array; raise ``UserError`` where they are not a list of finite numbers."""
    try:
        made = np.asarray(shifts, dtype=float)
    except (TypeError, ValueError):
        made = np.empty(0)
    if made.ndim != 1 or not len(made) or not np.isfinite(made).all():
        raise UserError("the shifts of the bar are not a list of numbers", "finite numbers, at least one", "")
    return made


def number(value: object, name: str) -> float:
    """Return a number as float; raise ``UserError`` for what is none."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}={value!r}", "a number", "") from error
