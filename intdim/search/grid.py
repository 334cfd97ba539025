"""``search=grid``: dimensions evenly spaced in log d, several seeds each."""

from __future__ import annotations

import math

from intdim.search.base import Search


class GridSearch(Search):
    """Asks for every dimension of the grid with one seed, then with the next; the budget may cut the last round."""

    def _choose(self, n: int) -> list[int]:
        asked = len(self.points) + self._pending.total()
        plan = self.grid() * self.seeds
        return plan[asked : asked + n]

    def grid(self) -> list[int]:
        """Return the dimensions: both ends of the range, and what lies between evenly in log d."""
        low, high = self.setting.low, self.setting.high
        steps = max(1, self.grid_points - 1)
        return sorted({round(math.exp(low + (high - low) * step / steps)) for step in range(self.grid_points)})
