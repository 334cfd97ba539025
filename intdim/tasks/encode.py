"""The labels of a request's rows as class numbers or scores, with what was decided on the way and what is doubtful."""

from __future__ import annotations

from typing import Any

import numpy as np

from intdim.errors import UserError
from intdim.request import TaskRequest
from intdim.tasks import spelling
from intdim.tasks.echo import listed, quoted
from intdim.tasks.files import spellings, usual
from intdim.tasks.folders import Rows
from intdim.tasks.labels import LabelRule
from intdim.tasks.metrics import find_metric
from intdim.tasks.positive import Chosen, choose


def encode(request: TaskRequest, raw: Rows, label: str, objective: LabelRule) -> tuple[Chosen, list[str], list[str]]:
    """Return class numbers or scores of all rows, notes and warnings; the evaluation labels of rows that are still to
    be held out are the training labels.

    Raises:
        UserError: the labels do not make the objective's kind of task, or no task that the metric scores.
    """
    metric = find_metric(request.metric)
    frames = [frame for frame in (raw.train, raw.evaluation) if frame is not None]
    tidied = [spelling.tidy(frame[label].tolist()) for frame in frames]
    notes, blanks = [], sum(count for _, count in tidied)
    if blanks:
        notes.append(f"Blanks around {blanks:,} labels were removed.")
    names = tuple(usual(name).strip() for name in request.label_names) or raw.label_names
    if len(set(names)) < len(names):
        raise UserError(
            f"task.label_names={quoted(list(names), 80)} names a class twice",
            "a name for each class",
            "Set task.label_names.",
        )
    train, *others = [_usual(values, request.label_names) for values, _ in tidied]
    evaluation = others[0] if others else train

    if metric.needs == "classes":
        notes += spelling.check_classes(train, others[0] if others else [], names)
    where = (raw.train_split, raw.eval_split if others else raw.train_split)
    counted = bool(raw.label_names)  # a source that names its classes numbers its labels by them
    train, evaluation, names = objective.encode(train, evaluation, names, where, counted)
    if not request.label_names and any(name.startswith("-") and spelling.number(name) is not None for name in names):
        notes.append(f"Labels below 0 are classes here, as each has its like above 0: {listed(names)}.")
    warnings = _hidden_scores(train, evaluation, where) if metric.needs == "scores" else []

    ordered = bool(request.label_names or raw.label_names)
    chosen = choose(request.positive, metric, train, evaluation, names, ordered)
    return chosen, [*notes, *chosen.notes], warnings


def absent(names: tuple[str, ...], labels: tuple[np.ndarray, np.ndarray], where: tuple[str, str]) -> list[str]:
    """Return warnings for classes of which the rows that are used, with class numbers ``labels``, have no example."""
    said = []
    for numbers, split in zip(labels, where, strict=True):
        missing = [name for at, name in enumerate(names) if not (numbers == at).any()]
        if missing:
            said.append(f"{len(missing)} of {len(names)} classes have no example in {split}: {listed(missing, 5)}.")
    return said


def _hidden_scores(train: np.ndarray, evaluation: np.ndarray, where: tuple[str, str]) -> list[str]:
    """Return a warning for scores of -1 among others that are 0 or more: they mark hidden labels in GLUE."""
    said = []
    for scores, split in zip((train, evaluation), where, strict=True):
        hidden = int((scores == -1).sum())
        if hidden and (scores[scores != -1] >= 0).all():
            said.append(f"{hidden:,} labels of {split} are -1, all others at least 0: -1 often marks a hidden label.")
    return said


def _usual(labels: list[Any], names: tuple[str, ...]) -> list[Any]:
    """Return the labels with each other spelling of a class (``entailment | e``) replaced by its usual one."""
    other = {word: usual(name) for name in names for word in spellings(name)[2:]}
    return [other.get(label, label) if isinstance(label, str) else label for label in labels]
