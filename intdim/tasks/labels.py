"""Labels as they stand in the data, turned into class numbers or real scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from intdim.errors import UserError
from intdim.tasks.echo import listed, quoted
from intdim.tasks.spelling import like, number

RARE = 0.01  # share of -1 among other labels below which it looks like a mark for "no label"
YAML_WORDS = ("True", "False", "None")  # what a bare yes, no, on, off, true, false or null of a YAML file becomes


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

    Numbers below 0 are classes where they mirror those above (-1, 0, 1) in both splits, or are among the names.

    Raises:
        UserError: missing, negative, mixed or unknown labels, one class, or labels that never occur in training.
    """
    for values, split in zip((train, evaluation), where, strict=True):
        _check_values(values, split)
    if not counted:
        _check_quotes((*train, *evaluation), names)
    found = [] if counted or not names else _names_of((*train, *evaluation), names)
    if found:
        sides: list[list[Any]] = [found[: len(train)], found[len(train) :]]
    else:
        sides = [_plain(values, split) for values, split in zip((train, evaluation), where, strict=True)]
    if isinstance(sides[0][0], str) != isinstance(sides[1][0], str):
        raise UserError(
            f"labels are {_sample(sides[0])} in {where[0]} but {_sample(sides[1])} in {where[1]}",
            "the same labels in both",
            "Write both splits with the same labels.",
        )
    mirrored = not names and _mirrored(sides[0], sides[1])
    for values, split in zip(sides, where, strict=True):
        _check_whole(values, split, mirrored)
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
                f"all {len(numbers)} labels of {split} are {quoted(names[numbers[0]])}",
                "at least two classes",
                "Check task.label and the data.",
            )
    seen = set(made[0].tolist())
    absent = [name for at, name in enumerate(names) if at not in seen]
    if absent:
        raise UserError(
            f"{len(names)} classes are named, but {where[0]} has no example of {listed(absent, 5)}",
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
        scores = np.array([_finite(value) for value in plain])
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
            f"a label of {split} is a {type(strange).__name__}: {quoted(str(strange))}",
            "whole numbers, words, or real numbers for a regression metric",
            "Check task.label.",
        )


def _plain(values: Sequence[Any], split: str) -> list[Any]:
    """Return all labels as words or all as numbers; digits in a text file are numbers."""
    numbers = [number(value) for value in values]
    if all(one is not None for one in numbers):
        return numbers
    if any(one is not None for one in numbers):
        word = next(row for row, one in enumerate(numbers) if one is None)
        digit = next(row for row, one in enumerate(numbers) if one is not None)
        raise UserError(
            f"labels of {split} mix numbers and words: "
            f"{quoted(values[digit])} in row {digit + 1}, {quoted(values[word])} in row {word + 1}",
            "all numbers or all words",
            "Repair those rows, or list every label in task.label_names=[...].",
        )
    return list(values)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _finite(value: int | float) -> float:
    """Return a number as float; one of hundreds of digits is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _check_quotes(values: Sequence[Any], names: tuple[str, ...]) -> None:
    """Raise ``UserError`` where names of classes are what YAML makes of bare words, and no label is one."""
    odd = [name for name in names if name in YAML_WORDS]
    if odd and not any(str(value) in YAML_WORDS for value in values):
        raise UserError(
            f"task.label_names has {' and '.join(odd)}, which is no label of the data ({_sample(values)})",
            "words in quotes: YAML reads a bare yes, no, on, off, true, false or null as something else",
            'Write the names in quotes, for example label_names: ["no", "yes"].',
        )


def _names_of(values: Sequence[Any], names: tuple[str, ...]) -> list[str]:
    """Return for each label the name that it is, or nothing at all if one of them is no name.

    A number is the name that spells the same number: 1, 1.0 and '1' are the class '1'.
    """
    numbers = {number(name): name for name in reversed(names) if number(name) is not None}
    known: dict[Any, str | None] = {}
    for value in values:
        key = (type(value), value)
        if key not in known:
            same = None if isinstance(value, bool) else numbers.get(number(value))
            known[key] = str(value) if str(value) in names else same
    found = [known[type(value), value] for value in values]
    return [name for name in found if name is not None] if None not in found else []


def _mirrored(train: list[Any], evaluation: list[Any]) -> bool:
    """Tell whether labels below 0 are classes: each stands for one above 0, in both splits, and none is rare.

    A -1 among 0, 1, 2 or in a few rows marks a hidden label, as in GLUE's test splits and in SNLI.
    """
    seen = set(train)
    if isinstance(train[0], str) or not all(isinstance(value, int) for value in seen):
        return False
    negative = {value for value in seen if value < 0}
    if set(evaluation) != seen or {-value for value in negative} != {value for value in seen if value > 0}:
        return False
    return 0 not in seen or sum(value < 0 for value in train) >= RARE * len(train)


def _check_whole(values: list[Any], split: str, mirrored: bool) -> None:
    if isinstance(values[0], str):
        return
    for row, value in enumerate(values, start=1):
        if not isinstance(value, int):
            raise UserError(
                f"the label of row {row} of {split} is {value:g}, which is no class",
                "whole numbers or words for a metric of classes",
                "For real-valued labels set task.metric=pearson or spearman.",
            )
        if value < 0 and not mirrored:
            hidden = "; -1 marks hidden labels, as in GLUE's test splits" if value == -1 else ""
            count = sum(one < 0 for one in values)
            raise UserError(
                f"{count} of {len(values)} labels of {split} are negative (row {row}: {quoted(value)}{hidden})",
                "labels from 0 upwards",
                "Choose a split with public labels (task.train_split, task.eval_split), remove those rows, "
                "or list them as classes: task.label_names=[-1,0,1].",
            )


def _numbers(values: list[Any], names: tuple[str, ...], split: str) -> np.ndarray:
    """Return class numbers of words that are names, or of numbers that count the names."""
    place = {name: at for at, name in enumerate(names)}
    known = listed(names)
    if isinstance(values[0], str):
        unknown = sorted({word for word in values if word not in place})
        if not unknown:
            return np.array([place[word] for word in values], dtype=np.int64)
        near = like(unknown[0], names)
        raise UserError(
            f"{split} has labels that are not among the {len(names)} classes: {listed(unknown, 5)}",
            f"Classes are: {known}" + (f" ({quoted(near)} differs in case, blanks or Unicode form)" if near else ""),
            "Set task.label_names=[...] to the labels of this data, or to [] to take them from the training data.",
        )
    if max(values) >= len(names):
        above = sorted({value for value in values if value >= len(names)})
        raise UserError(
            f"{split} has the label {quoted(above[0])}, but there are {len(names)} classes ({known})",
            f"whole numbers from 0 to {len(names) - 1}",
            "Set task.label_names=[...] to as many names as there are classes, or to [] to count them in the data.",
        )
    return np.array(values, dtype=np.int64)


def _unseen(unseen: list[str], where: tuple[str, str], seen: list[str]) -> UserError:
    return UserError(
        f"{where[1]} has labels that never occur in {where[0]}: {listed(unseen, 5)}",
        f"Labels seen in training: {listed(seen)}",
        "Check the splits and task.label.",
    )


def _sample(values: Sequence[Any]) -> str:
    return ", ".join(quoted(value) for value in sorted(set(values), key=lambda one: (str(type(one)), one))[:3])
