"""The ask/tell interface: a search proposes dimensions, observes scores, and can give a verdict at any time.

A search runs nothing itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np

from intdim.errors import UserError
from intdim.search.curve import Array, Setting
from intdim.search.evidence import NARROW, Evidence
from intdim.search.verdict import Verdict, beats_chance, judge


class Search:
    """A search for d90: ``ask`` for dimensions, ``tell`` their scores, ask again until nothing is asked for.

    Pure and seeded: the same scores in the same order give the same questions and the same verdict, bit for bit. The
    same dimension may be asked for several times: each time a run with another seed is wanted.

    Args:
        d_min: the smallest dimension that may be asked for.
        d_max: the largest one.
        threshold: the score to reach.
        baseline: the mean score of full fine-tuning.
        chance: the score of always answering the majority class.
        max_runs: how many scores may be asked for in all.
        seed: of the search's own randomness.
        baseline_std: the standard error of the baseline's mean (its standard deviation over seeds divided by the root
            of their number), which makes the threshold uncertain.
        freedom: degrees of freedom of that error, which has a t distribution; inf: it is normal.
        fraction: share of that error which is in the threshold.
        seeds: runs wanted on each side of d90 before it is called found; ``bisection`` and ``grid`` make as many at
            each dimension.
        grid_points: number of dimensions of ``grid``.
        narrow: ``posterior`` ends when both ends of the interval are within this factor of d90.
        enough: or after so many runs, if d90 is found by then.

    Raises:
        UserError: a setting is outside its range.
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
        freedom: float = math.inf,
        fraction: float = 1.0,
        seeds: int = 3,
        grid_points: int = 13,
        narrow: float = NARROW,
        enough: int = 10**9,
    ) -> None:
        setting = make_setting(d_min, d_max, threshold, baseline, chance, baseline_std, freedom, fraction)
        counts = {"max_runs": max_runs, "seeds": seeds, "grid_points": grid_points, "enough": enough}
        for name, value in counts.items():
            if whole_number(value, name) < 1:
                raise UserError(f"{name}={value}", f"{name} must be at least 1", f"Raise {name}.")

        self.setting, self.seed = setting, int(seed)
        if not number(narrow, "narrow") > 1:
            raise UserError(f"narrow={narrow}", "narrow must be above 1", "It is a factor.")
        self.max_runs, self.seeds, self.grid_points, self.enough = (int(value) for value in counts.values())
        self.narrow = float(narrow)
        self.evidence = Evidence(setting, abs(self.seed))
        self.errors: Callable[[], Array | None] = lambda: None  # shifts as in verdict(), before the search may end
        self._scores: dict[tuple[int, int], tuple[float, bool]] = {}
        self._pending: Counter[int] = Counter()

    # -- the public interface ----------------------------------------------------------------------------------------

    def ask(self, n: int = 1) -> list[int]:
        """Return up to ``n`` dimensions to measure next; [] when the search has ended or all its runs are pending.

        Raises:
            UserError: ``n`` is not an integer of at least 1.
        """
        if whole_number(n, "n") < 1:
            raise UserError(f"n={n}", "n must be at least 1", "Ask for one dimension or more.")
        left = self.max_runs - len(self.points) - self._pending.total()
        if left <= 0 or not beats_chance(self.setting):
            return []
        chosen = self._choose(min(int(n), left))
        self._pending.update(chosen)
        return chosen

    def tell(self, d: int, score: float, seed: int = 0, at_least: bool = False) -> None:
        """Record a score at ``d``; NaN records a failed run. A dimension that was not asked for counts as well.

        A pair (d, seed) that was recorded before counts as a further run while a run at ``d`` is pending. Otherwise
        the same score is the same run reported twice, and changes nothing.

        Args:
            d: the dimension.
            score: at most 1, or NaN.
            seed: of the run.
            at_least: the run ended early because it had crossed the threshold: its score is a lower bound.

        Raises:
            UserError: ``d`` is not an integer in the range, the score is above 1 or infinite, or a pair (d, seed)
                comes again with another score although no run at ``d`` is pending.
        """
        d, score = whole_number(d, "d"), number(score, f"the score at d={d}")
        seed = whole_number(seed, "seed")
        low, high = self.setting.d_min, self.setting.d_max
        if not low <= d <= high:
            raise UserError(
                f"d={d} is outside the range of the search",
                f"d must be an integer from {low} to {high}",
                "Report the dimensions that ask() returned.",
            )
        if math.isinf(score) or score > 1:
            raise UserError(
                f"score={score} at d={d}",
                "a score must be a number of at most 1, or NaN for a failed run",
                "Give scores as fractions, not in percent.",
            )

        known, bound = self._scores.get((d, seed), (None, False))
        if known is not None and not self._pending[d]:
            if bound == bool(at_least) and (known == score or (math.isnan(known) and math.isnan(score))):
                return
            raise UserError(
                f"d={d} with seed={seed} was reported with score {known} and now with {score}",
                "there must be one score for each run",
                "Give a further run a seed of its own.",
            )

        self._scores[d, seed] = score, bool(at_least)
        if self._pending[d]:
            self._pending[d] -= 1
        self.evidence.add(d, score, at_least)

    def verdict(self, threshold: float | None = None, shifts: Array | None = None) -> Verdict:
        """Return the verdict that the runs so far support, for this search's threshold or for another one.

        ``shifts`` (any number,) are equally likely errors of the threshold relative to all scores, which widen the
        interval; (2, any number): and the errors of the baseline relative to the scores at the ceiling that come with
        them, about which a ceiling that is known tells.

        Raises:
            UserError: the threshold or a shift is not a number.
        """
        bar = None if threshold is None else number(threshold, "threshold")
        return judge(self.evidence, self.seeds, bar, None if shifts is None else checked_shifts(shifts))

    # -- for subclasses ----------------------------------------------------------------------------------------------

    @property
    def points(self) -> list[tuple[int, float]]:
        """(d, score) of every run observed so far, in the order of ``tell``."""
        return self.evidence.points

    def pending(self, d: int) -> int:
        """Return how many runs at ``d`` were asked for and have no score yet."""
        return self._pending[d]

    def all_pending(self) -> list[int]:
        """Return the dimensions that were asked for and have no score yet, ascending, with repetitions."""
        return sorted(self._pending.elements())

    def _choose(self, n: int) -> list[int]:
        """Return up to ``n`` dimensions to measure next."""
        raise NotImplementedError


def make_setting(
    d_min: float,
    d_max: float,
    threshold: float,
    baseline: float,
    chance: float,
    baseline_std: float,
    freedom: float = math.inf,
    fraction: float = 1.0,
) -> Setting:
    """Check what is fixed before any run, and return it.

    Raises:
        UserError: the ends are not a range of integers, or a score is impossible.
    """
    low, high = whole_number(d_min, "d_min"), whole_number(d_max, "d_max")
    if low < 1 or low > high:
        raise UserError(f"d_min={low}, d_max={high}", "1 <= d_min <= d_max", "Correct the range.")
    for name, value in (("threshold", threshold), ("baseline", baseline), ("chance", chance)):
        if not math.isfinite(number(value, name)) or value > 1:
            raise UserError(
                f"{name}={value}",
                f"{name} must be a finite number of at most 1",
                "Give scores as fractions, not in percent.",
            )
    if not (math.isfinite(number(baseline_std, "baseline_std")) and baseline_std >= 0):
        raise UserError(
            f"baseline_std={baseline_std}", "baseline_std must be finite and at least 0", "Give a standard error."
        )
    if not number(freedom, "freedom") > 0 or not 0 < number(fraction, "fraction") <= 1:
        raise UserError(
            f"freedom={freedom}, fraction={fraction}", "freedom > 0 and 0 < fraction <= 1", "Correct what is outside."
        )
    error = float(baseline_std), float(freedom), float(fraction)
    return Setting(low, high, float(threshold), float(baseline), float(chance), *error)


def whole_number(value: object, name: str) -> int:
    """Return an integer that was given as int or float (1e5); raise ``UserError`` for anything else."""
    made = number(value, name)
    if isinstance(value, bool) or not math.isfinite(made) or int(made) != made:
        raise UserError(f"{name}={value!r}", f"{name} must be a whole number", "Round it.")
    return int(made)


def checked_shifts(shifts: object) -> Array:
    """Return shifts of the threshold as an array; raise ``UserError`` unless they are a list of finite numbers."""
    try:
        made = np.asarray(shifts, dtype=float)
    except (TypeError, ValueError):
        made = np.empty(0)
    shaped = made.ndim == 1 or (made.ndim == 2 and len(made) == 2)
    if not shaped or not made.size or not np.isfinite(made).all():
        raise UserError(
            "the shifts of the threshold are not a list of numbers",
            "shifts must be finite numbers, at least one",
            "Pass a one-dimensional array.",
        )
    return made


def number(value: object, name: str) -> float:
    """Return a number as float; raise ``UserError`` for anything else."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}={value!r}", f"{name} must be a number", "") from error
