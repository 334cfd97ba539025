"""Read-only reports: what ``out`` holds as tables, figures and one page. Needs neither torch nor Hydra.

``report`` writes ``out/reports/<name>/``; ``write_curve`` puts ``curve.png`` and ``curve.pdf`` into the folder of one
sweep. Everything here can be removed and made again.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from intdim.durable import write_bytes, write_text
from intdim.errors import UserError
from intdim.ledger.store import Ledger
from intdim.report.records import SweepRecord, read_runs, read_sweep, read_sweeps

__all__ = ["report", "write_curve"]

NARROW = 3.3  # inches, one column of a journal
WIDE = 6.0  # inches, the text width of a page


def report(out: Path, name: str = "latest", sweeps: list[str] | None = None) -> Path:
    """Write ``out/reports/<name>/`` and return it: d90.csv, d90.tex, d90.parquet, points.csv, runs.csv, index.html,
    published.csv where a published d90 has a counterpart, correlations.csv where models are compared, and
    ``figures/``, where every figure (PDF and PNG at 6 inches, PDF at 3.3) stands beside the CSV it was drawn from.

    The folder is made beside its place and swapped in whole, so that a killed report leaves the one before it.

    Args:
        out: the results folder.
        name: of the report.
        sweeps: ids (or beginnings of ids) of the sweeps to report; None for all. Chosen sweeps bring their own runs
            only; a report of everything lists every run in ``out``.

    Raises:
        UserError: no sweep has ended, a chosen sweep does not exist, ``name`` is no folder name, a file is damaged, or
            ``out`` is of another version or cannot be written.
        RunFailed: the disk is full.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise UserError(f"'{name}' cannot name a report", "Letters, digits, '-', '_' and '.'", "Choose another name.")
    ledger = Ledger(out)
    ledger.check()
    records, unfinished = read_sweeps(out, sweeps)
    if not records:
        raise UserError(
            f"There is nothing to report in {out}: no sweep has ended ({len(unfinished)} begun)",
            "A report needs one verdict",
            f"Run `intdim sweep out={out}` first, or give the folder with out=DIR.",
        )
    reports = out / "reports"
    with ledger.disk():
        reports.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(reports, name)
        fresh = Path(tempfile.mkdtemp(dir=reports, prefix=f".{name}.", suffix=".tmp"))
        try:
            _fill(fresh, out, records, unfinished, everything=sweeps is None)
            fresh.chmod(0o755)
            _swap(fresh, reports / name)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)  # after the swap this is the old report
    return reports / name


def write_curve(out: Path, sweep_id: str) -> list[Path]:
    """Write ``curve.png`` and ``curve.pdf`` of a sweep that has ended, unless they are newer than its verdict.

    Returns:
        The two paths; an empty list where the sweep has no verdict.

    Raises:
        UserError: a file of the sweep or of its runs is damaged.
        RunFailed: the disk is full.
    """
    folder = out / "sweeps" / sweep_id
    paths = [folder / "curve.png", folder / "curve.pdf"]
    verdict = folder / "verdict.json"
    if not verdict.exists():
        return []
    written = verdict.stat().st_mtime_ns
    if all(path.exists() and path.stat().st_mtime_ns >= written for path in paths):
        return paths  # so that a repeated command need not wait for matplotlib
    record = read_sweep(out, sweep_id)
    assert record is not None
    from intdim.report.curve import curve_rows
    from intdim.report.figures import draw_curve
    from intdim.report.typeset import render

    rows = curve_rows(record.verdict, record.points, record.runs, record.baseline_runs, record.range)
    with Ledger(out).disk():
        for path in paths:
            write_bytes(path, render(lambda: draw_curve(record.verdict, rows, WIDE), path.suffix[1:]))
    return paths


def _fill(folder: Path, out: Path, records: list[SweepRecord], unfinished: list[str], everything: bool) -> None:
    from intdim.report.curve import ROW_COLUMNS, curve_rows
    from intdim.report.figures import draw_curve
    from intdim.report.forest import COLUMNS, draw_forest, forest_rows
    from intdim.report.page import page
    from intdim.report.published import COLUMNS as PUBLISHED_COLUMNS
    from intdim.report.published import comparisons
    from intdim.report.tables import d90_table, latex_table, points_table, runs_table
    from intdim.report.trends import write_trends
    from intdim.report.typeset import csv_text, render

    d90 = d90_table(records)
    write_text(folder / "d90.csv", d90.to_csv(index=False))
    d90.to_parquet(folder / "d90.parquet", index=False)
    write_text(folder / "d90.tex", latex_table(records))
    write_text(folder / "points.csv", points_table(records).to_csv(index=False))
    named = {run["run_id"]: run for one in records for run in [*one.runs, *one.baseline_runs, *one.other_runs]}
    runs = read_runs(out) if everything else [named[run_id] for run_id in sorted(named)]
    write_text(folder / "runs.csv", runs_table(runs).to_csv(index=False))

    compared = comparisons(records)
    if compared:
        write_text(folder / "published.csv", csv_text(compared, PUBLISHED_COLUMNS))

    pictures: dict[str, bytes] = {}
    for record in records:
        stem = _stem(record)
        rows = curve_rows(record.verdict, record.points, record.runs, record.baseline_runs, record.range)
        write_text(folder / "figures" / f"{stem}.csv", csv_text(rows, ROW_COLUMNS))
        for file, width in ((f"{stem}.png", WIDE), (f"{stem}.pdf", WIDE), (f"{stem}-narrow.pdf", NARROW)):
            data = render(lambda: draw_curve(record.verdict, rows, width), file.rpartition(".")[2])  # noqa: B023
            write_bytes(folder / "figures" / file, data)
            if file.endswith(".png"):
                pictures[record.sweep_id] = data
    if len(records) > 1:
        rows = forest_rows(records)
        write_text(folder / "figures" / "d90.csv", csv_text(rows, COLUMNS))
        for file, width in (("d90.png", WIDE), ("d90.pdf", WIDE), ("d90-narrow.pdf", NARROW)):
            data = render(lambda: draw_forest(records, rows, width), file.rpartition(".")[2])  # noqa: B023
            write_bytes(folder / "figures" / file, data)
            if file.endswith(".png"):
                pictures["d90"] = data
    widths = {".png": WIDE, ".pdf": WIDE, "-narrow.pdf": NARROW}
    trends = write_trends(folder, out, records, widths, render)
    stems = {record.sweep_id: _stem(record) for record in records}
    write_text(folder / "index.html", page(records, unfinished, pictures, stems, compared, trends))


def _stem(record: SweepRecord) -> str:
    verdict = record.verdict
    words = [str(verdict[key]) for key in ("model", "task", "method", "projection", "scope")]
    readable = re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(words)).strip("-.")
    return f"{readable[:80]}-{record.sweep_id[:8]}"


def _remove_leftovers(reports: Path, name: str) -> None:
    """Remove what killed reports of this name left, if an hour old: a younger folder may still be in the making."""
    for path in reports.glob(f".{name}.*.tmp"):
        if time.time() - path.stat().st_mtime > 3600:
            shutil.rmtree(path, ignore_errors=True)


def _swap(fresh: Path, place: Path) -> None:
    """Exchange the two folders in one step where the system can (Linux), else by two renames; the old one, if there
    was one, then stands at ``fresh``."""
    if not place.exists():
        os.rename(fresh, place)
        return
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)
    here = -100  # AT_FDCWD: paths are relative to the working folder
    if exchange and exchange(here, os.fsencode(fresh), here, os.fsencode(place), 2) == 0:  # 2 is RENAME_EXCHANGE
        return
    aside = fresh.with_name(f"{fresh.name}.old.tmp")
    os.rename(place, aside)
    try:
        os.rename(fresh, place)
    except BaseException:
        os.rename(aside, place)
        raise
    os.rename(aside, fresh)
