"""Rows that are given as objects: frames, data sets, lists of (text, label), columns, or a function that returns one.

They are written as jsonl, one file for each split, and read again like any folder of the user's own. The same values
give the same bytes, whatever they came in.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intdim.errors import UserError, echo

KINDS = "a pandas frame, a datasets.Dataset, a list of (text, label), columns of one length, or a function giving one"
PAIRS = {2: ("text", "label"), 3: ("text_a", "text_b", "label")}
DEEPEST = 50  # lists inside lists
Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Rows:
    """Splits by name, each a table of columns of one length, and the classes in their order where the data names
    them."""

    splits: dict[str, Columns]
    label_names: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write one jsonl file for each split into an empty folder."""
        for split, columns in self.splits.items():
            names = list(columns)
            with (folder / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
                for number, row in enumerate(zip(*columns.values(), strict=True), start=1):
                    line = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)
                    try:
                        file.write(line + "\n")
                    except UnicodeEncodeError:
                        where = f"row {number} of {split} holds half of a character (a lone surrogate)"
                        raise UserError(where, "text that UTF-8 can hold", "Repair that row.") from None


def is_rows(value: object) -> bool:
    """Tell whether an object can only be rows: no text, number, or list of texts."""
    if callable(value) or isinstance(value, Mapping) or hasattr(value, "columns") or hasattr(value, "column_names"):
        return True
    return isinstance(value, list | tuple) and any(not isinstance(one, str | int | float | bool) for one in value)


def read_rows(given: object, label: str, train: str = "train") -> Rows:
    """Return the rows of an object.

    Args:
        given: splits by name (a mapping, a ``DatasetDict``), or one table, which is the training split.
        label: name of the label column.
        train: name of the training split.

    Raises:
        UserError: it is no table, its columns differ in length, or a value cannot be written down.
    """
    given = _called(given, "task")
    named: dict[Any, Any] = {**given} if isinstance(given, Mapping) and _is_splits(given) else {train: given}
    tables, classes = {}, []
    for split, table in named.items():
        name = str(split)
        if not name.replace("-", "_").isidentifier():
            raise UserError(f"{echo(name)} is no name of a split", "letters, digits and _, such as train", "Rename it.")
        columns, names = _columns(_called(table, name), name, label)
        tables[name] = columns
        classes += [names] if names else []
    if any(names != classes[0] for names in classes):
        raise UserError(
            f"splits number their classes differently: {echo(list(classes[0]))} and {echo(list(classes[-1]))}",
            "the same classes in the same order in all splits",
            "Cast the label column of both to one ClassLabel.",
        )
    return Rows(tables, classes[0] if classes else ())


def _is_splits(given: Mapping[Any, Any]) -> bool:
    return bool(given) and all(is_rows(value) for value in given.values())


def _called(given: object, where: str) -> object:
    """Return what a function gives; anything else as it is."""
    if not callable(given):
        return given
    try:
        return given()
    except Exception as error:
        raise UserError(
            f"the function for {where} raised {type(error).__name__}: {echo(error)}",
            "a function without arguments that returns rows",
            "Correct it, or give the rows themselves.",
        ) from error


def _columns(table: Any, split: str, label: str) -> tuple[Columns, tuple[str, ...]]:
    """Return the columns of one split as plain values, and the names of its classes where it has them."""
    classes: tuple[str, ...] = ()
    if isinstance(table, list | tuple):
        raw = _listed(table, split)
    elif hasattr(table, "columns") and hasattr(table, "iloc"):
        raw = _framed(table, split)
    elif hasattr(table, "column_names") and hasattr(table, "with_format") and hasattr(table, "__len__"):
        plain = table.with_format(None)
        raw = {name: list(plain[name]) for name in plain.column_names}
        classes = tuple(getattr(plain.features.get(label), "names", None) or ())
    elif isinstance(table, Mapping):
        raw = {str(name): _sequence(values, str(name), split) for name, values in table.items()}
    else:
        streamed = " without a length" if hasattr(table, "__iter__") else ""
        raise UserError(f"{split} is a {type(table).__name__}{streamed}, which has no rows to hash", KINDS, "")

    lengths = {name: len(values) for name, values in raw.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{echo(name)} has {length:,}" for name, length in lengths.items())
        raise UserError(f"columns of {split} differ in length: {shown}", "one value of each for every row", "")
    if not lengths or not next(iter(lengths.values())):
        raise UserError(f"{split} has no rows", "at least a few examples", "Check how it was made.")
    columns = {name: [_plain(value, name, split) for value in values] for name, values in raw.items()}
    if classes:
        columns[label] = [_class(value, classes, split) for value in columns[label]]
    return columns, classes


def _listed(rows: Sequence[Any], split: str) -> Columns:
    """Return the columns of a list of (text, label), (text, text, label) or tables."""
    first = rows[0] if rows else ()
    if isinstance(first, Mapping):
        names = list(dict.fromkeys(str(name) for row in rows if isinstance(row, Mapping) for name in row))
        wrong = next((number for number, row in enumerate(rows, 1) if not isinstance(row, Mapping)), 0)
        if wrong:
            raise UserError(f"row {wrong} of {split} is a {type(rows[wrong - 1]).__name__}", "a table, as row 1", "")
        return {name: [row.get(name) for row in rows] for name in names}

    wide = len(first) if isinstance(first, list | tuple) else 0
    for number, row in enumerate(rows, start=1):
        length = len(row) if isinstance(row, list | tuple) else 0
        if length not in PAIRS or length != wide:
            what = f"{length} values, row 1 has {wide}" if length else f"a {type(row).__name__}"
            raise UserError(
                f"row {number} of {split} is {what}" if not length else f"row {number} of {split} has {what}",
                "(text, label) or (text, text, label), alike in every row",
                'Give lists of texts and of labels as {"text": texts, "label": labels}.',
            )
    return {name: [row[at] for row in rows] for at, name in enumerate(PAIRS.get(wide, ()))}


def _framed(frame: Any, split: str) -> Columns:
    names = [str(name) for name in frame.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{split} has the column {echo(twice)} {names.count(twice)} times", "different names", "")
    return {name: frame.iloc[:, at].astype(object).tolist() for at, name in enumerate(names)}


def _sequence(values: Any, name: str, split: str) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"the column {echo(name)} of {split} is a {type(values).__name__}", "a list of values", "")
    return list(values)


def _class(value: Any, classes: tuple[str, ...], split: str) -> str:
    if not isinstance(value, int) or not 0 <= value < len(classes):
        raise UserError(
            f"{split} has the label {echo(value)}, which is none of the {len(classes)} classes of the data set",
            f"numbers from 0 to {len(classes) - 1}; -1 often marks a hidden label",
            "Choose a split with public labels, or remove those rows.",
        )
    return classes[value]


def _plain(value: Any, column: str, split: str, deep: int = 0) -> Any:
    """Return a value as JSON can hold it: None for a missing one, dates as text."""
    if deep > DEEPEST:
        raise UserError(
            f"the column {echo(column)} of {split} holds lists more than {DEEPEST} deep, or inside themselves",
            "texts, numbers, dates, and lists or tables of these",
            f"Leave the column out, for example frame.drop(columns=[{echo(column)!r}]).",
        )
    if value is None or isinstance(value, str | bool):
        return str(value) if isinstance(value, str) else value
    item: Callable[[], Any] | None = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        value = item()
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, int | float | str):
        return value
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list | tuple) or hasattr(value, "tolist"):
        inner = value if isinstance(value, list | tuple) else value.tolist()
        return [_plain(one, column, split, deep + 1) for one in inner] if isinstance(inner, list | tuple) else inner
    if isinstance(value, Mapping):
        return {str(name): _plain(one, column, split, deep + 1) for name, one in value.items()}
    raise UserError(
        f"the column {echo(column)} of {split} holds a {type(value).__name__}, which cannot be hashed",
        "texts, numbers, dates, and lists or tables of these",
        f"Leave the column out, for example frame.drop(columns=[{echo(column)!r}]).",
    )
