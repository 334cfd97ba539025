"""The commands as Python functions: ``intdim.sweep``, ``train``, ``write_report``, and what ``out`` holds as tables.

Keys are those of the command line, in its words and with its errors; the same request has the same id and is found
again by either.

    import intdim
    verdict = intdim.sweep(task="docstrings-kind", subspace="said", search={"max_runs": 20})
    intdim.verdicts("outputs")      # a pandas table, one row for each verdict
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intdim.cli.compose import cells
from intdim.cli.looking import NUMBER, PLAIN
from intdim.cli.quoting import hydra_quoted
from intdim.config import Checked, runtime_request
from intdim.errors import UserError, echo
from intdim.ledger.origin import typed
from intdim.ledger.overview import Seen
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict

if TYPE_CHECKING:
    import pandas
    from omegaconf import DictConfig

logger = logging.getLogger(__name__)


def sweep(*, progress: bool = True, **keys: Any) -> Verdict:
    """Measure d90 of one cell, or find its verdict; ``intdim sweep`` as a function.

    Args:
        progress: print what the command would.
        keys: of the command line, such as ``task="mrpc"``; keys with a dot as ``search={"max_runs": 20}`` or
            ``**{"search.max_runs": 20}``; both a choice and its keys as ``search="grid", **{"search.max_runs": 20}``.

    Raises:
        UserError: the request makes no sense.
        RunFailed: it could not be measured.
        Interrupted: the cell of a notebook was interrupted; given again, it goes on.
    """
    from intdim.cli.sweep import verdicts_of

    words = list(words_of(keys))
    made = _composed("sweep", words)
    with typed(["intdim", "sweep", *words]):
        (verdict,) = verdicts_of([made], _view(made, progress))
    return verdict


def train(*, progress: bool = True, **keys: Any) -> RunResult:
    """Make one run, or find it; ``intdim train`` as a function. Arguments and errors as of ``sweep``."""
    from intdim.cli.train import results_of

    words = list(words_of(keys))
    made = _composed("train", words)
    with typed(["intdim", "train", *words]):
        (result,) = results_of([made], lambda out: _view(made, progress), words)
    return result


def write_report(**keys: Any) -> Path:
    """Write a report and return its folder; ``intdim report`` as a function.

    Raises:
        UserError: there is nothing to report, or the request makes no sense.
    """
    from intdim.cli.report import send, tracker_of
    from intdim.report import report

    made = _composed("report", list(words_of(keys)))
    check = Checked(made)
    out, name, chosen = check.out(), check.text("name"), list(check.texts("sweeps"))
    style, lengths = check.text("style"), check.switch("step_lengths")
    check.done()
    tracker = tracker_of(made)
    folder = report(out, name or "latest", chosen or None, logger.warning, style, lengths)
    send(tracker, out, chosen or None, logger.warning)
    return folder


def verdicts(out: str | Path = "outputs") -> pandas.DataFrame:
    """Return the verdicts of a results folder, one row each, with the columns of ``d90.csv``; damaged ones are logged
    and left out.

    Raises:
        UserError: it is no results folder of this version.
    """
    from intdim.report.records import read_sweeps
    from intdim.report.tables import d90_table

    damaged: list[Any] = []
    records, _ = read_sweeps(_seen(out), damaged=damaged)
    _log(damaged)
    return d90_table(records)


def runs(out: str | Path = "outputs") -> pandas.DataFrame:
    """Return the finished runs of a results folder, one row each, with the columns of ``runs.csv``; damaged ones are
    logged and left out.

    Raises:
        UserError: it is no results folder of this version.
    """
    from intdim.report.records import read_runs
    from intdim.report.tables import runs_table

    damaged: list[Any] = []
    rows = read_runs(_seen(out), damaged)
    _log(damaged)
    return runs_table(rows)


def words_of(keys: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield keys and values as the words of a command line.

    Raises:
        UserError: a value is nothing that can be typed.
    """
    for key, value in keys.items():
        if isinstance(value, Mapping) and f"{prefix}{key}" != "model.overrides":
            yield from words_of(value, f"{prefix}{key}.")
        elif isinstance(value, Mapping):
            yield from (f"{prefix}{key}.{name}={_word(key, one)}" for name, one in value.items())
        else:
            yield f"{prefix}{key}={_word(f'{prefix}{key}', value)}"


def _word(key: str, value: object) -> str:
    """Return a value as Hydra reads it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) and not NUMBER.fullmatch(value) else hydra_quoted(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_word(key, one) for one in value)}]"
    raise UserError(
        f"{echo(key)} is {echo(repr(value))}, a {type(value).__name__}",
        "text, a number, true or false, a list or a table of these",
        "Give a model or data as a folder: model.path=, task.path=.",
    )


def _composed(command: str, words: list[str]) -> DictConfig:
    """Return the configuration of one cell."""
    made: list[DictConfig] = []
    cells(command, words, lambda cfgs: made.extend(cfgs) or 0)
    (only,) = made
    return only


def _view(made: DictConfig, progress: bool) -> Any:
    from intdim.cli.view import Hushed, Lines

    out = runtime_request([made]).out
    return Lines(out) if progress else Hushed(out)


def _seen(out: str | Path) -> Path:
    folder = Path(out).expanduser()
    Seen(folder).check()
    return folder


def _log(damaged: list[Any]) -> None:
    for error in damaged:
        logger.warning("left out: %s", error.parts[0])
