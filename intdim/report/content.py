"""What the folder of a report holds: tables, figures with their numbers, and the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from intdim.durable import write_text
from intdim.report.curve import Mark, curve_marks
from intdim.report.figures import draw_curve
from intdim.report.forest import ForestRow, draw_forest, forest_rows
from intdim.report.page import page
from intdim.report.published import Comparison, comparisons
from intdim.report.records import RunRow, SweepRecord
from intdim.report.style import records_csv, write_figure
from intdim.report.tables import d90_table, latex_table, points_table, runs_table
from intdim.report.trends import write_trends


def write_content(
    folder: Path, out: Path, records: list[SweepRecord], unfinished: Sequence[str], runs: list[RunRow]
) -> None:
    """Fill the folder of a report.

    Args:
        folder: of the report.
        out: the results folder.
        records: the sweeps, in the order of tables and page.
        unfinished: ids of sweeps without a verdict.
        runs: the rows of ``runs.csv``.
    """
    _write_tables(folder, records, runs)
    compared = comparisons(records)
    if compared:
        write_text(folder / "published.csv", records_csv(Comparison, compared))

    stems = {record.sweep_id: _stem(record) for record in records}
    pictures = {record.sweep_id: _write_curve(folder, record, stems[record.sweep_id]) for record in records}
    if len(records) > 1:
        pictures["d90"] = _write_forest(folder, records)
    trends = write_trends(folder, out, records)
    write_text(folder / "index.html", page(records, unfinished, pictures, stems, compared, trends))


def _write_tables(folder: Path, records: list[SweepRecord], runs: list[RunRow]) -> None:
    d90 = d90_table(records)
    write_text(folder / "d90.csv", d90.to_csv(index=False))
    d90.to_parquet(folder / "d90.parquet", index=False)
    write_text(folder / "d90.tex", latex_table(records))
    write_text(folder / "points.csv", points_table(records).to_csv(index=False))
    write_text(folder / "runs.csv", runs_table(runs).to_csv(index=False))


def _write_curve(folder: Path, record: SweepRecord, stem: str) -> bytes:
    marks = curve_marks(record)
    numbers = records_csv(Mark, marks)
    return write_figure(folder / "figures", stem, numbers, lambda width: draw_curve(record.verdict, marks, width))


def _write_forest(folder: Path, records: list[SweepRecord]) -> bytes:
    rows = forest_rows(records)
    numbers = records_csv(ForestRow, rows)
    return write_figure(folder / "figures", "d90", numbers, lambda width: draw_forest(records, rows, width))


def _stem(record: SweepRecord) -> str:
    """Return a file name that says whose figure it is; the id makes it unique."""
    verdict = record.verdict
    words = "-".join((verdict.model, verdict.task, verdict.method, verdict.projection, verdict.scope))
    readable = re.sub(r"[^A-Za-z0-9._]+", "-", words).strip("-.")
    return f"{readable[:80]}-{record.sweep_id[:8]}"
