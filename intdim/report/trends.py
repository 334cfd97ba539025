"""The paper's figures 2 to 5 in a report: which are drawn, what they say in words, and their part of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from intdim.durable import read_json, write_text
from intdim.report.correlation import Correlation, correlation_rows
from intdim.report.parts import Picture, Table
from intdim.report.pictures import Figures
from intdim.report.published import claims
from intdim.report.records import SweepRecord
from intdim.report.series import KINDS, NEAR, TITLES, SweepRow, figure_rows, series_rows
from intdim.report.sheets import records_csv
from intdim.report.words import d90_cell, interval_words, status_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from intdim.report.style import Look

SENTENCES = {
    "agrees": "The measurement agrees.",
    "contradicts": "The measurement contradicts it.",
    "open": "This measurement does not decide it: the interval holds 0, or a random order often gives as much.",
}
CORRELATIONS = ("figure", "task", "points", "of them censored", "Kendall's τ [90 %]", "by chance", "the paper", "ours")
FEW_SIZES = 5
FEW_SIZES_NOTE = "So few sizes cannot decide much: see the interval."
GAP_NOTE = (
    f"The gap is the mean over the runs within a factor of {NEAR:g} of d90 (else of the nearest d measured; for an "
    "arrow, at that end of the range); the lines are one standard error."
)


@dataclass(frozen=True)
class TrendFigure:
    """One figure on the page: the paper's claim and where it is, our correlation and what it says of the claim.
    ``picture`` is None where it could not be drawn."""

    title: str
    claim: str
    place: str
    tau: str
    says: str
    picture: Picture | None
    note: str
    points: Table


@dataclass(frozen=True)
class Trends:
    """What ``trends.html.j2`` shows. ``ended`` of the ``planned`` cells of a trajectory have a verdict."""

    figures: list[TrendFigure]
    correlations: Table
    planned: int
    ended: int


def write_trends(folder: Path, out: Path, records: Sequence[SweepRecord], figures: Figures) -> Trends | None:
    """Write ``figures/d90-<kind>`` and ``correlations.csv`` where there is something to draw.

    Args:
        folder: of the report.
        out: the results folder, which may say which cells a trajectory has.
        records: the sweeps.
        figures: that the pictures are added to.

    Returns:
        The page's part about them; None where no figure is drawn.
    """
    rows = series_rows(records)
    shown = {kind: part for kind in KINDS if (part := figure_rows(rows, kind))}
    if not shown:
        return None
    taus = correlation_rows(rows, claims())
    write_text(folder / "correlations.csv", records_csv(Correlation, taus))

    made = []
    for kind, part in shown.items():
        mine = [tau for tau in taus if tau.against == kind]
        made.append(_write_figure(figures, kind, part, mine))
    planned, ended = progress(out, records)
    return Trends(made, _correlations(taus), planned, ended)


def tau_lines(taus: Sequence[Correlation]) -> list[str]:
    """Return the correlations of one figure in words, the last (of all groups together) or the only one first."""
    return [f"{tau.task}: Kendall's τ {tau_words(tau)}, {tau.points} points{_by_chance(tau)}" for tau in reversed(taus)]


def tau_words(tau: Correlation) -> str:
    """Return ``−0.62 [−0.90, −0.21]``, or a dash where nothing varies."""
    if tau.tau is None:
        return "–"
    ends = "" if tau.low is None or tau.high is None else f" [{tau.low:+.2f}, {tau.high:+.2f}]"
    return _minus(f"{tau.tau:+.2f}{ends}")


def progress(out: Path, records: Sequence[SweepRecord]) -> tuple[int, int]:
    """Return how many cells the trajectories in ``out`` have, and how many of those have a verdict."""
    planned: set[tuple[str, str]] = set()
    for file in sorted((out / "pretrain").glob("*.json")):
        try:
            planned |= {(str(model), str(task)) for model, task in (read_json(file) or {})["cells"]}
        except (KeyError, TypeError, ValueError):
            continue  # a file that cannot be read changes only this count
    ended = {(record.verdict.model, record.verdict.task) for record in records}
    return len(planned), len(planned & ended)


def _write_figure(figures: Figures, kind: str, rows: Sequence[SweepRow], taus: Sequence[Correlation]) -> TrendFigure:
    stem, lines, whole = f"d90-{kind}", tau_lines(taus), taus[-1]

    def draw(width: float, look: Look) -> Figure:
        from intdim.report.scatter import draw_scatter

        return draw_scatter(kind, rows, lines, width, look)

    png = figures.add(stem, TITLES[kind], records_csv(SweepRow, rows), draw)
    says = SENTENCES[whole.says]
    words = f"{TITLES[kind]}. The paper's claim: {whole.claim}. {says}"
    return TrendFigure(
        title=TITLES[kind],
        claim=whole.claim,
        place=whole.place,
        tau=tau_words(whole),
        says=says,
        picture=None if png is None else Picture.of(png, words, stem),
        note=_note(kind, rows),
        points=_points(kind, rows),
    )


def _note(kind: str, rows: Sequence[SweepRow]) -> str:
    few = kind == "size" and len({row.size for row in rows}) < FEW_SIZES
    return GAP_NOTE if kind == "gap" else FEW_SIZES_NOTE if few else ""


def _points(kind: str, rows: Sequence[SweepRow]) -> Table:
    lines = [
        (
            row.model,
            row.task,
            _value(row, kind),
            d90_cell(row, (row.d_min, row.d_max)),
            "–" if row.censored else interval_words(row),
            status_words(row.status),
        )
        for row in rows
    ]
    quantity = "D" if kind == "size" else kind
    return Table.of(TITLES[kind], ("model", "task", quantity, "d90", "interval", "status"), lines)


def _correlations(taus: Sequence[Correlation]) -> Table:
    rows = [
        (
            TITLES[tau.against],
            tau.task,
            tau.points,
            tau.censored,
            tau_words(tau),
            "–" if tau.random is None else f"{tau.random:.3f}",
            _claim(tau),
            tau.says,
        )
        for tau in taus
    ]
    return Table.of("Rank correlations of d90", CORRELATIONS, rows)


def _claim(tau: Correlation) -> str:
    claim = f"{tau.claim} ({tau.place})"
    return f"d90 {tau.claimed}: {claim}" if tau.against in ("updates", "size") else claim


def _by_chance(tau: Correlation) -> str:
    return "" if tau.random is None else f", by chance {tau.random:.2f}"


def _value(row: SweepRow, kind: str) -> str:
    value = row.value(kind)
    assert value is not None, "the row has a place on the axis"
    return f"{value:,}" if kind in ("updates", "size") else _minus(f"{value:.3f}")


def _minus(text: str) -> str:
    """Return text with typographic minus signs."""
    return text.replace("-", "−")
