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
from typing import Any

import numpy as np
import pandas as pd

from intdim.errors import UserError, suggest
from intdim.request import TaskRequest as TaskRequest
from intdim.spec import derive_seed
from intdim.tasks import docstrings
from intdim.tasks.files import choose_columns, read_folder, spellings, usual
from intdim.tasks.hub import read_hub
from intdim.tasks.labels import REAL, LabelRule
from intdim.tasks.metrics import METRICS, find_metric


@dataclass(frozen=True)
class Tables:
    """A task's rows. ``train`` and ``evaluation`` hold the text columns (str) and the label column (int64 class
    numbers, or float64 scores); ``label_names`` is empty for regression; ``fingerprint`` is 16 hex digits over all
    rows (before ``max_train`` and ``max_eval`` cut them); ``text`` are the text columns that were asked for or found;
    the splits are those that were really read."""

    train: pd.DataFrame
    evaluation: pd.DataFrame
    label_names: tuple[str, ...]
    fingerprint: str
    text: tuple[str, ...]
    source: str
    train_split: str
    eval_split: str


@dataclass(frozen=True)
class _Raw:
    """Rows as they stand in the source, with the class names that the source itself gives."""

    train: pd.DataFrame
    evaluation: pd.DataFrame
    label_names: tuple[str, ...]
    train_split: str
    eval_split: str


def read(request: TaskRequest, objective: LabelRule) -> Tables:
    """Read and check a task whose labels are read as its objective says.

    Raises:
        UserError: the rows cannot be had, are damaged, or do not make a task; see the module's text.
    """
    _check_request(request)
    source = "local" if request.path else request.source
    raw = {"builtin": _builtin, "local": _local, "hub": _hub}[source](request)
    there = [str(name) for name in raw.train.columns]
    *text, _ = choose_columns(there, (*request.text, request.label), raw.train_split)
    text = tuple(text) or _find_text(raw.train, request.label)
    _check_apart(text, request.label)
    for frame, split in ((raw.train, raw.train_split), (raw.evaluation, raw.eval_split)):
        choose_columns([str(name) for name in frame.columns], (*text, request.label), split)
        _check_text(frame, text, split)
    labels = [frame[request.label].tolist() for frame in (raw.train, raw.evaluation)]
    where = (raw.train_split, raw.eval_split)
    names = tuple(usual(name) for name in request.label_names) or raw.label_names
    if len(set(names)) < len(names):
        raise UserError(
            f"task.label_names={list(names)} names a class twice", "a name for each class", "Set task.label_names."
        )
    labels = [_usual(side, request.label_names) for side in labels]
    counted = bool(raw.label_names)  # a source that names its classes numbers its labels by them
    train_labels, eval_labels, names = objective.encode(labels[0], labels[1], names, where, counted)
    if METRICS[request.metric].binary and len(names) != 2:
        raise UserError(
            f"the metric {request.metric} is for 2 classes, the data has {len(names)}",
            "accuracy, macro_f1 or matthews for several classes",
            "Set task.metric=accuracy.",
        )

    train = _table(raw.train, text, request.label, train_labels)
    evaluation = _table(raw.evaluation, text, request.label, eval_labels)
    fingerprint = _fingerprint((train, evaluation), text, request.label)
    train = _subset(train, request.max_train, "train")
    evaluation = _subset(evaluation, request.max_eval, "evaluation")
    _check_sizes(request, train, evaluation, where)
    return Tables(train, evaluation, names, fingerprint, text, source, raw.train_split, raw.eval_split)


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
        raise UserError(f"task.label={label} is also a text column", "another column", "Set task.label.")


def _builtin(request: TaskRequest) -> _Raw:
    name = request.reference or request.name
    if name not in docstrings.NAMES:
        raise UserError(f"unknown built-in task {name!r}", suggest(name, docstrings.NAMES), "Set task.reference.")
    splits = docstrings.load(name)
    for split in (request.train_split, request.eval_split):
        if split not in splits:
            raise UserError(
                f"the task {name} has no split {split!r}",
                suggest(split, splits),
                "Set task.train_split and task.eval_split.",
            )
    train, evaluation = splits[request.train_split], splits[request.eval_split]
    return _Raw(train, evaluation, docstrings.label_names(name), request.train_split, request.eval_split)


def _local(request: TaskRequest) -> _Raw:
    if not request.path:
        raise UserError("task.path is empty", "a folder with train.* and validation.*", "Give task.path=DIR.")
    train, evaluation, train_split, eval_split = read_folder(
        request.path, _wanted(request), request.train_split, request.eval_split
    )
    return _Raw(train, evaluation, (), train_split, eval_split)


def _hub(request: TaskRequest) -> _Raw:
    splits = usual(request.train_split), usual(request.eval_split)
    train, evaluation, names = read_hub(request.reference, request.config, _wanted(request), request.label, *splits)
    return _Raw(train, evaluation, names, *splits)


def _usual(labels: list[Any], names: tuple[str, ...]) -> list[Any]:
    """Return the labels with each other spelling of a class (``entailment | e``) replaced by its usual one."""
    other = {word: usual(name) for name in names for word in spellings(name)[2:]}
    return [other.get(label, label) if isinstance(label, str) else label for label in labels]


def _wanted(request: TaskRequest) -> tuple[str, ...]:
    return (*request.text, request.label) if request.text else ()


def _find_text(frame: pd.DataFrame, label: str) -> tuple[str, ...]:
    """Return the columns other than the label that hold words: every value a string and not all of them numbers."""
    found, empty = [], []
    for name in frame.columns:
        values = [value for value in frame[name] if value is not None]
        empty += [str(name)] if not values else []
        words = bool(values) and all(isinstance(value, str) for value in values)
        if name != label and words and not all(REAL.fullmatch(value) for value in values):
            found.append(str(name))
    if len(found) not in (1, 2):
        listed = ", ".join(str(name) for name in frame.columns)
        blank = f" ({', '.join(empty)}: nothing in all {len(frame)} rows)" if empty else ""
        raise UserError(
            f"{len(found)} columns hold text{': ' if found else ''}{', '.join(found)}{blank}; which are meant?",
            f"one or two text columns. Columns there are: {listed}",
            "Name them with task.text=[...] and the label with task.label=...",
        )
    return tuple(found)


def _check_text(frame: pd.DataFrame, text: tuple[str, ...], split: str) -> None:
    count = len(frame)
    if not count:
        raise UserError(f"the split {split} has no rows", "at least a few examples", "Check the data.")
    blank = np.ones(count, dtype=bool)
    for name in text:
        values = frame[name].tolist()
        absent = [row for row, value in enumerate(values, start=1) if _is_null(value)]
        if len(absent) == count:
            raise UserError(
                f"the text column {name!r} of {split} is empty in all {count} rows",
                "text",
                "Name another with task.text=[...].",
            )
        if absent:
            raise UserError(
                f"the text column {name!r} of {split} is empty in {len(absent)} of {count} rows "
                f"(first: row {absent[0]})",
                "a text in every row",
                "Remove those rows, or fill them.",
            )
        for row, value in enumerate(values, start=1):
            if not isinstance(value, str):
                raise UserError(
                    f"the column {name!r} of {split} holds a {type(value).__name__} in row {row}: {str(value)[:40]}",
                    "text",
                    "Name the text columns with task.text=[...].",
                )
            if not _is_unicode(value):
                raise UserError(
                    f"the text of row {row} of {split} (column {name!r}) holds half of a surrogate pair",
                    "valid Unicode",
                    "Repair that row.",
                )
        blank &= np.array([not value.strip() for value in values])
    if blank.any():
        first = int(np.flatnonzero(blank)[0]) + 1
        raise UserError(
            f"{int(blank.sum())} of {count} rows of {split} have only blank text (first: row {first})",
            "a text in every row",
            "Remove those rows, or fill them.",
        )


def _is_null(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _is_unicode(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _table(frame: pd.DataFrame, text: tuple[str, ...], label: str, labels: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({**{name: frame[name].tolist() for name in text}, label: labels})


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


def _subset(table: pd.DataFrame, most: int, side: str) -> pd.DataFrame:
    """Return at most ``most`` rows (0: all) in their order. A smaller subset is contained in a larger one."""
    if not most or most >= len(table):
        return table
    keys = np.random.default_rng(derive_seed("subset", side, len(table))).random(len(table))
    return table.iloc[np.sort(np.argsort(keys, kind="stable")[:most])].reset_index(drop=True)


def _check_sizes(request: TaskRequest, train: pd.DataFrame, evaluation: pd.DataFrame, where: tuple[str, str]) -> None:
    least = 4 if request.selection == "half" else 2
    for table, split, needed in ((train, where[0], 2), (evaluation, where[1], least)):
        if len(table) < needed:
            halves = " (2 for each half; task.selection=same needs 2)" if needed == 4 else ""
            raise UserError(
                f"the split {split} has {len(table)} example{'s' * (len(table) != 1)}",
                f"at least {needed}{halves}",
                "Give more data, or raise task.max_train and task.max_eval.",
            )
    for table, split, key in ((train, where[0], "max_train"), (evaluation, where[1], "max_eval")):
        if len(set(table[request.label].tolist())) < 2:
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
