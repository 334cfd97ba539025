"""The comparison of a grid: one line per sweep, d90 with its interval under both thresholds, on one axis of d."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from intdim.report.arrows import ARROW
from intdim.report.forest_marks import bound_of, colour_of, directions, draw_row, forest_keys, known_ends
from intdim.report.forest_rows import ForestRow, shared_facts
from intdim.report.records import SweepRecord
from intdim.report.style import CHANCE, INK, SCREEN, Look, drawing, letter_size
from intdim.report.typeset import set_log_ticks, text_width, wrap
from intdim.report.words import d90_cell, interval, known_words, whole

AXIS = ("trained dimensions d", "d90, trained dimensions (log scale)")  # without and with a title inside
TITLE = "Intrinsic dimension d90 of each sweep"


def draw_forest(
    records: list[SweepRecord], rows: Sequence[ForestRow], width: float = 6.0, look: Look = SCREEN
) -> Figure:
    """Draw the comparison.

    Args:
        records: the sweeps, top to bottom.
        rows: from ``forest_rows`` of the same sweeps.
        width: of the figure, in inches; letters are 8 points, 7 below 4.5 inches.
        look: fonts, and whether the title stands inside.
    """
    with drawing(look):
        return _draw(shared_facts(records), rows, width, look)


@dataclass(frozen=True)
class _Strip:
    """One sweep's part of the figure: its answers, the label on the left, the words on the right (one line for each
    answer: what the axis cannot show), and its height in inches."""

    rows: list[ForestRow]
    label: list[str]
    words: list[str]
    height: float


def _draw(common: str, rows: Sequence[ForestRow], width: float, look: Look) -> Figure:
    size = letter_size(width)
    line = 1.35 * size / 72
    strips = _strips(rows, width, size, line)
    heading = [(text, "bold", INK) for text in _wrapped(TITLE, width, size + 1, "bold")]
    heading += [(text, "normal", CHANCE) for text in _wrapped(common, width, size)]
    heading = heading if look.titled else []
    keys = forest_keys(rows, size)

    left = max(text_width(text, size) for strip in strips for text in strip.label) + 0.2
    right = max(text_width(text, size) for strip in strips for text in strip.words) + 0.25
    tall = sum(strip.height for strip in strips)
    top, bottom = line * len(heading) + 0.16, 0.3 + line * (1.3 + len(keys))
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
    axes.set_xlim(*_range(rows, inches))
    axes.set_ylim(tall, 0)
    _draw_strips(axes, strips, inches, line, size)
    _dress(axes, inches, size)
    figure.text((left + inches / 2) / width, (line * (len(keys) + 0.3) + 0.16) / height, AXIS[look.titled], size=size,
                ha="center")  # fmt: skip
    figure.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 0), ncols=1, frameon=False, fontsize=size - 0.5,
                  handletextpad=0.5, borderaxespad=0.2, labelspacing=0.3)  # fmt: skip
    return figure


def _strips(rows: Sequence[ForestRow], width: float, size: float, line: float) -> list[_Strip]:
    cells: dict[str, list[ForestRow]] = {}
    for row in rows:
        cells.setdefault(row.sweep_id, []).append(row)

    strips = []
    for cell in cells.values():
        label = [part.strip(" ·") for part in wrap(cell[0].label, 0.36 * width, size)]
        words = [_words(row) for row in cell]
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
            draw_row(axes, row, at, line, size)
            axes.text(1 + 0.1 / inches, at, strip.words[j], color=colour_of(row), ha="left", **place)
        edge += strip.height


def _wrapped(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    return [line.removesuffix(" ·") for line in wrap(text, width - 0.14, size, weight)]


def _dress(axes: Axes, inches: float, size: float) -> None:
    set_log_ticks(axes.xaxis, axes.get_xlim(), inches, size)
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(axis="x", color="#000000", alpha=0.12, linewidth=0.5)
    axes.tick_params(labelsize=size, length=2.5, pad=2)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _range(rows: Sequence[ForestRow], inches: float) -> tuple[float, float]:
    """Return the ends of the axis: every mark, the bounds, and room for the arrows that start at them; a factor of 4 at
    least, so that nearly equal values look nearly equal."""
    at = [value for row in rows for value in (row.d90, *known_ends(row)) if value]
    at += [bound for row in rows if (bound := bound_of(row))]
    at = at or [end for row in rows for end in row.bounds]
    low, high = min(at), max(at)
    widen = max(1.0, 2.5 / (high / low)) ** 0.5
    low, high = low / widen, high * widen

    room = min(0.35, ARROW * 1.3 / (72 * inches))  # share of the axis that an arrow takes on its side
    sides = [directions(row) for row in rows]
    below, above = (room * any(side[end] for side in sides) for end in (0, 1))
    span = math.log(high / low) / (1 - below - above)
    return low / max(math.exp(below * span), 1.25), high * max(math.exp(above * span), 1.25)


def _words(row: ForestRow) -> str:
    ends, text = interval(row), d90_cell(row, row.bounds)
    if row.status == "found" and ends:
        return f"{text} [{whole(ends[0])}, {whole(ends[1])}]"
    if row.status == "budget_spent":
        known = known_words(row)
        return "– budget spent" if known == "–" else f"– {known}"
    short = {
        "not_monotone": "– not monotone",
        "no_baseline": "– no baseline",
        "no_learning": "– no learning",
    }
    return short.get(row.status, text)
