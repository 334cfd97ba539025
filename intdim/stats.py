"""Intervals for shares, for those who check how often a statement holds. No torch."""

from __future__ import annotations

import math

from scipy.special import ndtri


def share_interval(hits: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval (1927) for a probability of which ``hits`` in ``trials`` were seen; (0, 1) for none."""
    assert 0 <= hits <= trials
    if trials == 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + level / 2))
    share, weight = hits / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return max(0.0, centre - reach), min(1.0, centre + reach)
