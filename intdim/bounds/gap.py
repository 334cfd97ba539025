"""The relative generalization gap, and how it is expected to grow with d. Neither is a certificate."""

from __future__ import annotations

import math

from intdim.errors import UserError


def relative_gap(train_score: float, eval_score: float) -> float:
    """Return (train - eval) / (1 - eval): by how much the training score is too good, as a share of what was left to
    gain.

    Scores are at most 1. The gap is at most 1, negative if the evaluation split happened to be easier, and NaN if
    nothing was left to gain (an evaluation score of 1).

    Raises:
        UserError: a score is not a number or exceeds 1.
    """
    for name, score in (("train_score", train_score), ("eval_score", eval_score)):
        if not score <= 1.0 or not math.isfinite(score):
            raise UserError(
                f"{name}={score}", f"{name} must be a finite number of at most 1", "Give scores as fractions."
            )

    return (train_score - eval_score) / (1.0 - eval_score) if eval_score < 1.0 else math.nan


def trend(d: float, m: float) -> float:
    """Return sqrt(d / m) for d trained numbers and m training examples (Aghajanyan et al. 2020, section 6).

    The statement behind it leaves a constant open, and holds only for a model trained inside the subspace: a line to
    compare measured gaps with, not a bound.

    Raises:
        UserError: d is negative or m is not positive.
    """
    if not (math.isfinite(d) and math.isfinite(m) and d >= 0 and m > 0):
        raise UserError(f"d={d}, m={m}", "d must be at least 0 and m above 0, both finite", "Correct them.")
    return math.sqrt(d / m)
