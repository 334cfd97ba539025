"""The commands as Python functions: ``intdim.sweep``, ``train``, ``report``, and what ``out`` holds as tables.

Keys are those of the command line, in its words and with its errors; the same request has the same id and is found
again by either. Model, rows and metric may be objects: ``intdim.given`` turns them into what the keys can name.

    import intdim
    verdict = intdim.sweep(task="docstrings-kind", subspace="said", search={"max_runs": 20})
    intdim.verdicts("outputs")      # a pandas table, one row for each verdict
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intdim.cli.drawn import DrawnVerdict
from intdim.cli.keywords import composed, words_of
from intdim.cli.objects import asked
from intdim.config import Checked
from intdim.errors import UserError, echo
from intdim.ledger.origin import typed
from intdim.ledger.overview import Seen
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict

if TYPE_CHECKING:
    import pandas

logger = logging.getLogger(__name__)


def sweep(*, progress: bool = True, **keys: Any) -> Verdict:
    """Measure d90 of one cell, or find its verdict; ``intdim sweep`` as a function.

    Args:
        progress: print what the command would.
        keys: of the command line, such as ``task="mrpc"``; keys with a dot as ``search={"max_runs": 20}`` or
            ``**{"search.max_runs": 20}``; both a choice and its keys as ``search="grid", **{"search.max_runs": 20}``.
            Besides words, ``model=`` may be a model of transformers, with ``tokenizer=``; ``task=`` rows, or splits of
            rows by name (``given.rows``); ``metric=`` a pair of a name and a function of (predictions, labels), (N,)
            both, which returns a score from 0 to 1.

    Raises:
        UserError: the request makes no sense; nothing of it stays in ``out``.
        RunFailed: it could not be measured.
        Interrupted: the cell of a notebook was interrupted; given again, it goes on.
    """
    from intdim.cli.sweep import verdicts_of

    with asked("sweep", keys) as call:
        with typed(["intdim", "sweep", *call.words]):
            (verdict,) = verdicts_of([call.made], _view(call.out, progress), call.launcher)
        if call.metric is not None:
            call.metric.check_chance(call.out, verdict)
    return DrawnVerdict.of(verdict, call.out)


def train(*, progress: bool = True, **keys: Any) -> RunResult:
    """Make one run, or find it; ``intdim train`` as a function. Arguments and errors as of ``sweep``."""
    from intdim.cli.train import results_of

    with asked("train", keys) as call, typed(["intdim", "train", *call.words]):
        (result,) = results_of([call.made], lambda out: _view(out, progress), call.words, call.launcher)
    return result


def write_report(**keys: Any) -> Path:
    """Write a report and return its folder; ``intdim report`` as a function, also called ``intdim.report``.

    Raises:
        UserError: there is nothing to report, or the request makes no sense.
    """
    from intdim.cli.report import send, tracker_of
    from intdim.report import report

    made = composed("report", list(words_of(keys)))
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


def _view(out: str | Path, progress: bool) -> Any:
    from intdim.cli.view import Hushed, Lines

    return Lines(str(out)) if progress else Hushed(str(out))


def _seen(out: str | Path) -> Path:
    try:
        folder = Path(out).expanduser()
    except (TypeError, RuntimeError):  # no path; a home that nobody has
        raise UserError(f"out is {echo(repr(out))}", "a results folder, as text or a Path", "Correct it.") from None
    Seen(folder).check()
    return folder


def _log(damaged: list[Any]) -> None:
    for error in damaged:
        logger.warning("left out: %s", error.parts[0])
