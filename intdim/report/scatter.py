"""The pictures of the paper's figures 2 to 5: d90 with its interval beside updates, size, evaluation score or gap.

An answer outside the searched range is an arrow at the end of the range; an answer that the budget did not reach is a
thin interval without a mark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D

from intdim.errors import echo
from intdim.report.arrows import ARROW, draw_arrow
from intdim.report.series import TITLES, SweepRow, by_group
from intdim.report.style import CHANCE, INK, SCREEN, Look, drawing, letter_size
from intdim.report.typeset import set_log_ticks, wrap
from intdim.report.words import interval

# Okabe and Ito's colours with marks that differ as well.
LOOKS = (("#0072B2", "o"), ("#D55E00", "s"), ("#007A5A", "^"), ("#A3478A", "D"), ("#8A6D00", "v"), ("#333333", "P"))
AXES = {
    "updates": "updates of pre-training",
    "size": "weights inside the subspace, D (log scale)",
    "score": "evaluation score, full fine-tuning",
    "gap": "(train − eval) / (1 − eval) near d90",
}
KNOWN = ("updates", "size")  # these have no error and stand on the horizontal axis; d90 then stands on the vertical one


def draw_scatter(
    kind: str, rows: Sequence[SweepRow], lines: Sequence[str], width: float = 6.0, look: Look = SCREEN
) -> Figure:
    """Draw one figure.

    Args:
        kind: updates, size, score or gap.
        rows: from ``figure_rows`` of that kind.
        lines: what stands under the title: the correlations in words.
        width: of the figure, in inches; letters are 8 points, 7 below 4.5 inches.
        look: fonts, and whether title and correlations stand inside.
    """
    with drawing(look):
        return _draw(kind, rows, lines, width, look)


def _draw(kind: str, rows: Sequence[SweepRow], lines: Sequence[str], width: float, look: Look) -> Figure:
    size = letter_size(width)
    line = 1.35 * size / 72
    heading = [(text, "bold", INK) for text in wrap(TITLES[kind], width - 0.14, size + 1, "bold")]
    heading += [(text, "normal", CHANCE) for one in lines for text in wrap(one, width - 0.14, size)]
    heading = heading if look.titled else []
    groups = list(by_group(rows).values())
    keys = [_key(_words(part[0], rows), number, size) for number, part in enumerate(groups)]
    keys += _other_keys(rows, kind in KNOWN)

    columns = 2 if width >= 4.5 else 1
    top, left = line * len(heading) + 0.16, 0.7
    bottom = 0.12 + 2.4 * line + 1.3 * line * math.ceil(len(keys) / columns)
    tall = 0.5 * width
    height = top + tall + bottom
    inches = width - left - 0.2

    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, bottom / height, inches / width, tall / height))
    y = height - 0.06
    for text, weight, colour in heading:
        points = size + (weight == "bold")
        figure.text(0.06 / width, y / height, text, size=points, weight=weight, color=colour, va="top")
        y -= line

    _scales(axes, kind, rows, inches, tall, size)
    for number, part in enumerate(groups):
        _draw_group(axes, kind, part, number, size)
    _dress(axes, kind, size, look)
    figure.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 0), ncols=columns, frameon=False,
                  fontsize=size - 0.5, handletextpad=0.5, borderaxespad=0.2, labelspacing=0.3)  # fmt: skip
    return figure


def _dress(axes: Axes, kind: str, size: float, look: Look) -> None:
    axes.grid(color="#000000", alpha=0.12, linewidth=0.5)
    axes.tick_params(labelsize=size, length=2.5, pad=2)
    axes.spines[["top", "right"]].set_visible(False)
    words = ("d90, trained dimensions (log scale)" if look.titled else "d90, trained dimensions d", AXES[kind])
    axes.set_ylabel(words[kind not in KNOWN], size=size)
    axes.set_xlabel(words[kind in KNOWN], size=size)


def _scales(axes: Axes, kind: str, rows: Sequence[SweepRow], inches: float, tall: float, size: float) -> None:
    """Set both axes; they are ``inches`` wide and ``tall`` inches high."""
    at = [value for row in rows if not row.censored for value in (row.d90, row.d90_low, row.d90_high) if value]
    at += [_end(row) for row in rows if row.censored]
    room = 1.15 * ARROW / 72 / (tall if kind in KNOWN else inches) if any(row.censored for row in rows) else 0.0
    low, high = min(at) / 1.3, max(at) * 1.3
    more = (high / low) ** (room / (1 - 2 * room))
    low, high = low / more, high * more
    if kind in KNOWN:
        _log_scale(axes, "y", (low, high), tall, size)
    else:
        _log_scale(axes, "x", (low, high), inches, size)
    if kind == "size":
        sizes = [row.size for row in rows]
        _log_scale(axes, "x", (min(sizes) / 1.25, max(sizes) * 1.25), inches, size)
        return

    values = [_value(row, kind) for row in rows]
    values += [_value(row, kind) + sign * row.standard_error(kind) for row in rows for sign in (-1, 1)]
    pad = max(0.07 * (max(values) - min(values)), 1e-3)
    ends = (min(values) - pad, max(values) + pad)
    if kind == "updates":
        axes.set_xlim(*ends)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    else:
        axes.set_ylim(*ends)
        axes.yaxis.set_major_locator(MaxNLocator(6))


def _log_scale(axes: Axes, which: str, ends: tuple[float, float], length: float, size: float) -> None:
    if which == "x":
        axes.set_xscale("log")
        axes.set_xlim(*ends)
        set_log_ticks(axes.xaxis, ends, length, size)
    else:
        axes.set_yscale("log")
        axes.set_ylim(*ends)
        set_log_ticks(axes.yaxis, ends, length, size)


def _draw_group(axes: Axes, kind: str, rows: Sequence[SweepRow], number: int, size: float) -> None:
    colour, mark = LOOKS[number % len(LOOKS)]
    if kind in KNOWN:
        for line in _lines(kind, rows):
            axes.plot(*zip(*line, strict=True), color=colour, linewidth=0.8, alpha=0.5)
    for row in rows:
        _draw_sweep(axes, row, kind, colour, mark, size)


def _lines(kind: str, rows: Sequence[SweepRow]) -> list[list[tuple[float, float]]]:
    """Return the lines that lead from number to number of each series, never through an answer that is none."""
    lines = []
    for series in dict.fromkeys(row.series if kind == "updates" else "" for row in rows):
        line: list[tuple[float, float]] = []
        for row in [row for row in rows if kind == "size" or row.series == series]:
            if row.d90 is not None:
                line.append((_value(row, kind), row.d90))
                continue
            lines.append(line)
            line = []
        lines.append(line)
    return [line for line in lines if line]


def _draw_sweep(axes: Axes, row: SweepRow, kind: str, colour: str, mark: str, size: float) -> None:
    value, error, ends = _value(row, kind), row.standard_error(kind), interval(row)

    def plot(ds: Sequence[float], values: Sequence[float], **style: Any) -> None:
        axes.plot(*((values, ds) if kind in KNOWN else (ds, values)), color=colour, **style)

    if ends and not row.censored:
        thick = 1.2 if row.status == "found" else 0.6  # an interval that is no answer is drawn thin
        plot(ends, [value, value], linewidth=thick, solid_capstyle="butt", zorder=3)

    if row.d90 is not None:
        place = row.d90
        plot([place], [value], marker=mark, markersize=0.55 * size, markeredgewidth=0, linestyle="", zorder=4)
    elif row.censored:
        place = _end(row)
        _draw_arrow(axes, row, value, kind, colour)
    else:
        low, high = ends or (1.0, 1.0)
        place = math.sqrt(low * high)
    if error:
        plot([place, place], [value - error, value + error], linewidth=0.6, zorder=2)


def _draw_arrow(axes: Axes, row: SweepRow, value: float, kind: str, colour: str) -> None:
    """Draw an arrow that starts at the end of the range, where the answer lies beyond it."""
    length = ARROW if row.status == "above_range" else -ARROW
    tip = (0, length) if kind in KNOWN else (length, 0)
    start = (value, _end(row)) if kind in KNOWN else (_end(row), value)
    draw_arrow(axes, start, tip, colour)


def _end(row: SweepRow) -> int:
    """Return the end of the range that a censored answer lies beyond."""
    return row.d_max if row.status == "above_range" else row.d_min


def _value(row: SweepRow, kind: str) -> float:
    value = row.value(kind)
    assert value is not None, "the row has a place on the axis"
    return value


def _words(row: SweepRow, rows: Sequence[SweepRow]) -> str:
    """Name a group by its task and by the other facts in which the groups differ."""
    facts = zip(*(one.group[1:5] for one in rows), strict=True)
    differ = [name for name, values in zip(row.group[1:5], facts, strict=True) if len(set(values)) > 1]
    return echo(" · ".join([row.task, *map(str, differ)]))


def _key(label: str, number: int, size: float) -> Line2D:
    colour, mark = LOOKS[number % len(LOOKS)]
    return Line2D([], [], color=colour, marker=mark, markersize=0.55 * size, linewidth=1.2, label=label)


def _other_keys(rows: Sequence[SweepRow], upright: bool) -> list[Line2D]:
    """Return the keys of arrows and thin lines, where there are any; ``upright``: d90 stands on the vertical axis."""
    statuses = {row.status for row in rows}
    beyond, below = (_letter(one) for one in ("↑↓" if upright else "→←"))
    keys = []
    if "above_range" in statuses:
        keys.append(Line2D([], [], color=INK, marker=beyond, linestyle="", label="beyond the largest d of the search"))
    if "below_range" in statuses:
        words = "reached at the smallest d of the search"
        keys.append(Line2D([], [], color=INK, marker=below, linestyle="", label=words))
    if "budget_spent" in statuses:
        keys.append(Line2D([], [], color=INK, linewidth=0.6, label="thin: interval only, the runs were used up"))
    return keys


def _letter(one: str) -> Path:
    """Return the outline of a letter, its middle at the origin, as a mark of a key."""
    outline = TextPath((0, 0), one, size=10)
    low, high = outline.vertices.min(axis=0), outline.vertices.max(axis=0)
    return outline.transformed(Affine2D().translate(*(-(low + high) / 2)))
