"""A task from the Hugging Face hub, by way of ``datasets``; what goes wrong there is said in three lines.

Offline mode (``HF_HUB_OFFLINE``, ``HF_DATASETS_OFFLINE``) is honoured by ``datasets`` itself: a set that was fetched
before is then read from its cache. The same is done where the hub cannot be reached, which is asked once: ``datasets``
would ask for half a minute.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from intdim.errors import UserError
from intdim.tasks.files import bare, choose_columns, regular, small_text, spellings
from intdim.tasks.folders import Rows
from intdim.tasks.splits import HELD_OUT

MOST_FILES = 100_000  # below a folder in the hub's layout
MOST_ALIASES = 20  # in the head of its README.md; ten that refer to ten others each are already ten thousand million
ALIAS = re.compile(r"(?<=[\s\[,:-])\*\w+")

# What the exceptions of datasets, huggingface_hub and httpx are called when the hub could not be reached. By name,
# because which library raises them has changed from version to version.
UNREACHABLE = {
    "ConnectionError",
    "ConnectError",
    "ConnectTimeout",
    "ReadTimeout",
    "Timeout",
    "ProxyError",
    "OfflineModeIsEnabled",
    "LocalEntryNotFoundError",
    "HfHubHTTPError",
}


def read_hub(
    reference: str,
    config: str,
    columns: tuple[str, ...],
    label: str,
    train_split: str,
    eval_split: str,
    holdout: float = 0.0,
) -> Rows:
    """Return the rows of a set with the wanted columns (all where none is named), values untouched, and the names of
    its classes if it gives any.

    ``reference`` is a hub id (or a folder in the hub's own layout), ``config`` the subset's name or "". With
    ``holdout`` there must be no evaluation split.

    Raises:
        UserError: no network and nothing cached, a misspelt or gated id, an unknown subset, split or column, or an
            evaluation split beside ``holdout``.
    """
    if not reference:
        raise UserError(
            "task.reference is empty", "the id of a hub data set, such as nyu-mll/glue", "Set task.reference."
        )
    if Path(reference).is_dir():
        _check_folder(Path(reference))
    what = _full(reference, config)
    if holdout and _has_split(reference, config, eval_split):
        raise UserError(
            f"task.holdout is given, and {what} has the split {eval_split}",
            "task.holdout where there is no evaluation split",
            "Drop task.holdout to score on that split, or name one that is not there with task.eval_split.",
        )

    wanted = [train_split] if holdout else [train_split, eval_split]
    splits = _load(reference, config, wanted)
    train = splits[0]
    there = {bare(name): name for name in train.column_names}
    chosen = choose_columns(list(there), columns, f"split {train_split} of {what}") or tuple(there)
    frames = []
    for split, name in zip(splits, wanted, strict=True):
        written = {bare(column): column for column in split.column_names}
        choose_columns(list(written), chosen, f"split {name} of {what}")
        values = split.select_columns([written[column] for column in chosen]).to_dict()
        frames.append(pd.DataFrame({column: values[written[column]] for column in chosen}, dtype=object))
    column = next((there[name] for name in spellings(label) if name in there), label)
    names = tuple(getattr(train.features.get(column), "names", None) or ())
    return Rows(frames[0], None if holdout else frames[1], names, train_split, HELD_OUT if holdout else eval_split)


def _load(reference: str, config: str, splits: list[str]) -> list[Any]:
    import datasets

    try:
        with _quiet(), _cached_only(not Path(reference).exists() and not _reachable()):
            loaded: Any = datasets.load_dataset(reference, config or None, split=splits)
    except Exception as error:
        explained = _explain(error, reference, config)
        if explained is None:
            raise
        raise explained from error
    return loaded


def _has_split(reference: str, config: str, split: str) -> bool:
    try:
        _load(reference, config, [split])
    except UserError as error:
        if not isinstance(error.__cause__, ValueError) or "Unknown split" not in str(error.__cause__):
            raise
        return False
    return True


def _check_folder(folder: Path) -> None:
    """Raise ``UserError`` for what a reader of the hub's layout would wait for, or fill the memory with: pipes and
    devices, and a README.md whose YAML refers to itself over and over."""
    for at, entry in enumerate(folder.rglob("*")):
        if at >= MOST_FILES:
            raise UserError(f"{folder} holds more than {MOST_FILES:,} files", "the files of one data set", "Check it.")
        regular(entry)
    card = folder / "README.md"
    text = small_text(card) if regular(card) else ""
    if text.startswith("---") and len(ALIAS.findall(text.partition("\n---")[0])) > MOST_ALIASES:
        raise UserError(
            f"the head of {card} has more than {MOST_ALIASES} aliases (*name)",
            "plain YAML",
            "Remove the head: the rows do not need it.",
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the hub's announcements of each retry off stderr, where an error has three lines."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _reachable() -> bool:
    """Ask the hub for anything at all; an answer of any kind will do."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except Exception:  # no name, no route, no answer in time, offline mode: the library's kinds change with its version
        return False
    return True


@contextlib.contextmanager
def _cached_only(only: bool) -> Iterator[None]:
    """Let ``datasets`` look into its cache and nowhere else, if ``only``."""
    from datasets import config

    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = before or only
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


def _full(reference: str, config: str) -> str:
    return f"{reference} ({config})" if config else reference


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in seen:
        seen.append(step)
        yield step
        step = step.__cause__ or step.__context__


def _explain(error: Exception, reference: str, config: str) -> UserError | None:
    """Say in a user's words what ``datasets`` raised, or return None where it is no mistake of the user's."""
    kinds = [{base.__name__ for base in type(one).__mro__} for one in _chain(error)]
    texts = " ".join(str(one) for one in _chain(error))
    message = str(error)
    what = _full(reference, config)
    if "GatedRepoError" in set().union(*kinds) or "gated" in texts.lower():
        return UserError(
            f"the data set {what} is gated: the hub gives it only to accounts that asked for it",
            "an account with access, or local files with task.path=DIR",
            f"Ask for access at https://huggingface.co/datasets/{reference}, then set HF_TOKEN or run `hf auth login`.",
        )
    if "DatasetNotFoundError" in kinds[0]:
        return UserError(
            f"there is no data set {reference!r} on the hub, or it is private",
            "a hub id such as nyu-mll/glue or fancyzhx/ag_news",
            "Check task.reference, or give local files with task.path=DIR.",
        )
    if any(kind & UNREACHABLE for kind in kinds) or "Couldn't find cache" in texts or "is not cached" in message:
        return UserError(
            f"the data set {what} is not in the cache and the hub cannot be reached",
            "a network, a set fetched before, or local files",
            "Run `intdim fetch` with the same task where there is a network, or give local files with task.path=DIR.",
        )
    if "Unknown split" in message:
        return UserError(
            f"the data set {what} has no such split: {_line(message)}",
            "splits of the set, joined by + where several belong together",
            "Set task.train_split and task.eval_split; without an evaluation split, task.holdout=0.1.",
        )
    if "BuilderConfig" in message or "Config name is missing" in message:
        return UserError(f"the data set {reference} has no subset {config!r}: {_line(message)}", do="Set task.config.")
    if "scripts are no longer supported" in texts:
        return UserError(
            f"the data set {what} is a program, which `datasets` no longer runs",
            "a set stored as csv, jsonl or parquet",
            "Look for a converted copy on the hub, or write the files yourself and give task.path=DIR.",
        )
    if "FileNotFoundError" in kinds[0] or "EmptyDatasetError" in kinds[0]:
        return UserError(f"no data files in {what}: {_line(message)}", do="Check task.reference, or set task.path=DIR.")
    if any(kind & {"DatasetGenerationError", "ArrowInvalid", "ParserError", "JSONDecodeError"} for kind in kinds):
        deepest = list(_chain(error))[-1]
        return UserError(
            f"the data set {what} cannot be read, a file is damaged: {_line(str(deepest))}",
            "whole files",
            "Delete it from the cache of `datasets` and run `intdim fetch` again.",
        )
    return None


def _line(message: str) -> str:
    return " ".join(message.split())[:240]
