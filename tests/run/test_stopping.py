"""When a run may end early: crossed, converged, and never because it scores low."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from intdim.run.stopping import Evaluation, converged, flat, stop_reason


def evaluations(scores, losses=None, train_losses=None, others=None):
    losses, train_losses, others = losses or [0.5] * len(scores), train_losses or [0.4] * len(scores), others or scores
    rows = zip(scores, losses, train_losses, others, losses, strict=True)
    return [Evaluation(10 * k, *row) for k, row in enumerate(rows, start=1)]


def test_crossed_at_the_first_evaluation_that_reaches_the_bar():
    seen = evaluations([0.5, 0.7, 0.81, 0.8])
    assert [stop_reason(seen[:k], 0, 0.81) for k in range(5)] == ["", "", "", "crossed", ""]
    assert stop_reason(seen, 0, None) == ""
    assert stop_reason(evaluations([math.nan]), 0, 0.5) == ""
    for first, second in ((0.9, 0.8), (0.8, 0.9), (0.9, math.nan), (math.nan, 0.9)):
        assert stop_reason(evaluations([first], others=[second]), 0, 0.81) == "", "each half says so of the other"


def test_a_better_score_on_either_half_is_not_converged():
    still, better = [0.8] * 4, [0.8, 0.8, 0.8, 0.81]
    assert converged(evaluations(still, others=still), 2)
    assert not converged(evaluations(still, others=better), 2)
    assert not converged(evaluations(better, others=still), 2)


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_converged_needs_the_whole_patience(patience):
    seen = evaluations([0.7, 0.8, 0.8, 0.79, 0.8])
    assert [converged(seen[:k], patience) for k in range(6)] == [k - patience >= 2 for k in range(6)]


@pytest.mark.parametrize("falling", ["select", "train"])
def test_a_loss_that_still_falls_is_not_converged(falling):
    steady, moving = [0.5] * 4, [0.5, 0.48, 0.46, 0.44]
    losses = (moving, steady) if falling == "select" else (steady, moving)
    assert not converged(evaluations([0.8] * 4, *losses), 2)
    assert converged(evaluations([0.8] * 4, steady, steady), 2)


def test_a_slow_start_is_never_pruned():
    """A run at chance whose losses still move goes on, however low it scores."""
    falling = [0.693 * 0.97**k for k in range(8)]
    assert not any(stop_reason(evaluations([0.5] * k, falling[:k], falling[:k]), 2, 0.8) for k in range(1, 9))


def test_patience_zero_never_stops():
    assert stop_reason(evaluations([0.8] * 50), 0, None) == ""


def test_flat_is_a_share_of_the_mean():
    assert flat([1.0, 1.01, 1.0])
    assert not flat([1.0, 1.03])
    assert not flat([1.0, math.nan])
    assert flat([0.0, 0.0])
    assert all(flat([scale, 1.015 * scale]) for scale, _ in pairwise([1e-3, 1.0, 1e3]))
