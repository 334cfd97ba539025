"""The paper's figures 2 to 5 in a report: which are drawn, what they say in words, and their part of the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from intdim.durable import read_json, write_bytes, write_text
from intdim.report.correlation import COLUMNS as TAU_COLUMNS
from intdim.report.correlation import correlation_rows
from intdim.report.page import picture, table
from intdim.report.published import claims
from intdim.report.records import SweepRecord
from intdim.report.scatter import TITLES, draw_scatter
from intdim.report.series import COLUMNS, KINDS, NEAR, Rows, figure_rows, series_rows
from intdim.report.typeset import csv_text
from intdim.report.words import d90_cell

HEARD = {
    "agrees": "The measurement agrees.",
    "contradicts": "The measurement contradicts it.",
    "open": "This measurement does not decide it: the interval holds 0, or a random order often gives as much.",
}


def write_trends(
    folder: Path, out: Path, records: list[SweepRecord], widths: dict[str, float], render: Callable[..., bytes]
) -> str:
    """Write ``figures/d90-<kind>`` and ``correlations.csv`` where there is something to draw; return the page's part.

    Args:
        folder: of the report.
        out: the results folder, which may say which cells a trajectory has.
        records: the sweeps.
        widths: in inches, by what follows the name of a picture's file.
        render: makes bytes of a function that draws, and a kind of file.

    Returns:
        HTML; empty where no figure is drawn.
    """
    rows = series_rows(records)
    shown = {kind: part for kind in KINDS if (part := figure_rows(rows, kind))}
    if not shown:
        return ""
    taus = correlation_rows(rows, claims())
    write_text(folder / "correlations.csv", csv_text(taus, TAU_COLUMNS))
    parts = []
    for kind, part in shown.items():
        stem = f"d90-{kind}"
        write_text(folder / "figures" / f"{stem}.csv", csv_text(part, COLUMNS))
        mine = [row for row in taus if row["against"] == kind]
        pictures = {}
        for file, width in widths.items():
            data = render(lambda: draw_scatter(kind, part, tau_lines(mine), width), file.rpartition(".")[2])  # noqa: B023
            write_bytes(folder / "figures" / f"{stem}{file}", data)
            pictures[file] = data
        parts.append(_figure(kind, part, mine, pictures[".png"], stem))
    return _section(parts, taus, progress(out, records))


def tau_lines(taus: list[dict[str, Any]]) -> list[str]:
    """Return the correlations of one figure in words, the last (of all groups together) or the only one first."""
    return [
        f"{row['task']}: Kendall's τ {tau_words(row)}, {row['points']} points{_luck(row)}" for row in reversed(taus)
    ]


def tau_words(row: dict[str, Any]) -> str:
    """Return ``−0.62 [−0.90, −0.21]``, or a dash where nothing varies."""
    if row["tau"] is None:
        return "–"
    ends = "" if row["low"] is None else f" [{row['low']:+.2f}, {row['high']:+.2f}]"
    return f"{row['tau']:+.2f}{ends}".replace("-", "−")


def _luck(row: dict[str, Any]) -> str:
    return "" if row["random"] is None else f", by chance {row['random']:.2f}"


def progress(out: Path, records: list[SweepRecord]) -> tuple[int, int]:
    """Return how many cells the trajectories in ``out`` have, and how many of those have a verdict."""
    planned: set[tuple[str, str]] = set()
    for file in sorted((out / "pretrain").glob("*.json")):
        try:
            planned |= {(str(model), str(task)) for model, task in (read_json(file) or {})["cells"]}
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
            continue  # only a count rests on it
    ended = {(str(record.verdict["model"]), str(record.verdict["task"])) for record in records}
    return len(planned), len(planned & ended)


def _section(parts: list[str], taus: list[dict[str, Any]], cells: tuple[int, int]) -> str:
    planned, ended = cells
    head = '<section id="trends" aria-labelledby="trends-title"><h2 id="trends-title">d90, pre-training and size</h2>'
    partial = ""
    if ended < planned:
        partial = f"<p class='note'>A trajectory is half finished: {ended} of its {planned} cells have a verdict.</p>"
    rows = [
        (
            TITLES[row["against"]], row["task"], row["points"], row["censored"], tau_words(row),
            "–" if row["random"] is None else f"{row['random']:.3f}",
            f"d90 {row['claimed']}: {row['claim']} ({row['place']})" if row["against"] in ("updates", "size")
            else f"{row['claim']} ({row['place']})", row["says"],
        )
        for row in taus
    ]  # fmt: skip
    names = ("figure", "task", "points", "of them censored", "Kendall's τ [90 %]", "by chance", "the paper", "ours")
    note = (
        "<p class='note'>τ is +1 where d90 rises with the other quantity throughout, −1 where it falls. Its interval "
        "is a bootstrap over the points in which every d90 is drawn from its own interval, and scores and gaps from "
        "their standard errors; answers beyond the range tie at its end. <em>By chance</em>: "
        "the share of random orders whose τ is as far from 0, which an interval of few points cannot know. "
        "<em>Open</em>: the interval holds 0, or that share is above 0.1. The paper prints no numbers for these "
        "figures (arXiv 2012.13255).</p>"
    )
    return "\n".join([head, partial, *parts, table(names, rows, "Rank correlations of d90"), note, "</section>"])


def _figure(kind: str, rows: Rows, taus: list[dict[str, Any]], data: bytes, stem: str) -> str:
    whole = taus[-1]
    said = f"{TITLES[kind]}. The paper's claim: {whole['claim']}. {HEARD[whole['says']]}"
    extra = ""
    if kind == "gap":
        extra = (
            f"<p class='note'>The gap is the mean over the runs within a factor of {NEAR:g} of d90 (else of the "
            "nearest d measured; for an arrow, at that end of the range); the lines are one standard error.</p>"
        )
    if kind == "size" and len({row["size"] for row in rows}) < 5:
        extra = "<p class='note'>So few sizes cannot decide much: see the interval.</p>"
    lines = [(row["model"], row["task"], _value(row, kind), d90_cell(row, (row["d_min"], row["d_max"])), _ends(row),
              row["status"].replace("_", " ")) for row in rows]  # fmt: skip
    names = (
        "model",
        "task",
        {"updates": "updates", "size": "D", "score": "score", "gap": "gap"}[kind],
        "d90",
        "interval",
        "status",
    )
    return "\n".join(
        [
            f"<h3>{escape(TITLES[kind])}</h3>",
            f"<p>{escape(whole['claim'][0].upper() + whole['claim'][1:])}: so the paper ({escape(whole['place'])}). "
            f"Here Kendall's τ is {escape(tau_words(whole))}. {escape(HEARD[whole['says']])}</p>",
            picture(data, said, stem),
            extra,
            f"<details><summary>The points of this figure</summary>{table(names, lines, TITLES[kind])}</details>",
        ]
    )


def _value(row: dict[str, Any], kind: str) -> str:
    return f"{row[kind]:,}" if kind in ("updates", "size") else f"{row[kind]:.3f}".replace("-", "−")


def _ends(row: dict[str, Any]) -> str:
    if row["d90_low"] is None or row["d90_high"] is None or row["status"] in ("above_range", "below_range"):
        return "–"
    return f"{row['d90_low']:,.0f} to {row['d90_high']:,.0f}"
