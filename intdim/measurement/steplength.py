"""Which step length to use at which d: located at two dimensions, interpolated in log d, doubted where a run fails.

The step length is s = lr sqrt(d). Its window of useful values is narrow at small d and moves with d and scope, so an
untuned one inflates d90 more than any other mistake. A grid of lengths is tried at two dimensions; where the best lies
on the edge the grid is extended; in between, log s is interpolated in log d. A run that ends at chance is a failed
length before it is evidence about d: its neighbours are tried before the point counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from intdim.ledger.verdict import StepLengthEvidence

FACTOR = 3.0  # between neighbouring lengths when the grid is extended or a length is doubted
EXTENSIONS = 2  # how often the grid may grow at one dimension


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


def anchors(d_min: int, d_max: int) -> list[int]:
    """Return the dimensions at which the length is located: a third and two thirds along log d (one if they meet)."""
    low, high = math.log(d_min), math.log(d_max)
    return sorted({round(math.exp(low + (high - low) * share)) for share in (1 / 3, 2 / 3)})


@dataclass
class StepLengths:
    """The evidence so far: lengths known to be best at some dimensions, and what was tried there.

    ``known`` maps d to its best length; ``tried`` maps d to {length: selection score}; at or below ``hopeless`` every
    length that was tried ended at chance, so that another failure there is evidence about d.
    """

    lengths: tuple[float, ...]
    known: dict[int, float] = field(default_factory=dict)
    tried: dict[int, dict[float, float]] = field(default_factory=dict)
    hopeless: int = 0

    def at(self, d: int) -> float:
        """Return the length to use at ``d``: interpolated in log d between known dimensions, and beyond them going on
        as between the nearest two, if it falls with d there, by at most a factor of ``FACTOR``; level otherwise."""
        if not self.known:
            middle = sorted(self.lengths)
            return middle[len(middle) // 2]
        if d in self.known:
            return self.known[d]
        below = [known for known in self.known if known < d]
        above = [known for known in self.known if known > d]
        if below and above:
            return round_rate(self._on_line(max(below), min(above), d))
        nearest = max(below) if below else min(above)
        here = self.known[nearest]
        if len(self.known) == 1:
            return here
        left, right = sorted(sorted(self.known, key=lambda known: abs(math.log(known / d)))[:2])
        if self.known[left] <= self.known[right]:
            return here  # that a longer step suits a larger d is noise
        return round_rate(min(max(self._on_line(left, right, d), here / FACTOR), here * FACTOR))

    def _on_line(self, left: int, right: int, d: int) -> float:
        share = math.log(d / left) / math.log(right / left)
        return self.known[left] ** (1 - share) * self.known[right] ** share

    def note(self, d: int, length: float, score: float) -> None:
        """Record a selection score of one length at ``d``; the first score of a length and dimension stays."""
        self.tried.setdefault(d, {}).setdefault(length, score)

    def settle(self, d: int, chance_level: float) -> bool:
        """Take the best length tried at ``d`` as known if it got above ``chance_level``; say whether it did."""
        scores = self.tried[d]
        best = grid_best(scores)
        if _worst_if_nan(scores[best]) > chance_level:
            self.known[d] = best
            return True
        self.hopeless = max(self.hopeless, d)
        return False

    def further(self, d: int, chance_level: float) -> list[float]:
        """Return the lengths to try next at ``d``: beyond the edge where the best lies; beyond both edges where every
        length ended at chance, since they may have been too short or too long; none otherwise."""
        scores = self.tried[d]
        if max(_worst_if_nan(score) for score in scores.values()) > chance_level:
            edge = beyond_edge(scores)
            return [] if edge is None else [edge]
        return [round_rate(min(scores) / FACTOR), round_rate(max(scores) * FACTOR)]

    def neighbours(self, d: int) -> list[float]:
        """Return the lengths next to the one used at ``d`` that have not been tried there."""
        here = self.at(d)
        return [
            value
            for value in (round_rate(here * FACTOR), round_rate(here / FACTOR))
            if value not in self.tried.get(d, {})
        ]

    def evidence(self) -> StepLengthEvidence:
        """Return the evidence for the record: dimensions, chosen lengths and the score of every length tried."""
        tried = {
            str(d): {f"{length:g}": (None if math.isnan(score) else score) for length, score in sorted(scores.items())}
            for d, scores in sorted(self.tried.items())
        }
        known = {str(d): length for d, length in sorted(self.known.items())}
        return StepLengthEvidence(known, tried, self.hopeless)


def _worst_if_nan(score: float) -> float:
    return -math.inf if math.isnan(score) else score
