"""``search=bisection``: binary search in log d; at each d the median of several seeds decides.

The decision only needs to know on which side of the threshold a run ends, so a run may stop as soon as it has crossed.
"""

from __future__ import annotations

import math

import numpy as np

from intdim.search.base import Search
from intdim.search.evidence import NARROW


class BisectionSearch(Search):
    """Halves the bracket [d_min, d_max] in log d until its ends are within the factor 1.26 of each other.

    If an end of the bracket never moved, both ends of the range are measured as well: the answer may lie beyond them,
    or the curve may fall. Ends when that is done or the budget is spent.
    """

    def _choose(self, n: int) -> list[int]:
        d = self._next()
        if d is None:
            return []
        missing = self.seeds - len(self._scores_at(d)) - self.pending(d)
        return [d] * min(n, missing)

    def _next(self) -> int | None:
        """Return the dimension whose seeds are not complete, or None when the bracket is narrow."""
        low, high = self.setting.d_min, self.setting.d_max
        moved_low = moved_high = False
        while high / low > NARROW:
            middle = round(math.sqrt(low * high))
            if middle in (low, high):
                break
            scores = self._scores_at(middle)
            if len(scores) < self.seeds:
                return middle
            if self._reaches(scores):
                high, moved_high = middle, True
            else:
                low, moved_low = middle, True

        if moved_low and moved_high:
            return None
        ends = (self.setting.d_min, self.setting.d_max)
        return next((end for end in ends if len(self._scores_at(end)) < self.seeds), None)

    def _scores_at(self, d: int) -> list[float]:
        """Return the observed scores at ``d``, inf for a run that stopped because it had crossed the threshold."""
        return [score for at, score in self.evidence.upper_points if at == d]

    def _reaches(self, scores: list[float]) -> bool:
        """True when the median reaches the threshold; a failed run counts as one that does not."""
        reached = [-math.inf if math.isnan(score) else score for score in scores]
        return float(np.median(reached)) >= self.setting.threshold
