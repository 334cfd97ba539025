"""``search=bisection``: binary search in log d; at each d the median of several seeds decides."""

from __future__ import annotations

import math

import numpy as np

from intdim.search.base import NARROW, Search


class BisectionSearch(Search):
    """Halves the bracket [d_min, d_max] in log d until its ends are within the factor 1.26, then sees that the ends
    that never moved were measured too."""

    def _choose(self, n: int) -> list[int]:
        d = self._next()
        if d is None:
            return []
        lacking = self.seeds - len(self._told_at(d)) - self.pending(d)
        return [d] * min(n, lacking)

    def _next(self) -> int | None:
        """Return the dimension whose seeds are not complete, or None when the bracket is narrow."""
        low, high = self.setting.d_min, self.setting.d_max
        moved_low = moved_high = False
        while high / low > NARROW:
            middle = self.lattice(math.sqrt(low * high))
            if middle in (low, high):
                break
            scores = self._told_at(middle)
            if len(scores) < self.seeds:
                return middle
            if self._reaches(scores):
                high, moved_high = middle, True
            else:
                low, moved_low = middle, True
        for end, moved in ((low, moved_low), (high, moved_high)):
            if not moved and len(self._told_at(end)) < self.seeds:
                return end
        return None

    def _told_at(self, d: int) -> list[float]:
        return [score for at, score in self.points if at == d]

    def _reaches(self, scores: list[float]) -> bool:
        """True when the median reaches the bar; a failed run counts as one that does not."""
        return (
            float(np.median([-math.inf if math.isnan(score) else score for score in scores])) >= self.setting.threshold
        )
