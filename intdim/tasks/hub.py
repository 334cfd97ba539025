"""A task from the Hugging Face hub, by way of ``datasets``; what goes wrong there is said in three lines.

Offline mode (``HF_HUB_OFFLINE``, ``HF_DATASETS_OFFLINE``) is honoured by ``datasets`` itself: a set that was fetched
before is then read from its cache. The same is done where the hub cannot be reached, which is asked once: ``datasets``
would ask for half a minute.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from intdim.errors import UserError
from intdim.tasks.files import choose_columns

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
    reference: str, config: str, columns: tuple[str, ...], label: str, train_split: str, eval_split: str
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Return (train, evaluation, class names if the set gives any) with the wanted columns, values untouched.

    No column named means all. ``reference`` is a hub id (or a folder in the hub's own layout), ``config`` the subset's
    name or "".

    Raises:
        UserError: no network and nothing cached, a misspelt or gated id, an unknown subset, split or column.
    """
    import datasets

    if not reference:
        raise UserError(
            "task.reference is empty", "the id of a hub data set, such as nyu-mll/glue", "Set task.reference."
        )
    train: Any
    evaluation: Any
    try:
        with _quiet(), _cached_only(not Path(reference).exists() and not _reachable()):
            train, evaluation = datasets.load_dataset(reference, config or None, split=[train_split, eval_split])
    except Exception as error:
        explained = _explain(error, reference, config)
        if explained is None:
            raise
        raise explained from error
    columns = choose_columns(train.column_names, columns, f"split {train_split} of {_full(reference, config)}")
    names = tuple(getattr(train.features.get(label), "names", None) or ())
    kept = list(columns) or list(train.column_names)
    choose_columns(evaluation.column_names, tuple(kept), f"split {eval_split} of {_full(reference, config)}")
    frames = [pd.DataFrame(split.select_columns(kept).to_dict(), dtype=object) for split in (train, evaluation)]
    return frames[0], frames[1], names


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
            "Set task.train_split and task.eval_split.",
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
