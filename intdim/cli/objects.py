"""A call of ``intdim.sweep`` or ``train`` as the words of a command, objects included: they become folders first."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intdim.cli.keywords import composed, words_of
from intdim.config import runtime_request
from intdim.errors import UserError, echo
from intdim.given.folders import Given
from intdim.given.metric import Own, undisturbed
from intdim.given.rows import is_rows, read_rows
from intdim.launch import InProcess
from intdim.launch.jobs import JOBS
from intdim.ledger.store import Ledger

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class Objects:
    """What a call gives besides keys: None, or nothing, for what it does not give."""

    model: Any = None
    tokenizer: Any = None
    rows: Any = None
    metric: Own | None = None
    keys: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A call, ready to be made: its words, their configuration, and the slots, None for those of this machine."""

    words: list[str]
    made: DictConfig
    out: Path
    launcher: InProcess | None
    metric: Own | None


@contextlib.contextmanager
def asked(command: str, keys: Mapping[str, Any]) -> Iterator[Asked]:
    """Turn a call into a command within the block; where that is refused, nothing of the call stays in ``out``.

    Raises:
        UserError: the request makes no sense.
        RunFailed: the disk is full.
    """
    given = separate(keys)
    words = list(words_of(given.keys))
    made = composed(command, words)
    out = Path(runtime_request([made]).out)
    if given.model is None and given.rows is None and given.metric is None:
        yield Asked(words, made, out, None, None)
        return

    _check(given, words)
    ledger, kept = Ledger(out), Given(out)
    ledger.check()
    try:
        with ledger.disk():
            words += [*_model(given, kept), *_rows(given, words, kept)]
        if given.metric is not None:
            words.append(f"task.metric={given.metric.name}")
        made = composed(command, words)
        if given.metric is None:
            yield Asked(words, made, out, None, None)
            return
        given.metric.check_runs(out)
        with given.metric.known(), undisturbed():
            yield Asked(words, made, out, InProcess(JOBS), given.metric)
    except UserError:
        kept.take_back()
        raise


def separate(keys: Mapping[str, Any]) -> Objects:
    """Tell the objects of a call from its keys.

    Raises:
        UserError: a metric without a name, or a tokenizer without a model.
    """
    rest = dict(keys)
    found = Objects(tokenizer=rest.pop("tokenizer", None), keys=rest)
    if not isinstance(rest.get("model"), str | Mapping | os.PathLike | None):
        found.model = rest.pop("model")
    elif found.tokenizer is not None:
        raise UserError(
            "tokenizer= is given, and model= is no object",
            "tokenizer= beside a model that is an object",
            "Drop it: a model with a name, or in a folder, has its own.",
        )

    task = rest.get("task")
    if isinstance(task, Mapping) and not _is_columns(task):
        splits = {name: value for name, value in task.items() if name != "metric" and is_rows(value)}
        rest["task"] = {name: value for name, value in task.items() if name not in splits}
        found.rows = splits or None
    elif task is not None and (is_rows(task) or not _is_word(task)):
        found.rows = rest.pop("task")
    found.metric = _own(rest)
    return found


def _is_word(task: object) -> bool:
    """Tell whether a task is something to be typed: whatever else is given is said to be no rows."""
    return isinstance(task, str | os.PathLike | int | float) or (isinstance(task, list | tuple) and bool(task))


def _is_columns(task: Mapping[str, Any]) -> bool:
    """Tell whether a mapping is one table of columns: no key of a task takes a list of labels."""
    label = task.get("label")
    return label is not None and not isinstance(label, str) and hasattr(label, "__len__")


def _own(rest: dict[str, Any]) -> Own | None:
    """Take the metric out of the keys where it is a function; one that is a word becomes ``task.metric``."""
    places: list[tuple[dict[str, Any], str]] = [(rest, "metric"), (rest, "task.metric")]
    if isinstance(rest.get("task"), dict):
        places.append((rest["task"], "metric"))
    given = [(table.pop(name), table, name) for table, name in places if name in table]
    if len(given) > 1:
        raise UserError(f"the metric is given {len(given)} times", "metric= or task.metric", "Give it once.")
    for metric, table, name in given:
        if callable(metric):
            raise UserError(
                f"metric={echo(getattr(metric, '__name__', metric))} is a function without a name for its runs",
                "a name, by which runs are found again, and the function",
                'Give metric=("NAME", function); a function has no content that could be hashed.',
            )
        if isinstance(metric, list | tuple):
            return Own(*metric) if len(metric) == 2 else Own(metric, None)
        table["task.metric" if name == "metric" and table is rest else name] = metric
    return None


def _check(given: Objects, words: list[str]) -> None:
    """Raise ``UserError`` for keys beside which an object makes no sense, and for a model that no folder can hold."""
    typed = {word.partition("=")[0]: word.partition("=")[2] for word in words}
    taken = [("model", key) for key in ("model.path", "model.source", "model.reference") if given.model is not None]
    taken += [("task", key) for key in ("task.path", "task.source", "task.reference") if given.rows is not None]
    for what, key in taken:
        if key in typed:
            raise UserError(f"{what}= is an object, and {key}={echo(typed[key])} is given", "one of them", "Drop one.")
    if given.metric is not None:
        for key in ("launch", "launch.slots"):
            if typed.get(key, "1") not in ("1", "local"):
                raise UserError(
                    f"{key}={echo(typed[key])} with a metric that is a function, which stays in this process",
                    "one run at a time, in this process",
                    f"Drop {key}, or use a built-in metric.",
                )
    if given.rows is not None and not _has_evaluation(given.rows, typed):
        raise UserError(
            "task= is one table, without rows to evaluate on",
            'task={"train": rows, "validation": rows}, or a share of the rows',
            'Hold out a tenth, for example: **{"task.holdout": 0.1}.',
        )
    if given.model is not None:
        from intdim.given.models import check_model

        check_model(given.model, given.tokenizer)


def _has_evaluation(rows: Any, typed: Mapping[str, str]) -> bool:
    several = isinstance(rows, Mapping) and not _is_columns(rows)
    return several or callable(rows) or typed.get("task.holdout", "0") not in ("0", "0.0")


def _model(given: Objects, kept: Given) -> list[str]:
    """Keep the model, and return the words for it."""
    if given.model is None:
        return []
    from intdim.given.models import write_model

    folder = kept.keep("model", lambda place: write_model(given.model, given.tokenizer, place))
    return list(words_of({"model": "local", "model.path": folder}))


def _rows(given: Objects, words: list[str], kept: Given) -> list[str]:
    """Keep the rows, and return the words for them."""
    if given.rows is None:
        return []
    check = composed("sweep", ["task=local", *(word for word in words if word.startswith("task."))])
    rows = read_rows(given.rows, check.task.label or "label", check.task.train_split or "train")
    keys: dict[str, Any] = {"task": "local", "task.path": kept.keep("rows", rows.write)}
    if rows.label_names and not any(word.startswith("task.label_names=") for word in words):
        keys["task.label_names"] = list(rows.label_names)
    return list(words_of(keys))
