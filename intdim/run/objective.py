"""What a run optimises and how its answers are scored: loss, prediction, the untrained answer's score, labels, head.

A new kind of task is a class here or anywhere else, whose name and place go into ``spec.OBJECTIVES``, and that passes
the contract in ``tests/run/objective_contract.py``. A task's metric must score what its objective predicts.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from intdim.errors import UserError, suggest
from intdim.models.load import Head
from intdim.spec import OBJECTIVES
from intdim.tasks.labels import encode_classes, encode_scores
from intdim.tasks.metrics import majority_score


class Objective(Protocol):
    """The contract of an objective.

    Attributes:
        name: as in ``spec.OBJECTIVES``.
        predicts: what ``predict`` returns: ``classes`` (numbers from 0) or ``scores`` (real numbers). Metrics say
            which of them they score.
        label_dtype: of stored labels and of predictions.
    """

    name: str
    predicts: str
    label_dtype: torch.dtype

    def head(self, names: Sequence[str]) -> Head:
        """Return the head for the classes ``names`` (empty where there are none)."""
        ...

    def loss(self, logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """Return the loss of logits (N, outputs) for labels (N,): a scalar, or (N,) for ``reduction="none"``."""
        ...

    def predict(self, logits: Tensor) -> Tensor:
        """Return predictions (N,) of logits (N, outputs)."""
        ...

    def floor(self, metric: str, train_labels: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        """Return (score, standard error) of the best answer that does not look at the input, chosen on the training
        labels (M,) and scored on ``labels`` (N,)."""
        ...

    def encode(
        self,
        train: Sequence[Any],
        evaluation: Sequence[Any],
        names: tuple[str, ...],
        where: tuple[str, str],
        counted: bool,
    ) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """Return (train labels, evaluation labels, class names) from labels as they stand in the data.

        Args:
            train: labels of the training rows.
            evaluation: labels of the evaluation rows.
            names: of the classes in their order, where the task or the source gives them.
            where: names of the two splits, for messages.
            counted: the source numbers its classes by ``names``.

        Raises:
            UserError: the labels do not make this kind of task.
        """
        ...


class Classification:
    """One of several classes; cross-entropy; always answering the commonest class is the floor."""

    name, predicts, label_dtype = "classification", "classes", torch.int64

    def head(self, names: Sequence[str]) -> Head:
        return Head(len(names), "single_label_classification")

    def loss(self, logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        return nn.functional.cross_entropy(logits.float(), labels, reduction=reduction)

    def predict(self, logits: Tensor) -> Tensor:
        return logits.argmax(-1)

    def floor(self, metric: str, train_labels: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        return majority_score(metric, train_labels, labels)

    def encode(
        self,
        train: Sequence[Any],
        evaluation: Sequence[Any],
        names: tuple[str, ...],
        where: tuple[str, str],
        counted: bool,
    ) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        return encode_classes(train, evaluation, names, where, counted)


class Regression:
    """A real number; squared error; a constant answer is the floor (a correlation of 0)."""

    name, predicts, label_dtype = "regression", "scores", torch.float32

    def head(self, names: Sequence[str]) -> Head:
        return Head(1, "regression")

    def loss(self, logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        return nn.functional.mse_loss(logits.float().squeeze(-1), labels.float(), reduction=reduction)

    def predict(self, logits: Tensor) -> Tensor:
        return logits.float().squeeze(-1)

    def floor(self, metric: str, train_labels: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        return majority_score(metric, train_labels, labels)

    def encode(
        self,
        train: Sequence[Any],
        evaluation: Sequence[Any],
        names: tuple[str, ...],
        where: tuple[str, str],
        counted: bool,
    ) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        train_labels, eval_labels = encode_scores(train, evaluation, where)
        return train_labels, eval_labels, ()


def find_objective(name: str) -> Objective:
    """Return the objective ``name``.

    Raises:
        UserError: there is none of that name.
    """
    if name not in OBJECTIVES:
        raise UserError(f"unknown objective {name!r}", suggest(name, OBJECTIVES), "Set task.objective.")
    module, _, kind = OBJECTIVES[name].partition(":")
    return getattr(importlib.import_module(module), kind)()


def objective_for(name: str, needs: str) -> Objective:
    """Return the objective of a task: ``name``, or for ``auto`` the first one that predicts what its metric ``needs``.

    Raises:
        UserError: there is none of that name, or it predicts something else than the metric scores.
    """
    candidates = [find_objective(one) for one in (OBJECTIVES if name == "auto" else (name,))]
    found = next((one for one in candidates if one.predicts == needs), None)
    if found is None:
        raise UserError(
            f"task.objective={name} predicts {candidates[0].predicts}, the metric scores {needs}",
            "an objective that predicts what the metric scores",
            "Set task.metric, or task.objective=auto.",
        )
    return found
