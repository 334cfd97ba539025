"""Upper bounds on the population error from a training error and a number of bits. No torch, no files.

    from intdim.bounds import occam_kl
    occam_kl(train_error=0.0393, bits=6842, n=60_000, delta=0.05)   # an upper bound on the population error

``inequalities.py`` has the bounds, ``gap.py`` the relative gap and the trend sqrt(d / m).
"""

from __future__ import annotations

from intdim.bounds.gap import relative_gap, trend
from intdim.bounds.inequalities import catoni, occam_binomial, occam_hoeffding, occam_kl, pac_bayes_kl, share_upper

__all__ = [
    "catoni",
    "occam_binomial",
    "occam_hoeffding",
    "occam_kl",
    "pac_bayes_kl",
    "relative_gap",
    "share_upper",
    "trend",
]
