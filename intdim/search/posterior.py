"""``search=posterior``: asks where the posterior of d90 is wide, until its interval is narrow."""

from __future__ import annotations

import math

import numpy as np

from intdim.search.base import LEVEL, Search

CERTAIN = 0.97  # probability beyond an end of the range at which the search ends there
FLANKS = (0.5, 0.12, 0.88, 0.3, 0.7)  # quantiles of log d90 asked for in turn: centre, then both sides


class PosteriorSearch(Search):
    """Starts with a spread over the range, then asks at quantiles of the posterior of log d90, several at once.

    Ends when the 90 % interval is within a factor of 1.26 of its centre with enough seeds on each side, when d90 is
    known to lie beyond an end of the range, or when the runs are spent.
    """

    def _choose(self, n: int) -> list[int]:
        under_way = self._pending.total()
        told = len(self.points)
        start = self._opening()
        if told + under_way < len(start):
            return start[told + under_way :][:n]
        if not told:
            return []  # nothing known yet beyond what is under way
        crossing = self.evidence().crossing()
        if under_way == 0 and self._ended():
            return []
        reach = np.clip(crossing.samples, self.setting.low, self.setting.high)
        chosen: list[int] = []
        for number in range(n):
            level = FLANKS[(told + under_way + number) % len(FLANKS)]
            if n > 1:
                level = 0.12 + 0.76 * (number + 0.5) / n
            chosen.append(self._place(float(np.quantile(reach, level)), crossing.median, level))
        return chosen

    def _opening(self) -> list[int]:
        """Return the first dimensions: they divide the range, the middle first."""
        low, high = self.setting.low, self.setting.high
        shares = (0.5,) if high - low < math.log(4) else (0.4, 0.7, 0.2)
        return [self.lattice(math.exp(low + share * (high - low))) for share in shares][: self.max_runs]

    def _place(self, x: float, median: float, level: float) -> int:
        """Move a question to the side that lacks seeds once the posterior is narrow, else leave it at its quantile."""
        below, above = self.evidence().sides(median)
        if self.evidence().crossing().narrow and math.isfinite(median):
            if below < self.seeds:
                x = median - 0.15
            elif above < self.seeds:
                x = median + 0.15
        return self.lattice(math.exp(min(max(x, self.setting.low), self.setting.high)))

    def _ended(self) -> bool:
        """True when what is known suffices."""
        evidence = self.evidence()
        crossing = evidence.crossing()
        below, above = evidence.sides(crossing.median)
        if crossing.narrow and min(below, above) >= self.seeds:
            return crossing.below < (1 - LEVEL) / 2 and crossing.above < (1 - LEVEL) / 2
        bottom = sum(d <= 1.5 * self.setting.d_min for d, _ in self.points)
        top = sum(d >= self.setting.d_max / 1.5 for d, _ in self.points)
        return (crossing.below > CERTAIN and bottom >= self.seeds) or (crossing.above > CERTAIN and top >= self.seeds)
