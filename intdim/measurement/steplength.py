"""Which step length to use at which d: tuned again in each new region of d, smoothed over all of them.

The step length is s = lr sqrt(d). Its window of useful values is narrow at small d and moves with d and scope, so an
untuned one inflates d90 more than any other mistake. The first dimension that is asked for takes the whole grid, which
is extended where the best lies on its edge, and then the neighbours of the best. In each new region of d three lengths
are tried around what all runs so far say is best (``surface.py``); elsewhere one. Until some length has made a quarter
of the baseline's gain, the whole grid is tried again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from intdim.ledger.verdict import StepLengthEvidence
from intdim.measurement.surface import Seen, Surface

FACTOR = 3.0  # between neighbouring values when a grid is extended
EXTENSIONS = 2  # how often a grid may grow at one dimension
APART = 1.73  # between the lengths that are tried around the best
REGION = 2.5  # a d farther than this factor from all tuned ones is a new region
LEARNT = 0.25  # of the baseline's gain: until some run has made that, the whole grid is tried
GRIDS = 4  # how often at most
NOTHING = 0.05  # of that gain: a run that made less has learnt nothing
CLEAR = 0.03  # of that gain: by so much is a length clearly better than the one beside it
UNSURE = 0.97  # below this expected share a region is tuned again
TUNINGS = 3  # at most so often
SURE = 0.98  # expected share of the gain that the best length keeps, from which a new region is not tuned


def grid_best(scores: dict[float, float]) -> float:
    """Return the value with the best score; of several equally good ones the middle one. NaN counts as worst."""
    top = max(_worst_if_nan(score) for score in scores.values())
    best = sorted(value for value, score in scores.items() if _worst_if_nan(score) == top)
    return best[(len(best) - 1) // 2]


def beyond_edge(scores: dict[float, float]) -> float | None:
    """Return the next value to try when the best one lies on the edge of what was tried, else None."""
    best, tried = grid_best(scores), sorted(scores)
    if len(tried) < 2:
        return None
    if best == tried[-1]:
        return round_rate(best * FACTOR)
    if best == tried[0]:
        return round_rate(best / FACTOR)
    return None


def round_rate(value: float) -> float:
    """Round to three significant digits, so that a rate can be read and typed again."""
    return float(f"{value:.3g}")


@dataclass
class StepLengths:
    """The evidence so far about the lengths of one cell.

    Attributes:
        lengths: the grid; a single one is a decision, and nothing is tuned.
        d_min: smallest dimension of the range.
        d_max: largest one.
        chance: score of the majority class.
        gap: gain of the baseline over it.
        tried: by d and length the selection scores, one for each seed.
        tuned: the dimensions at which several lengths were tried with one seed.
        grids: how often the whole grid was tried.
    """

    lengths: tuple[float, ...]
    d_min: int = 1
    d_max: int = 2
    chance: float = 0.0
    gap: float = 1.0
    tried: dict[int, dict[float, list[float]]] = field(default_factory=dict)
    tuned: list[int] = field(default_factory=list)
    grids: int = 0

    def __post_init__(self) -> None:
        self.surface = Surface(self.d_min, self.d_max, self.lengths) if len(self.lengths) > 1 else None

    @property
    def decided(self) -> bool:
        """True where the user gave one length."""
        return self.surface is None

    def at(self, d: int) -> float:
        """Return the length to use at ``d``: the best one by all runs so far, or the one that the user gave."""
        if self.surface is None:
            return self.lengths[0]
        return round_rate(self.surface.best(d))

    def is_new(self, d: int) -> bool:
        """True where several lengths should be tried: at the first d; where no tuned d is near, unless all runs so far
        leave little doubt; and again where they leave much."""
        if self.surface is None or not self.tuned:
            return self.surface is not None
        near = sum(abs(math.log(d / tuned)) <= math.log(REGION) for tuned in self.tuned)
        return near < TUNINGS and self.surface.expected(d, self.at(d)) < (UNSURE if near else SURE)

    @property
    def wants_grid(self) -> bool:
        """True while no run has made a quarter of the baseline's gain, so that nothing is known of the best length."""
        return self.grids < GRIDS and not self._learnt(math.inf)

    def first(self, d: int) -> list[float]:
        """Return the lengths to try first with a new seed in a new region, at ``d``."""
        if self.wants_grid:
            return sorted(self.lengths)
        here = self.at(d)
        return [*self.beside(here), here]

    def further(self, scores: dict[float, float], grid: bool) -> list[float]:
        """Return the lengths to try next where one seed has these selection scores: beyond the edge if the best is
        there and clearly better; after a ``grid`` on which nothing was learnt, beyond both edges, since all may have
        been too short or too long."""
        tried, best = sorted(scores), grid_best(scores)
        if len(tried) < 2:
            return []
        if self._gain(scores[best]) <= NOTHING:
            return [round_rate(tried[0] / FACTOR), round_rate(tried[-1] * FACTOR)] if grid else []
        if best not in (tried[0], tried[-1]):
            return []

        inner, sign = (tried[1], -1) if best == tried[0] else (tried[-2], 1)
        clear = self._gain(scores[best]) - self._gain(scores[inner]) > CLEAR
        return [round_rate(best * (FACTOR if grid else APART) ** sign)] if clear or grid else []

    def beside(self, length: float) -> list[float]:
        """Return the lengths next to one."""
        return [round_rate(length / APART), round_rate(length * APART)]

    def beside_best(self, scores: dict[float, float]) -> list[float]:
        """Return the lengths next to the best of a grid; none where nothing was learnt."""
        best = grid_best(scores)
        return self.beside(best) if self._gain(scores[best]) > NOTHING else []

    def doubtful(self, d: int, score: float) -> bool:
        """True where a run at ``d`` learnt nothing although a smaller d did, and nothing else was tried there."""
        return not self.decided and self._gain(score) <= NOTHING and self._learnt(d) and len(self.tried[d]) < 2

    def _learnt(self, d: float) -> bool:
        """True where some run at ``d`` or below has made a quarter of the baseline's gain."""
        return any(
            self._gain(score) > LEARNT
            for at, here in self.tried.items()
            if at <= d
            for scores in here.values()
            for score in scores
        )

    def note(self, d: int, length: float, score: float) -> None:
        """Record a selection score of one length at ``d``; NaN is a failed run, which kept nothing of the gain."""
        self.tried.setdefault(d, {}).setdefault(length, []).append(score)
        if self.surface is not None:
            self.surface.see(Seen(math.log(d), math.log(length), self._gain(score)))

    def chosen(self, d: int, scores: dict[float, float]) -> float:
        """Return which of the lengths that one seed tried at ``d`` counts: the nearest to the best by all runs, so that
        the luck of one run chooses nothing, unless another is better by a twentieth of the gain."""
        best, here = grid_best(scores), self.at(d)
        good = [length for length, score in scores.items() if not math.isnan(score)] or [best]
        nearest = min(good, key=lambda length: abs(math.log(length / here)))
        return best if self._gain(scores[best]) - self._gain(scores[nearest]) > NOTHING else nearest

    def evidence(self) -> StepLengthEvidence:
        """Return the evidence for the record: the best length where several were tried, and every score."""
        tried = {
            str(d): {f"{length:g}": _or_none(scores[0]) for length, scores in sorted(here.items())}
            for d, here in sorted(self.tried.items())
        }
        known = {str(d): self.at(d) for d in sorted(self.tuned)}
        return StepLengthEvidence(known, tried)

    def _gain(self, score: float) -> float:
        """Return the gain over chance, in gains of the baseline; none for a failed run."""
        return 0.0 if math.isnan(score) else (score - self.chance) / self.gap


def _or_none(score: float) -> float | None:
    return None if math.isnan(score) else score


def _worst_if_nan(score: float) -> float:
    return -math.inf if math.isnan(score) else score
