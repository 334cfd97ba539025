"""The comparison of a grid: one line per sweep, d90 with its interval under both thresholds, on one axis of d."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from intdim.ledger.verdict import SecondVerdict, Verdict
from intdim.report.records import SweepRecord
from intdim.report.style import CHANCE, D90, INK, STYLE, letter_size
from intdim.report.typeset import set_log_ticks, text_width, wrap
from intdim.report.words import d90_cell, interval, whole

FACTS = ("model", "task", "method", "projection", "scope", "groups")
OTHER = "#007A5A"
TITLE = "Intrinsic dimension d90 of each sweep"


@dataclass(frozen=True)
class ForestRow:
    """The answer of one sweep to one kind of threshold. ``label`` holds the facts in which the sweeps differ; sweeps
    that differ in none of them carry their id."""

    sweep_id: str
    label: str
    model: str
    task: str
    method: str
    projection: str
    scope: str
    groups: str
    threshold_kind: str
    status: str
    d90: float | None
    d90_low: float | None
    d90_high: float | None
    d_min: int
    d_max: int

    @property
    def bounds(self) -> tuple[int, int]:
        """d_min and d_max of the search."""
        return self.d_min, self.d_max


def forest_rows(records: list[SweepRecord]) -> list[ForestRow]:
    """Return what the figure shows: two rows per sweep, its own threshold first, the second one after it."""
    labels, _ = _labels(records)
    rows = []
    for record, label in zip(records, labels, strict=True):
        rows += [_row(record.verdict, label, answer) for answer in (record.verdict, record.verdict.other)]
    return rows


def _row(verdict: Verdict, label: str, answer: Verdict | SecondVerdict) -> ForestRow:
    return ForestRow(
        sweep_id=verdict.sweep_id,
        label=label,
        model=verdict.model,
        task=verdict.task,
        method=verdict.method,
        projection=verdict.projection,
        scope=verdict.scope,
        groups=verdict.groups,
        threshold_kind=answer.threshold_kind,
        status=answer.status,
        d90=answer.d90 if answer.status == "found" else None,
        d90_low=answer.d90_low,
        d90_high=answer.d90_high,
        d_min=verdict.d_min,
        d_max=verdict.d_max,
    )


def draw_forest(records: list[SweepRecord], rows: Sequence[ForestRow], width: float = 6.0) -> Figure:
    """Draw the comparison.

    Args:
        records: the sweeps, top to bottom.
        rows: from ``forest_rows`` of the same sweeps.
        width: of the figure, in inches; letters are 8 points, 7 below 4.5 inches.
    """
    with matplotlib.rc_context(STYLE):
        return _draw(_labels(records)[1], rows, width)


@dataclass(frozen=True)
class _Strip:
    """One sweep's part of the figure: its answers, the label on the left, the words on the right (one line for each
    answer: what the axis cannot show), and its height in inches."""

    rows: list[ForestRow]
    label: list[str]
    words: list[str]
    height: float


def _draw(common: str, rows: Sequence[ForestRow], width: float) -> Figure:
    size = letter_size(width)
    line = 1.35 * size / 72
    strips = _strips(rows, width, size, line)
    heading = [(text, "bold", INK) for text in _wrapped(TITLE, width, size + 1, "bold")]
    heading += [(text, "normal", CHANCE) for text in _wrapped(common, width, size)]

    left = max(text_width(text, size) for strip in strips for text in strip.label) + 0.2
    right = max(text_width(text, size) for strip in strips for text in strip.words) + 0.25
    tall = sum(strip.height for strip in strips)
    top, bottom = line * len(heading) + 0.16, 0.3 + 3.2 * line
    height = top + tall + bottom
    inches = width - left - right

    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, bottom / height, inches / width, tall / height))
    y = height - 0.06
    for text, weight, colour in heading:
        points = size + (weight == "bold")
        figure.text(0.06 / width, y / height, text, size=points, weight=weight, color=colour, va="top")
        y -= line

    axes.set_xscale("log")
    axes.set_xlim(*_range(rows))
    axes.set_ylim(tall, 0)
    _draw_strips(axes, strips, inches, line, size)
    _dress(axes, inches, size)
    title = "d90, dimensions (log scale)"
    figure.text((left + inches / 2) / width, (2.2 * line + 0.16) / height, title, size=size, ha="center")
    keys = [_key(kind, size) for kind in dict.fromkeys(row.threshold_kind for row in rows)]
    figure.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 0), ncols=1, frameon=False, fontsize=size - 0.5,
                  handletextpad=0.5, borderaxespad=0.2, labelspacing=0.3)  # fmt: skip
    return figure


def _strips(rows: Sequence[ForestRow], width: float, size: float, line: float) -> list[_Strip]:
    cells: dict[str, list[ForestRow]] = {}
    for row in rows:
        cells.setdefault(row.sweep_id, []).append(row)

    strips = []
    for cell in cells.values():
        label, words = wrap(cell[0].label, 0.36 * width, size), [_words(row) for row in cell]
        strips.append(_Strip(cell, label, words, max(len(label), len(words)) * line + 0.08))
    return strips


def _draw_strips(axes: Axes, strips: list[_Strip], inches: float, line: float, size: float) -> None:
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "size": size, "va": "center"}
    edge = 0.0
    for i, strip in enumerate(strips):
        centre = edge + strip.height / 2
        if i % 2 == 0:
            axes.axhspan(edge, edge + strip.height, color="#000000", alpha=0.04, linewidth=0, zorder=0)
        axes.text(-0.08 / inches, centre, "\n".join(strip.label), color=INK, ha="right", linespacing=1.15, **place)

        for j, row in enumerate(strip.rows):
            at = centre + (j - (len(strip.rows) - 1) / 2) * line
            _interval(axes, row, at, size)
            axes.text(1 + 0.1 / inches, at, strip.words[j], color=_colour(row), ha="left", **place)
        edge += strip.height


def _wrapped(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    return [line.removesuffix(" ·") for line in wrap(text, width - 0.14, size, weight)]


def _dress(axes: Axes, inches: float, size: float) -> None:
    set_log_ticks(axes.xaxis, axes.get_xlim(), inches, size)
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(axis="x", color="#000000", alpha=0.12, linewidth=0.5)
    axes.tick_params(labelsize=size, length=2.5, pad=2)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _range(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """Return the ends of the axis: every mark, and the ends of the searches that stopped there; a factor of 4 at
    least, so that nearly equal values look nearly equal."""
    at = [value for row in rows for value in (row.d90, row.d90_low, row.d90_high) if value]
    at += [row.d_min for row in rows if row.status == "below_range"]
    at += [row.d_max for row in rows if row.status == "above_range"]
    at = at or [end for row in rows for end in row.bounds]
    low, high = min(at) / 1.25, max(at) * 1.25
    widen = max(1.0, 4.0 / (high / low)) ** 0.5
    return low / widen, high * widen


def _interval(axes: Axes, row: ForestRow, y: float, size: float) -> None:
    ends, colour = interval(row), _colour(row)
    if ends:
        thick = 1.4 if row.status == "found" else 0.6  # an interval that is no answer is drawn thin
        axes.plot(ends, [y, y], color=colour, linewidth=thick, solid_capstyle="butt", zorder=3)

    if row.d90 is not None:
        axes.plot([row.d90], [y], **_mark(row.threshold_kind, size), linestyle="", zorder=4)
    elif row.status in ("above_range", "below_range"):
        start, sign = (row.d_max, 1) if row.status == "above_range" else (row.d_min, -1)
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=(start, y), xytext=(-12 * sign, 0), textcoords="offset points", arrowprops=arrow, zorder=3)


def _words(row: ForestRow) -> str:
    ends, text = interval(row), d90_cell(row, row.bounds)
    if row.status == "found" and ends:
        return f"{text} [{whole(ends[0])}, {whole(ends[1])}]"
    short = {"not_monotone": "– not monotone", "no_baseline": "– no baseline", "budget_spent": "– budget spent"}
    return short.get(row.status, text)


def _colour(row: ForestRow) -> str:
    return OTHER if row.threshold_kind == "above_chance" else D90


def _mark(kind: str, size: float) -> dict[str, Any]:
    colour, mark = (OTHER, "s") if kind == "above_chance" else (D90, "o")
    return {"marker": mark, "color": colour, "markersize": 0.55 * size, "markeredgewidth": 0}


def _key(kind: str, size: float) -> Line2D:
    words = {"absolute": "threshold a share of the score", "above_chance": "threshold a share of the gain over chance"}
    return Line2D([], [], **_mark(kind, size), linewidth=1.4, label=f"{words.get(kind, kind)}: d90 and interval")


def _labels(records: list[SweepRecord]) -> tuple[list[str], str]:
    """Return one label per sweep from the facts in which they differ, and the facts that they share."""
    values = {fact: [str(getattr(record.verdict, fact)) for record in records] for fact in FACTS}
    same = [fact for fact in FACTS if len(set(values[fact])) == 1]
    differ = [fact for fact in FACTS if fact not in same]
    if "method" in differ:  # groups are "none" for every other method, so they say nothing more than the method
        said = {record.verdict.groups for record in records if record.verdict.method == "said"}
        differ = [fact for fact in differ if fact != "groups" or len(said) > 1]

    words = [" · ".join(_word(fact, values[fact][i]) for fact in differ) for i in range(len(records))]
    labels = [
        f"{word} {record.sweep_id[:8]}".strip() if words.count(word) > 1 or not word else word
        for word, record in zip(words, records, strict=True)
    ]

    common = " · ".join(_word(fact, values[fact][0]) for fact in same if values[fact][0] != "none")
    return labels, common


def _word(fact: str, value: str) -> str:
    if fact == "method":
        return value.upper()
    return f"{value} {fact}" if fact in ("scope", "groups") else value
