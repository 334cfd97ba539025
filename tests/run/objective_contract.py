"""What every objective must do. A new one is a line in the cases of ``test_objective.py`` and, for other labels,
an entry in ``EXAMPLES``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from intdim.errors import UserError
from intdim.run.objective import Objective
from intdim.tasks.metrics import METRICS


@dataclass(frozen=True)
class Example:
    """Labels as they stand in data, the names of their classes, and labels that make no task."""

    labels: list[Any]
    names: tuple[str, ...]
    refused: list[list[Any]]


EXAMPLES = {
    "classes": Example(["no", "yes", "maybe"] * 8, ("maybe", "no", "yes"), [["no"] * 9, [None, "no", "yes"]]),
    "scores": Example([0.5, 1.0, 2.25, 4.0] * 6, (), [["low", "high"] * 4, [1.0] * 9, [0.0, float("inf")]]),
}
WHERE = ("train", "validation")


class ObjectiveContract:
    """The laws; a subclass gives the fixture ``objective``."""

    @pytest.fixture
    def example(self, objective: Objective) -> Example:
        return EXAMPLES[objective.predicts]

    @pytest.fixture
    def labels(self, objective: Objective, example: Example) -> np.ndarray:
        train, _, _ = objective.encode(example.labels, example.labels, (), WHERE, False)
        return train

    @pytest.fixture
    def logits(self, objective: Objective, example: Example, labels: np.ndarray) -> torch.Tensor:
        outputs = objective.head(example.names).outputs
        rng = torch.Generator().manual_seed(0)
        return torch.randn(len(labels), outputs, generator=rng).requires_grad_()

    def stored(self, objective: Objective, labels: np.ndarray) -> torch.Tensor:
        return torch.tensor(labels, dtype=objective.label_dtype)

    def test_labels_become_numbers_and_classes_keep_their_names(self, objective, example, labels):
        assert labels.shape == (len(example.labels),)
        _, evaluation, names = objective.encode(example.labels, example.labels[:4], (), WHERE, False)
        assert names == example.names
        assert evaluation.tolist() == labels[:4].tolist()
        assert self.stored(objective, labels).tolist() == labels.tolist(), "nothing is lost when labels are stored"

    def test_labels_that_make_no_task_are_refused_in_three_lines(self, objective, example):
        for labels in example.refused:
            with pytest.raises(UserError) as caught:
                objective.encode(labels, labels, (), WHERE, False)
            assert len(str(caught.value).splitlines()) <= 3

    def test_the_mean_loss_is_the_mean_of_the_losses_and_has_a_gradient(self, objective, labels, logits):
        wanted = self.stored(objective, labels)
        loss, each = objective.loss(logits, wanted), objective.loss(logits, wanted, reduction="none")
        assert each.shape == wanted.shape
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, each.mean())
        loss.backward()
        assert logits.grad.abs().sum() > 0

    def test_half_precision_logits_have_a_float32_loss(self, objective, labels, logits):
        assert objective.loss(logits.detach().bfloat16(), self.stored(objective, labels)).dtype == torch.float32

    def test_following_the_gradient_leads_to_the_labels(self, objective, labels, logits):
        wanted = self.stored(objective, labels)
        optimiser = torch.optim.Adam([logits], lr=0.1)
        for _ in range(400):
            optimiser.zero_grad()
            objective.loss(logits, wanted).backward()
            optimiser.step()
        predictions = objective.predict(logits.detach())
        assert predictions.shape == wanted.shape
        torch.testing.assert_close(predictions.to(wanted.dtype), wanted, atol=0.05, rtol=0.0)

    def test_the_floor_is_a_score_that_perfect_answers_beat(self, objective, labels):
        fitting = [metric for metric in METRICS.values() if metric.needs == objective.predicts and not metric.binary]
        assert fitting
        for metric in fitting:
            floor, error = objective.floor(metric.name, labels, labels)
            assert metric.low <= floor < 1 == metric(labels, labels) or metric(labels, labels) == pytest.approx(1)
            assert 0 < error < 0.5
