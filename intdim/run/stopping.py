"""When a run may end before its last step: it has crossed the bar, or it has converged. Never because it scores low.

A run that starts slowly would be pruned by an early score, and small d starts slowly: that would bias d90 upwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from intdim.spec import CONVERGED, CROSSED

FLAT = 0.02  # losses are flat when they stay within this share of their mean


@dataclass(frozen=True)
class Evaluation:
    """One evaluation on the selection half, and the mean training loss since the one before."""

    step: int
    select_score: float
    select_loss: float
    train_loss: float


def stop_reason(evaluations: Sequence[Evaluation], patience: int, stop_at: float | None) -> str:
    """Return why a run may end after its last evaluation: ``crossed``, ``converged``, or "" where it goes on.

    Args:
        evaluations: all so far, in order.
        patience: evaluations without a better selection score and with both losses flat after which it has converged;
            0: never.
        stop_at: the selection score at which it has crossed; None: never.
    """
    if stop_at is not None and evaluations and evaluations[-1].select_score >= stop_at:
        return CROSSED
    return CONVERGED if patience and converged(evaluations, patience) else ""


def converged(evaluations: Sequence[Evaluation], patience: int) -> bool:
    """True when none of the last ``patience`` evaluations has a better selection score than those before, and over
    them and the one before neither the selection loss nor the training loss left a band of ``FLAT``."""
    if len(evaluations) <= patience:
        return False

    before, recent = evaluations[:-patience], evaluations[-patience:]
    if max(one.select_score for one in recent) > max(one.select_score for one in before):
        return False

    window = evaluations[-patience - 1 :]
    return flat([one.select_loss for one in window]) and flat([one.train_loss for one in window])


def flat(losses: Sequence[float]) -> bool:
    """True when finite losses differ by at most ``FLAT`` of their mean."""
    if not all(math.isfinite(loss) for loss in losses):
        return False
    return max(losses) - min(losses) <= FLAT * abs(sum(losses) / len(losses))
