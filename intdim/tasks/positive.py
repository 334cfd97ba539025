"""Which class a metric of one class (F1) counts as found: chosen, never taken from the alphabet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intdim.errors import UserError
from intdim.tasks.echo import listed, plain, quoted, typed
from intdim.tasks.files import usual
from intdim.tasks.metrics import Metric
from intdim.tasks.spelling import like, number

ORDERED = ({"0", "1"}, {"-1", "1"})  # of these pairs everyone takes 1 as the positive one
FEW = 10  # examples of the positive class; of fewer F1 is mostly chance


@dataclass(frozen=True)
class Chosen:
    """Class numbers of both splits with the positive class as number 1, the names in that order, its name (empty where
    the metric counts all classes alike), and what is to be said."""

    train: np.ndarray
    evaluation: np.ndarray
    names: tuple[str, ...]
    positive: str
    notes: tuple[str, ...] = ()


def choose(
    asked: str, metric: Metric, train: np.ndarray, evaluation: np.ndarray, names: tuple[str, ...], ordered: bool
) -> Chosen:
    """Return the labels as the metric needs them.

    Args:
        asked: ``task.positive``, empty where it was not given.
        metric: of the task.
        train: class numbers (M,) of the training rows.
        evaluation: class numbers (N,) of the evaluation rows.
        names: of the classes in the order of their numbers; empty for scores.
        ordered: the user or the source gave that order. The second class is then the positive one.

    Raises:
        UserError: the metric needs two classes and there are others; the classes are words in no given order, and none
            was chosen; the chosen one is no class.
    """
    wanted = _named(asked, names) if asked and names else ""
    if not metric.binary:
        notes = (f"task.positive={plain(asked)} plays no part in {metric.name}.",) if asked else ()
        return Chosen(train, evaluation, names, "", notes)
    if len(names) != 2:
        raise UserError(
            f"the metric {metric.name} is for 2 classes, the data has {len(names)}",
            "accuracy, macro_f1 or matthews for several classes",
            "Set task.metric=accuracy.",
        )
    if not wanted and not ordered and set(names) not in ORDERED:
        counts = np.bincount(train, minlength=2)
        rows = ", ".join(f"{quoted(name)} ({count:,} rows)" for name, count in zip(names, counts, strict=True))
        raise UserError(
            f"task.metric={metric.name} counts one class as found, and these have no order: {rows}",
            "one of them as the positive class",
            f"Set {typed('task.positive', names[:1], False)} or {typed('task.positive', names[1:], False)}.",
        )
    if wanted == names[0]:
        train, evaluation, names = 1 - train, 1 - evaluation, names[::-1]
    found = int((evaluation == 1).sum())
    note = (
        f"{metric.name} counts the class {quoted(names[1])} as found: {found:,} of {len(evaluation):,} evaluation rows."
    )
    return Chosen(train, evaluation, names, names[1], (note,))


def check_enough(table_labels: np.ndarray, positive: str, selection: str, where: str) -> list[str]:
    """Return a warning where the positive class (number 1) is rare among evaluation labels (N,).

    Raises:
        UserError: a half of the split would have no example of it, and every F1 there would be 0.
    """
    found, needed = int((table_labels == 1).sum()), 2 if selection == "half" else 1
    if found < needed:
        raise UserError(
            f"{where} has {found} example{'s' * (found != 1)} of the positive class {quoted(positive)}",
            f"at least {needed}" + (", one for each half" if needed == 2 else ""),
            "Raise task.max_eval, give more data, or set task.positive.",
        )
    if found >= FEW:
        return []
    return [f"Only {found} of {len(table_labels):,} evaluation rows are of the positive class {quoted(positive)}."]


def _named(asked: str, names: tuple[str, ...]) -> str:
    """Return the class that was asked for by its name or, of a number, by another spelling."""
    word = usual(asked).strip()
    same = [name for name in names if name == word] or [
        name for name in names if number(name) is not None and number(name) == number(word)
    ]
    if same:
        return same[0]
    near = like(word, names)
    advice = f"Set {typed('task.positive', [near], False)}." if near else "Set task.positive."
    if word in ("True", "False"):
        advice = 'YAML reads a bare yes, no, on or off as a truth: write it in quotes, positive: "yes".'
    raise UserError(f"task.positive={plain(asked)} is none of the classes", f"Classes are: {listed(names)}", advice)
