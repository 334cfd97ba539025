"""The comparison of a grid: one line per sweep, d90 with its interval under both thresholds, on one axis of d."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from intdim.report.forest_rows import ForestRow, shared_facts
from intdim.report.records import SweepRecord
from intdim.report.style import CHANCE, D90, INK, drawing, letter_size
from intdim.report.typeset import set_log_ticks, text_width, wrap
from intdim.report.words import d90_cell, interval, whole

OTHER = "#007A5A"
TITLE = "Intrinsic dimension d90 of each sweep"


def draw_forest(records: list[SweepRecord], rows: Sequence[ForestRow], width: float = 6.0) -> Figure:
    """Draw the comparison.

    Args:
        records: the sweeps, top to bottom.
        rows: from ``forest_rows`` of the same sweeps.
        width: of the figure, in inches; letters are 8 points, 7 below 4.5 inches.
    """
    with drawing():
        return _draw(shared_facts(records), rows, width)


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
    short = {
        "not_monotone": "– not monotone",
        "no_baseline": "– no baseline",
        "no_learning": "– no learning",
        "budget_spent": "– budget spent",
    }
    return short.get(row.status, text)


def _colour(row: ForestRow) -> str:
    return OTHER if row.threshold_kind == "above_chance" else D90


def _mark(kind: str, size: float) -> dict[str, Any]:
    colour, mark = (OTHER, "s") if kind == "above_chance" else (D90, "o")
    return {"marker": mark, "color": colour, "markersize": 0.55 * size, "markeredgewidth": 0}


def _key(kind: str, size: float) -> Line2D:
    words = {"absolute": "threshold a share of the score", "above_chance": "threshold a share of the gain over chance"}
    return Line2D([], [], **_mark(kind, size), linewidth=1.4, label=f"{words.get(kind, kind)}: d90 and interval")
