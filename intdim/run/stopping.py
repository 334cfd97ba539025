"""When a run may end before its last step: it has crossed the bar, or it has converged. Never because it scores low.

A run that starts slowly would be pruned by an early score, and small d starts slowly: that would bias d90 upwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FLAT = 0.02  # losses are flat when they stay within this share of their mean
CROSSED, CONVERGED = "crossed", "converged"


@dataclass(frozen=True)
class Look:
    """One evaluation on the selection half, and the mean training loss since the one before."""

    step: int
    select_score: float
    select_loss: float
    train_loss: float


def stop_reason(looks: Sequence[Look], patience: int, stop_at: float | None) -> str:
    """Return why a run may end after its last look: ``crossed``, ``converged``, or "" where it goes on.

    Args:
        looks: all evaluations so far, in order.
        patience: evaluations without a better selection score and with both losses flat after which it has converged;
            0: never.
        stop_at: the selection score at which it has crossed; None: never.
    """
    if stop_at is not None and looks and looks[-1].select_score >= stop_at:
        return CROSSED
    return CONVERGED if patience and converged(looks, patience) else ""


def converged(looks: Sequence[Look], patience: int) -> bool:
    """True when none of the last ``patience`` looks has a better selection score than those before, and neither the
    selection loss nor the training loss left a band of ``FLAT`` over them and the one before."""
    if len(looks) <= patience:
        return False
    before, recent = looks[:-patience], looks[-patience:]
    if max(look.select_score for look in recent) > max(look.select_score for look in before):
        return False
    window = looks[-patience - 1 :]
    return flat([look.select_loss for look in window]) and flat([look.train_loss for look in window])


def flat(losses: Sequence[float]) -> bool:
    """True when finite losses differ by at most ``FLAT`` of their mean."""
    if not all(math.isfinite(loss) for loss in losses):
        return False
    return max(losses) - min(losses) <= FLAT * abs(sum(losses) / len(losses))
