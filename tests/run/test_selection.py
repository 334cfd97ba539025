"""Which step counts: each half scores what the other chose."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from intdim.run.selection import Best, Selection, empty_answers, updated_answers


def data(select: list[int], score: list[int]) -> Any:
    labels = torch.tensor([0, 1, 0, 1])
    made = SimpleNamespace(labels=labels)
    return SimpleNamespace(evaluation=made, select_half=torch.tensor(select), score_half=torch.tensor(score))


def test_the_first_of_equally_good_steps_is_chosen() -> None:
    best = Best()
    assert not best.update(1, math.nan, 0.5, 0.5)
    assert best.step == -1
    assert [best.update(*row) for row in ((2, 0.6, 0.1, 0.9), (3, 0.6, 0.9, 0.1), (4, 0.7, 0.3, 0.4))] == [1, 0, 1]
    assert (best.step, best.eval_score, best.eval_loss) == (4, 0.3, 0.4)


def test_no_half_scores_a_step_that_it_chose() -> None:
    """With pure noise the score is unbiased, that of the half that chose is not."""
    rng = np.random.default_rng(0)
    scores, selected = [], []
    for _ in range(400):
        chosen = Selection()
        for step, (first, second) in enumerate(0.5 + 0.05 * rng.standard_normal((10, 2))):
            chosen.kept.update(step, first, second, 0.0)
            chosen.other.update(step, second, first, 0.0)
        assert chosen.complete
        scores.append(chosen.score)
        selected.append(chosen.select_score)
    assert np.mean(scores) == pytest.approx(0.5, abs=4 * 0.05 / math.sqrt(2 * 400))
    assert np.mean(selected) > 0.56


def test_answers_are_those_of_the_steps_chosen() -> None:
    chosen, answers = Selection(), empty_answers(data([0, 1], [2, 3]))
    assert (answers.half.tolist(), answers.step, answers.other_step) == ([0, 0, 1, 1], -1, -1)
    for step, first, second, given in ((1, 0.5, 0.5, [1, 1, 1, 1]), (2, 0.4, 0.6, [2] * 4), (3, 0.9, 0.1, [3] * 4)):
        chosen.kept.update(step, first, second, 0.0)
        chosen.other.update(step, second, first, 0.0)
        answers = updated_answers(answers, torch.tensor(given), chosen)
    assert (answers.step, answers.other_step) == (3, 2)
    assert answers.predictions.tolist() == [2, 2, 3, 3]
    assert answers.labels.tolist() == [0, 1, 0, 1]


def test_a_split_that_chooses_and_scores_has_one_step() -> None:
    everything = data([0, 1, 2, 3], [0, 1, 2, 3])
    answers, chosen = empty_answers(everything), Selection()
    chosen.kept.update(5, 0.7, 0.7, 0.2)
    chosen.other.update(5, 0.7, 0.7, 0.2)
    answers = updated_answers(answers, torch.tensor([1, 1, 0, 1]), chosen)
    assert answers.predictions.tolist() == [1, 1, 0, 1]
    assert [rows.tolist() for rows in answers.halves] == [[True] * 4]
    assert (chosen.score, chosen.select_score, chosen.loss) == (0.7, 0.7, 0.2)
