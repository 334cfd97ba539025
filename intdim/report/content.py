"""What the folder of a report holds: tables, figures with their numbers, and the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from intdim.durable import write_text
from intdim.report.curve import Mark, curve_marks
from intdim.report.forest_rows import ForestRow, forest_rows
from intdim.report.latex_table import latex_table
from intdim.report.page import Content, page
from intdim.report.pictures import Figures
from intdim.report.published import Comparison, comparisons
from intdim.report.records import RunRow, SweepRecord
from intdim.report.sheets import records_csv
from intdim.report.tables import d90_table, points_table, runs_table, table_csv
from intdim.report.trends import write_trends

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from intdim.report.style import Look


def write_content(
    folder: Path,
    out: Path,
    records: list[SweepRecord],
    unfinished: Sequence[str],
    runs: list[RunRow],
    damaged: Sequence[str] = (),
    style: str = "screen",
    lengths: bool = False,
) -> list[str]:
    """Fill the folder of a report; return a line for each figure that could not be drawn.

    Args:
        folder: of the report.
        out: the results folder.
        records: the sweeps, in the order of tables and page.
        unfinished: ids of sweeps without a verdict.
        runs: the rows of ``runs.csv``.
        damaged: what is wrong with each run or sweep that is left out.
        style: how figures look, one of ``pictures.STYLES``.
        lengths: curves show the step length of each run.
    """
    _write_tables(folder, records, runs)
    compared = comparisons(records)
    if compared:
        write_text(folder / "published.csv", records_csv(Comparison, compared))

    stems = {record.sweep_id: _stem(record) for record in records}
    figures = Figures(folder / "figures", style, lengths)
    pictures = {record.sweep_id: _write_curve(figures, record, stems[record.sweep_id]) for record in records}
    if len(records) > 1:
        pictures["d90"] = _write_forest(figures, records)
    trends = write_trends(folder, out, records, figures)

    drawn = {name: png for name, png in pictures.items() if png is not None}
    content = Content(
        out=out,
        records=records,
        pictures=drawn,
        stems=stems,
        unfinished=unfinished,
        compared=compared,
        trends=trends,
        left_out=figures.left_out,
        damaged=damaged,
    )
    write_text(folder / "index.html", page(content))
    return figures.left_out


def _write_tables(folder: Path, records: list[SweepRecord], runs: list[RunRow]) -> None:
    d90 = d90_table(records)
    write_text(folder / "d90.csv", table_csv(d90))
    d90.to_parquet(folder / "d90.parquet", index=False)
    write_text(folder / "d90.tex", latex_table(records))
    write_text(folder / "points.csv", table_csv(points_table(records)))
    write_text(folder / "runs.csv", table_csv(runs_table(runs)))


def _write_curve(figures: Figures, record: SweepRecord, stem: str) -> bytes | None:
    marks = curve_marks(record)

    def draw(width: float, look: Look) -> Figure:
        from intdim.report.figures import draw_curve

        return draw_curve(record.verdict, marks, width, look)

    name = f"the curve of {record.verdict.model} on {record.verdict.task} ({record.sweep_id})"
    return figures.add(stem, name, records_csv(Mark, marks), draw)


def _write_forest(figures: Figures, records: list[SweepRecord]) -> bytes | None:
    rows = forest_rows(records)

    def draw(width: float, look: Look) -> Figure:
        from intdim.report.forest import draw_forest

        return draw_forest(records, rows, width, look)

    return figures.add("d90", "the comparison of all sweeps", records_csv(ForestRow, rows), draw)


def _stem(record: SweepRecord) -> str:
    """Return a file name that says whose figure it is; the id makes it unique."""
    verdict = record.verdict
    words = "-".join((verdict.model, verdict.task, verdict.method, verdict.projection, verdict.scope))
    readable, mark = (re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") for text in (words, record.sweep_id[:8]))
    return f"{readable[:80]}-{mark}"
