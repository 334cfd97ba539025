"""Which step of a run counts: chosen on one half of the evaluation split and scored on the other, both ways round.

The best step by the selection half is scored on the scoring half, the best step by the scoring half on the selection
half. No half scores a step that it chose, and the score of the run, the mean of the two, rests on every example
(cross-fitting: Chernozhukov et al. 2018). With ``task.selection=same`` both halves are the whole split.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from intdim.ledger.results import KEPT, OTHER, Answers
from intdim.tasks.stored import TaskData


@dataclass
class Best:
    """The step with the best score so far on one half (the first one on a tie), and what it has on the other half."""

    step: int = -1
    select_score: float = -math.inf
    eval_score: float = math.nan
    eval_loss: float = math.nan

    def update(self, step: int, select_score: float, eval_score: float, eval_loss: float) -> bool:
        """Take a step if its score on the choosing half is better than all before; return whether it was."""
        better = select_score > self.select_score
        if better:
            self.step, self.select_score, self.eval_score, self.eval_loss = step, select_score, eval_score, eval_loss
        return better


@dataclass
class Selection:
    """The steps chosen so far.

    Attributes:
        kept: chosen on the selection half; its weights are kept.
        other: chosen on the scoring half.
    """

    kept: Best = field(default_factory=Best)
    other: Best = field(default_factory=Best)

    @property
    def complete(self) -> bool:
        """True where both halves have chosen a step."""
        return self.kept.step >= 0 and self.other.step >= 0

    @property
    def score(self) -> float:
        """Mean of the scores on the half that did not choose."""
        return 0.5 * (self.kept.eval_score + self.other.eval_score)

    @property
    def select_score(self) -> float:
        """Mean of the scores on the half that did."""
        return 0.5 * (self.kept.select_score + self.other.select_score)

    @property
    def loss(self) -> float:
        """Mean of the losses on the half that did not choose."""
        return 0.5 * (self.kept.eval_loss + self.other.eval_loss)


def empty_answers(data: TaskData) -> Answers:
    """Return the answers of a run that has not been evaluated: all of them 0, of no step."""
    labels = data.evaluation.labels.numpy()
    half = np.full(len(labels), KEPT, dtype=np.uint8)
    if not torch.equal(data.select_half, data.score_half):
        half[data.select_half.numpy()] = OTHER
    return Answers(np.zeros_like(labels), labels, half, step=-1, other_step=-1)


def updated_answers(before: Answers, predictions: Tensor, selection: Selection) -> Answers:
    """Return the answers after an evaluation: those of the steps in ``selection`` that are new, else those before.

    Args:
        before: the answers so far.
        predictions: (N,) of the present weights, which are those of the newest step in ``selection``.
        selection: the steps chosen by now.
    """
    new = np.array(before.predictions)
    for part, old, now in (
        (OTHER, before.other_step, selection.other.step),
        (KEPT, before.step, selection.kept.step),
    ):
        if now != old:
            new[before.half == part] = predictions.numpy()[before.half == part]
    return Answers(new, before.labels, before.half, selection.kept.step, selection.other.step)
