"""Read-only reports: what ``out`` holds as tables, figures and one page. Needs neither torch nor Hydra.

``report`` writes ``out/reports/<name>/``; ``write_curve`` puts ``curve.png`` and ``curve.pdf`` into the folder of one
sweep. Everything here can be removed and made again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from intdim import seals
from intdim.durable import write_bytes
from intdim.errors import UserError, command, echo, suggest
from intdim.ledger.commands import RUNNING
from intdim.ledger.origin import pasted
from intdim.ledger.overview import overview
from intdim.ledger.records import folders
from intdim.ledger.store import Ledger
from intdim.report.pictures import STYLES, import_matplotlib, why
from intdim.report.records import read_runs, read_sweep, read_sweeps
from intdim.report.swap import swapped_in
from intdim.seals import Damaged, warn
from intdim.spec import LAYOUT_VERSION

__all__ = ["report", "try_curve", "try_losses", "write_curve"]

LONGEST_COMMAND = 300  # characters that an error has room for
CURVES = ("curve.png", "curve.pdf")
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)


def report(
    out: Path,
    name: str = "latest",
    sweeps: list[str] | None = None,
    tell: Callable[[str], None] = warn,
    style: str = "screen",
    lengths: bool = False,
) -> Path:
    """Write ``out/reports/<name>/`` and return it: d90.csv, d90.tex, d90.parquet, points.csv, runs.csv, index.html,
    published.csv where a published d90 has a counterpart, correlations.csv where models are compared, and
    ``figures/``, where every figure (PDF and PNG at the width of a page, PDF at that of a column) is beside the CSV it
    was drawn from.

    The folder is made beside its place and swapped in whole, so that a killed report leaves the one before it.

    Args:
        out: the results folder.
        name: of the report.
        sweeps: ids (or beginnings of ids) of the sweeps to report; None for all. Chosen sweeps bring their own runs
            only; a report of everything lists every run in ``out``.
        tell: receives a line for each run or sweep that is damaged and each figure that could not be drawn: they are
            left out, and the page names them.
        style: of figures: ``screen``, or ``paper`` for print (serif, without title and status inside).
        lengths: curves show the step length of each run.

    Raises:
        UserError: no sweep has finished and is whole, a chosen sweep does not exist, ``name`` is no folder name,
            ``style`` is none, or ``out`` is of another version or cannot be written.
        RunFailed: the disk is full.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"'{echo(name)}' cannot name a report",
            "At most 100 letters, digits, '-', '_' and '.'",
            "Choose another name.",
        )
    if style not in STYLES:
        raise UserError(f"style={echo(style)} is not known", suggest(style, STYLES), "Choose one of them.")
    ledger = Ledger(out, tell)
    ledger.check()
    damaged: list[Damaged] = []
    records, unfinished = read_sweeps(out, sweeps, damaged)
    if damaged and not records:
        more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
        raise UserError(f"{damaged[0].parts[0]}{more}: nothing is left to report", *damaged[0].parts[1:])
    if not records:
        raise _nothing(out)
    named = {run.result.run_id: run for record in records for run in record.all_runs}
    runs = read_runs(out, damaged=[]) if sweeps is None else [named[run_id] for run_id in sorted(named)]

    from intdim.report.content import write_content  # brings pandas and matplotlib, which an error need not wait for

    place = out / "reports" / name
    with ledger.disk(), swapped_in(place) as folder:
        named_damage = [error.parts[0] for error in damaged]
        left_out = write_content(folder, out, records, unfinished, runs, named_damage, style, lengths)
    for error in damaged:
        tell(f"left out: {error.parts[0]}")
    for line in left_out:
        tell(f"left out, since it could not be drawn: {line}")
    return place


def _nothing(out: Path) -> UserError:
    """Return what is said of an ``out`` without a finished sweep: one that was interrupted has runs, but no folder."""
    finished, begun = len(read_runs(out, damaged=[])), len(folders(out / "runs"))
    first = f"`{command('sweep', f'out={out}')}`"
    advice, there = f"Run {first} first, or give the folder with out=DIR.", "no run either"
    if begun:
        there = f"finished runs: {finished} of {begun}"
        advice = f"If a sweep was interrupted, give the command that began it again: it resumes. If not: {first}."

    sweeps = [line for line in overview(out).sweeps if line.drivers] if begun else []
    if sweeps:
        there = f"sweeps that were begun: {len(sweeps)}; {there}"
        again, status = pasted(sweeps[-1].drivers[-1].command.origin), command("status", f"out={out}")
        known = f"`{again}`" if len(again) <= LONGEST_COMMAND else f"`{status}` says how"
        under_way = any(line.state == RUNNING for line in sweeps)
        advice = "A sweep is under way: wait for its verdict." if under_way else f"To resume the last one: {known}."
    fact = f"There is nothing to report in {out}: no sweep has finished ({there})"
    return UserError(fact, "A report needs one verdict", advice)


def write_curve(out: Path, sweep_id: str) -> list[Path]:
    """Write ``curve.png`` and ``curve.pdf`` of a finished sweep, unless they are whole and newer than its verdict.

    Returns:
        The two paths; an empty list where the sweep has no verdict.

    Raises:
        UserError: a file of the sweep or of its runs is damaged.
        RunFailed: the disk is full.
        Exception: whatever keeps matplotlib from drawing; ``try_curve`` says it in words.
    """
    folder = out / "sweeps" / sweep_id
    paths = [folder / name for name in CURVES]
    verdict = folder / "verdict.json"
    if not verdict.exists():
        return []
    written = verdict.stat().st_mtime_ns
    if all(path.exists() and path.stat().st_mtime_ns >= written for path in paths) and _as_drawn(folder):
        return paths  # so that a repeated command need not wait for matplotlib

    record = read_sweep(out, sweep_id, damaged=[])
    assert record is not None
    import_matplotlib()
    from intdim.report.curve import curve_marks
    from intdim.report.figures import draw_curve
    from intdim.report.style import SCREEN, render

    marks = curve_marks(record)
    with Ledger(out).disk():
        for path in paths:
            seals.room_for(path, out)
            write_bytes(path, render(lambda: draw_curve(record.verdict, marks, SCREEN.wide), path.suffix[1:]))
        seals.add(folder, CURVES, LAYOUT_VERSION)
    return paths


def _as_drawn(folder: Path) -> bool:
    """True where both pictures are as they were drawn, of the verdict that is there."""
    try:
        return set(CURVES) <= set(seals.check(folder, CURVES, version=LAYOUT_VERSION))
    except seals.Damaged:
        return False


def try_curve(out: Path, sweep_id: str) -> str:
    """Do as ``write_curve``; return "", or in one line why there is no curve. The verdict stands without it."""
    try:
        write_curve(out, sweep_id)
    except Exception as error:  # whatever it is, nothing was measured here
        return f"the curve of sweep {sweep_id} could not be drawn ({why(error)}); `intdim report` tries it again"
    return ""


def try_losses(out: Path) -> str:
    """Write the loss curve of a pre-training; return "", or in one line why there is none."""
    try:
        import_matplotlib()
        from intdim.report.losses import write_losses

        write_losses(out)
    except Exception as error:  # the model is there without it
        return f"the loss curve in {out} could not be drawn ({why(error)})"
    return ""
