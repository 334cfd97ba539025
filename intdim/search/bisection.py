"""``search=bisection``: binary search in log d; at each d the median of several seeds decides.

What decides is on which side of the bar a run is, so a run may end as soon as it has crossed.
"""

from __future__ import annotations

import math

import numpy as np

from intdim.search.base import Search
from intdim.search.evidence import NARROW


class BisectionSearch(Search):
    """Halves the bracket [d_min, d_max] in log d until its ends are within the factor 1.26, then, where one of them
    never moved, measures both ends of the range: the answer may lie beyond, or the curve fall. Ends when that is done
    or the runs are spent."""

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
            middle = round(math.sqrt(low * high))
            if middle in (low, high):
                break
            scores = self._told_at(middle)
            if len(scores) < self.seeds:
                return middle
            if self._reaches(scores):
                high, moved_high = middle, True
            else:
                low, moved_low = middle, True
        if moved_low and moved_high:
            return None
        ends = (self.setting.d_min, self.setting.d_max)
        return next((end for end in ends if len(self._told_at(end)) < self.seeds), None)

    def _told_at(self, d: int) -> list[float]:
        """Return the scores at ``d``; a run that stopped because it had crossed the bar reaches any."""
        return [score for at, score in self.evidence.reached if at == d]

    def _reaches(self, scores: list[float]) -> bool:
        """True when the median reaches the bar; a failed run counts as one that does not."""
        reached = [-math.inf if math.isnan(score) else score for score in scores]
        return float(np.median(reached)) >= self.setting.threshold
