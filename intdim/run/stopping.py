"""When a run may end before its last step: it has crossed the bar, or it has converged. Never because it scores low.

A run that starts slowly would be pruned by an early score, and small d starts slowly: that would bias d90 upwards.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from intdim.spec import CONVERGED, CROSSED

FLAT = 0.02  # losses are flat when they stay within this share of their mean


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: score and mean loss on the selection half and on the scoring half (both the whole split with
    ``task.selection=same``), and the mean training loss since the one before."""

    step: int
    select_score: float
    select_loss: float
    train_loss: float
    eval_score: float
    eval_loss: float

    @property
    def score(self) -> float:
        """Mean score of both halves."""
        return 0.5 * (self.select_score + self.eval_score)

    @property
    def loss(self) -> float:
        """Mean loss of both halves."""
        return 0.5 * (self.select_loss + self.eval_loss)


def stop_reason(evaluations: Sequence[Evaluation], patience: int, stop_at: float | None) -> str:
    """Return why a run may end after its last evaluation: ``crossed``, ``converged``, or "" where it goes on.

    Args:
        evaluations: all so far, in order.
        patience: evaluations without a better score on either half and with both losses flat after which it has
            converged; 0: never.
        stop_at: the score that both halves have to reach at once for it to have crossed; None: never. Each half then
            says of the other that it crossed.
    """
    if stop_at is not None and evaluations:
        latest = evaluations[-1]
        if latest.select_score >= stop_at and latest.eval_score >= stop_at:
            return CROSSED
    return CONVERGED if patience and converged(evaluations, patience) else ""


def converged(evaluations: Sequence[Evaluation], patience: int) -> bool:
    """True when none of the last ``patience`` evaluations has a better score on either half than those before, and
    over them and the one before neither the evaluation loss nor the training loss left a band of ``FLAT``."""
    if len(evaluations) <= patience:
        return False

    before, recent = evaluations[:-patience], evaluations[-patience:]
    for read in (operator.attrgetter("select_score"), operator.attrgetter("eval_score")):
        if max(map(read, recent)) > max(map(read, before)):
            return False

    window = evaluations[-patience - 1 :]
    return flat([one.loss for one in window]) and flat([one.train_loss for one in window])


def flat(losses: Sequence[float]) -> bool:
    """True when finite losses differ by at most ``FLAT`` of their mean."""
    if not all(math.isfinite(loss) for loss in losses):
        return False
    return max(losses) - min(losses) <= FLAT * abs(sum(losses) / len(losses))
