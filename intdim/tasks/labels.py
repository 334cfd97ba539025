"""Labels as they stand in the data, turned into class numbers or real scores."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from intdim.errors import UserError

WHOLE = re.compile(r"([+-]?\d+)(\.0*)?")
LONGEST_NUMBER = 400  # characters; Python itself refuses to read 4,300 digits, and 309 are infinity
REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class LabelRule(Protocol):
    """What reading and storing a task needs to know of its objective (see ``run/objective.py``, which says more)."""

    name: str
    label_dtype: Any

    def encode(
        self,
        train: Sequence[Any],
        evaluation: Sequence[Any],
        names: tuple[str, ...],
        where: tuple[str, str],
        counted: bool,
    ) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """Return (train labels, evaluation labels, class names) from labels as they stand in the data."""
        ...

    def floor(self, metric: str, train_labels: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        """Return (score, standard error) of the best answer that does not look at the input."""
        ...


def encode_classes(
    train: Sequence[Any],
    evaluation: Sequence[Any],
    names: tuple[str, ...],
    where: tuple[str, str],
    counted: bool = False,
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return (train, evaluation, class names): class numbers as int64, 0 .. classes - 1.

    With ``names`` the labels are either all among the names or numbers that count them (always so if ``counted``);
    without, the classes are the distinct training labels in sorted order. ``where`` names the splits for messages.

    Raises:
        UserError: missing, negative, mixed or unknown labels, one class, or labels that never occur in training.
    """
    for values, split in zip((train, evaluation), where, strict=True):
        _check_values(values, split)
    named = bool(names) and not counted and all(str(value) in names for value in (*train, *evaluation))
    sides = [
        [str(value) for value in values] if named else _plain(values, split)
        for values, split in zip((train, evaluation), where, strict=True)
    ]
    if isinstance(sides[0][0], str) != isinstance(sides[1][0], str):
        raise UserError(
            f"labels are {_sample(sides[0])} in {where[0]} but {_sample(sides[1])} in {where[1]}",
            "the same labels in both",
            "Write both splits with the same labels.",
        )
    for values, split in zip(sides, where, strict=True):
        _check_whole(values, split)
    if not names:
        classes = sorted(set(sides[0]))
        unseen = sorted(set(sides[1]) - set(classes))
        if unseen:
            raise _unseen([str(one) for one in unseen], where, [str(one) for one in classes])
        names = tuple(str(one) for one in classes)
        sides = [[str(value) for value in values] for values in sides]
    made = [_numbers(values, names, split) for values, split in zip(sides, where, strict=True)]
    for numbers, split in zip(made, where, strict=True):
        if (numbers == numbers[0]).all():
            raise UserError(
                f"all {len(numbers)} labels of {split} are {names[numbers[0]]!r}",
                "at least two classes",
                "Check task.label and the data.",
            )
    seen = set(made[0].tolist())
    absent = [name for number, name in enumerate(names) if number not in seen]
    if absent:
        raise UserError(
            f"{len(names)} classes are named, but {where[0]} has no example of {', '.join(absent[:5])}",
            "an example of every class in the training data",
            "Set task.label_names=[...] to the classes of this data, or to [] to take them from it.",
        )
    return made[0], made[1], names


def encode_scores(
    train: Sequence[Any], evaluation: Sequence[Any], where: tuple[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of a regression task as float64.

    Raises:
        UserError: missing labels, words, numbers that are not finite, or the same number everywhere.
    """
    made = []
    for values, split in zip((train, evaluation), where, strict=True):
        _check_values(values, split)
        plain = _plain(values, split)
        if isinstance(plain[0], str):
            raise UserError(
                f"labels of {split} are words ({_sample(plain)}) but the metric compares real numbers",
                "numbers, or a metric for classes",
                "Set task.metric=accuracy, or check task.label.",
            )
        scores = np.asarray(plain, dtype=np.float64)
        if not np.isfinite(scores).all():
            row = int(np.flatnonzero(~np.isfinite(scores))[0]) + 1
            fact = f"the label of row {row} of {split} is {scores[row - 1]}"
            raise UserError(fact, "finite numbers", "Remove the row.")
        if (scores == scores[0]).all():
            hidden = " (-1 marks hidden labels, as in GLUE's test splits)" if scores[0] == -1 else ""
            raise UserError(
                f"all {len(scores)} labels of {split} are {scores[0]:g}{hidden}",
                "labels that differ",
                "Check task.label and the splits.",
            )
        made.append(scores)
    return made[0], made[1]


def _check_values(values: Sequence[Any], split: str) -> None:
    """Raise ``UserError`` for rows without a label and for labels that are neither words nor numbers."""
    missing = [row for row, value in enumerate(values, start=1) if _is_missing(value)]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(values)} rows of {split} have no label (first: row {missing[0]})",
            "a label in every row",
            "Remove those rows, or name the column with task.label.",
        )
    strange = next((value for value in values if not isinstance(value, (str, bool, int, float))), None)
    if strange is not None:
        raise UserError(
            f"a label of {split} is a {type(strange).__name__}: {str(strange)[:40]!r}",
            "whole numbers, words, or real numbers for a regression metric",
            "Check task.label.",
        )


def _plain(values: Sequence[Any], split: str) -> list[Any]:
    """Return all labels as words or all as numbers; digits in a text file are numbers."""
    numbers = [_number(value) for value in values]
    if all(number is not None for number in numbers):
        return numbers
    if any(number is not None for number in numbers):
        word = next(row for row, number in enumerate(numbers) if number is None)
        digit = next(row for row, number in enumerate(numbers) if number is not None)
        raise UserError(
            f"labels of {split} mix numbers and words: "
            f"{values[digit]!r} in row {digit + 1}, {values[word]!r} in row {word + 1}",
            "all numbers or all words",
            "Repair those rows, or list every label in task.label_names=[...].",
        )
    return list(values)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(value: Any) -> int | float | None:
    """Return the number that a label is or spells: whole ones as int."""
    if isinstance(value, str):
        whole = WHOLE.fullmatch(value.strip())
        if whole is not None and len(whole[1]) <= LONGEST_NUMBER:
            return int(whole[1])
        if REAL.fullmatch(value.strip()) is None:
            return None
        value = float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, bool) else value


def _check_whole(values: list[Any], split: str) -> None:
    if isinstance(values[0], str):
        return
    for row, value in enumerate(values, start=1):
        if not isinstance(value, int):
            raise UserError(
                f"the label of row {row} of {split} is {value:g}, which is no class",
                "whole numbers or words for a metric of classes",
                "For real-valued labels set task.metric=pearson or spearman.",
            )
        if value < 0:
            hidden = "; -1 marks hidden labels, as in GLUE's test splits" if value == -1 else ""
            count = sum(one < 0 for one in values)
            raise UserError(
                f"{count} of {len(values)} labels of {split} are negative (row {row}: {value}{hidden})",
                "labels from 0 upwards",
                "Choose a split with public labels: task.train_split, task.eval_split.",
            )


def _numbers(values: list[Any], names: tuple[str, ...], split: str) -> np.ndarray:
    """Return class numbers of words that are names, or of numbers that count the names."""
    place = {name: number for number, name in enumerate(names)}
    known = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    if isinstance(values[0], str):
        unknown = sorted({word for word in values if word not in place})
        if not unknown:
            return np.array([place[word] for word in values], dtype=np.int64)
        raise UserError(
            f"{split} has labels that are not among the {len(names)} classes: {', '.join(unknown[:5])}",
            f"Classes are: {known}",
            "Set task.label_names=[...] to the labels of this data, or to [] to take them from the training data.",
        )
    if max(values) >= len(names):
        above = sorted({value for value in values if value >= len(names)})
        raise UserError(
            f"{split} has the label {above[0]}, but there are {len(names)} classes ({known})",
            f"whole numbers from 0 to {len(names) - 1}",
            "Set task.label_names=[...] to as many names as there are classes, or to [] to count them in the data.",
        )
    return np.array(values, dtype=np.int64)


def _unseen(unseen: list[str], where: tuple[str, str], seen: list[str]) -> UserError:
    return UserError(
        f"{where[1]} has labels that never occur in {where[0]}: {', '.join(unseen[:5])}",
        f"Labels seen in training: {', '.join(seen[:8])}" + (", ..." if len(seen) > 8 else ""),
        "Check the splits and task.label.",
    )


def _sample(values: Sequence[Any]) -> str:
    return ", ".join(repr(value) for value in sorted(set(values))[:3])
