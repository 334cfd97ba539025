"""Where a task's rows come from: the built-in tasks, files of the user's own, or the Hugging Face hub.

``read`` gives every source the same shape and the same checks: text columns that hold text, labels as numbers, at
least a few examples of at least two classes, and a fingerprint of the content. The same rows as csv, as parquet or
from the hub are one identity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from intdim.errors import UserError, suggest
from intdim.request import TaskRequest as TaskRequest
from intdim.spec import derive_seed
from intdim.tasks import columns, docstrings, splits
from intdim.tasks.echo import plain
from intdim.tasks.encode import absent, encode
from intdim.tasks.files import choose_columns, usual
from intdim.tasks.folders import Rows, read_folder
from intdim.tasks.hub import read_hub
from intdim.tasks.labels import LabelRule
from intdim.tasks.metrics import find_metric
from intdim.tasks.positive import check_enough
from intdim.tasks.texts import check_text


@dataclass(frozen=True)
class Tables:
    """A task's rows, read and checked.

    Attributes:
        train: the text columns (str) and the label column (int64 class numbers, or float64 scores), N rows.
        evaluation: the same of the evaluation split.
        train_rows: the number that each row of ``train`` has in its source, from 1 (int64, (N,)).
        eval_rows: the same of the evaluation split; where it was held out, numbers of the training split.
        label_names: empty for regression.
        fingerprint: 16 hex digits over all rows (before ``max_train`` and ``max_eval`` cut them).
        text: the text columns that were asked for or found.
        label: the label column.
        source: ``builtin``, ``hub`` or ``local``.
        train_split: the split that was really read.
        eval_split: that of the evaluation rows, or ``splits.HELD_OUT``.
        positive: the class that the metric counts as found, which is number 1; empty where it counts all alike.
        overlap: share of the evaluation rows whose text stands in the training rows.
        notes: what was decided here, in sentences.
        warnings: what makes a number doubtful, in sentences.
    """

    train: pd.DataFrame
    evaluation: pd.DataFrame
    train_rows: np.ndarray
    eval_rows: np.ndarray
    label_names: tuple[str, ...]
    fingerprint: str
    text: tuple[str, ...]
    label: str
    source: str
    train_split: str
    eval_split: str
    positive: str
    overlap: float
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Side:
    """N rows of one split: texts and labels, the texts without differences of form (``splits.keys``), and the number
    that each row has in its source, from 1."""

    table: pd.DataFrame
    keys: list[str]
    rows: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame, text: tuple[str, ...], label: str, labels: np.ndarray) -> _Side:
        table = pd.DataFrame({**{name: frame[name].tolist() for name in text}, label: labels})
        return cls(table, splits.keys(table, text), np.arange(1, len(table) + 1))

    def take(self, at: np.ndarray) -> _Side:
        """Return the rows at the places ``at``."""
        return _Side(self.table.iloc[at].reset_index(drop=True), [self.keys[row] for row in at], self.rows[at])


def read(request: TaskRequest, objective: LabelRule) -> Tables:
    """Read and check a task whose labels are read as its objective says.

    Raises:
        UserError: the rows cannot be had, are damaged, or do not make a task; see the module's text.
    """
    _check_request(request)
    source = "local" if request.path else request.source
    raw = {"builtin": _builtin, "local": _local, "hub": _hub}[source](request)
    splits.check_names(raw.train_split, raw.eval_split)
    there = [str(name) for name in raw.train.columns]
    *asked, label = choose_columns(there, (*request.text, request.label), raw.train_split)
    text = tuple(asked) or columns.find_text(raw.train, label)
    columns.check_names((*text, label))
    _check_apart(text, label)
    for frame, split in _both(raw):
        choose_columns([str(name) for name in frame.columns], (*text, label), split)
        check_text(frame, text, split)

    chosen, notes, warnings = encode(request, raw, label, objective)
    if source != "builtin":
        warnings += columns.giving_away(raw.train, text, label)
    where = (raw.train_split, raw.eval_split)
    train = _Side.of(raw.train, text, label, chosen.train)
    if raw.evaluation is None:
        held = splits.hold_out(train.keys, chosen.train, request.holdout, bool(chosen.names))
        notes.append(splits.said_of(held, len(train.keys), raw.train_split))
        evaluation, train = train.take(held), train.take(np.setdiff1d(np.arange(len(train.keys)), held))
    else:
        evaluation = _Side.of(raw.evaluation, text, label, chosen.evaluation)
    splits.check_apart(train.keys, evaluation.keys, where)
    fingerprint = _fingerprint((train.table, evaluation.table), text, label)

    train = train.take(_subset(len(train.keys), request.max_train, "train"))
    evaluation = evaluation.take(_subset(len(evaluation.keys), request.max_eval, "evaluation"))
    _check_sizes(request, train.table, evaluation.table, where, label)
    labels = train.table[label].to_numpy(), evaluation.table[label].to_numpy()
    share, said = splits.overlap(train.keys, labels[0], evaluation.keys, labels[1])
    warnings += said + absent(chosen.names, labels, where)
    if chosen.positive:
        warnings += check_enough(labels[1], chosen.positive, request.selection, raw.eval_split)
    return Tables(
        train=train.table,
        evaluation=evaluation.table,
        train_rows=train.rows,
        eval_rows=evaluation.rows,
        label_names=chosen.names,
        fingerprint=fingerprint,
        text=text,
        label=label,
        source=source,
        train_split=raw.train_split,
        eval_split=raw.eval_split,
        positive=chosen.positive,
        overlap=share,
        notes=tuple(notes),
        warnings=tuple(warnings),
    )


def _check_request(request: TaskRequest) -> None:
    find_metric(request.metric)
    if len(request.text) > 2 or len(set(request.text)) != len(request.text):
        raise UserError(
            f"task.text={list(request.text)} names {len(request.text)} columns",
            "one text column or two different ones, or [] to find them",
            "Set task.text.",
        )
    _check_apart(request.text, request.label)
    for key, value in (("max_train", request.max_train), ("max_eval", request.max_eval)):
        if value < 0:
            raise UserError(f"task.{key}={value} is negative", "a number of examples, or 0 for all", f"Set task.{key}.")


def _check_apart(text: tuple[str, ...], label: str) -> None:
    if label in text:
        raise UserError(f"task.label={plain(label)} is also a text column", "another column", "Set task.label.")


def _builtin(request: TaskRequest) -> Rows:
    name = request.reference or request.name
    if name not in docstrings.NAMES:
        raise UserError(f"unknown built-in task {name!r}", suggest(name, docstrings.NAMES), "Set task.reference.")
    there = docstrings.load(name)
    for split in (request.train_split, request.eval_split):
        if split not in there:
            raise UserError(
                f"the task {name} has no split {split!r}",
                suggest(split, there),
                "Set task.train_split and task.eval_split.",
            )
    if request.holdout:
        fact = f"task.holdout is given, and {name} has the split {request.eval_split}"
        raise UserError(fact, "task.holdout where there is no evaluation split", "Drop task.holdout.")
    train, evaluation = there[request.train_split], there[request.eval_split]
    return Rows(train, evaluation, docstrings.label_names(name), request.train_split, request.eval_split)


def _local(request: TaskRequest) -> Rows:
    if not request.path:
        raise UserError("task.path is empty", "a folder with train.* and validation.*", "Give task.path=DIR.")
    return read_folder(
        request.path, _wanted(request), request.label, request.train_split, request.eval_split, request.holdout
    )


def _hub(request: TaskRequest) -> Rows:
    return read_hub(
        request.reference,
        request.config,
        _wanted(request),
        request.label,
        usual(request.train_split),
        usual(request.eval_split),
        request.holdout,
    )


def _both(raw: Rows) -> list[tuple[pd.DataFrame, str]]:
    """Return the tables that were read with the names of their splits."""
    evaluation = [] if raw.evaluation is None else [(raw.evaluation, raw.eval_split)]
    return [(raw.train, raw.train_split), *evaluation]


def _wanted(request: TaskRequest) -> tuple[str, ...]:
    return (*request.text, request.label) if request.text else ()


def _fingerprint(tables: Sequence[pd.DataFrame], text: tuple[str, ...], label: str) -> str:
    """Return 16 hex digits over texts, labels and their order."""
    digest = hashlib.sha256()
    for table in tables:
        digest.update(f"{len(table)} {len(text)}\n".encode())
        for name in text:
            for value in table[name].tolist():
                data = value.encode("utf-8")
                digest.update(len(data).to_bytes(8, "little"))
                digest.update(data)
        digest.update(np.ascontiguousarray(table[label].to_numpy().astype("<f8")).tobytes())
    return digest.hexdigest()[:16]


def _subset(count: int, most: int, side: str) -> np.ndarray:
    """Return at most ``most`` of ``count`` rows (0: all), ascending. A smaller subset is contained in a larger one."""
    if not most or most >= count:
        return np.arange(count)
    keys = np.random.default_rng(derive_seed("subset", side, count)).random(count)
    return np.sort(np.argsort(keys, kind="stable")[:most])


def _check_sizes(
    request: TaskRequest, train: pd.DataFrame, evaluation: pd.DataFrame, where: tuple[str, str], label: str
) -> None:
    least = 4 if request.selection == "half" else 2
    for table, split, needed in ((train, where[0], 2), (evaluation, where[1], least)):
        if len(table) < needed:
            halves = " (2 for each half; task.selection=same needs 2)" if needed == 4 else ""
            raise UserError(
                f"the split {split} has {len(table)} example{'s' * (len(table) != 1)}",
                f"at least {needed}{halves}",
                "Give more data, or raise task.max_train, task.max_eval and task.holdout.",
            )
    for table, split, key in ((train, where[0], "max_train"), (evaluation, where[1], "max_eval")):
        if len(set(table[label].tolist())) < 2:
            raise UserError(
                f"the {len(table)} examples of {split} that task.{key} leaves have one label",
                "at least two labels",
                f"Raise task.{key}.",
            )


def default_name(request: TaskRequest) -> str:
    """Return what a task is called in tables: its own name, else its folder's or the last part of its hub id."""
    if request.name:
        return request.name
    return Path(request.path).expanduser().resolve().name if request.path else request.reference.rpartition("/")[2]
