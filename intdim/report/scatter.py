"""The pictures of the paper's figures 2 to 5: d90 with its interval beside updates, size, evaluation score or gap.

An answer outside the searched range is an arrow at the end of the range, an answer that the budget did not reach a thin
interval without a mark.
"""

from __future__ import annotations

import math
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from intdim.report.figures import CHANCE, INK
from intdim.report.series import Rows, group
from intdim.report.typeset import STYLE, dimension, log_ticks, wrap

# Okabe and Ito's colours with marks that differ as well.
LOOKS = (("#0072B2", "o"), ("#D55E00", "s"), ("#007A5A", "^"), ("#A3478A", "D"), ("#8A6D00", "v"), ("#333333", "P"))
TITLES = {
    "updates": "d90 along pre-training",
    "size": "d90 against the size of the model",
    "score": "Evaluation score of full fine-tuning against d90",
    "gap": "Relative generalization gap against d90",
}
AXES = {
    "updates": "updates of pre-training",
    "size": "weights inside the subspace, D (log scale)",
    "score": "evaluation score, full fine-tuning",
    "gap": "(train − eval) / (1 − eval) near d90",
}


def draw_scatter(kind: str, rows: Rows, lines: list[str], width: float = 6.0) -> Figure:
    """Draw one figure.

    Args:
        kind: updates, size, score or gap.
        rows: from ``figure_rows`` of that kind.
        lines: what stands under the title: the correlations in words.
        width: of the figure, in inches; letters are 8 points, 7 below 4.5 inches.
    """
    with matplotlib.rc_context(STYLE):
        return _draw(kind, rows, lines, width)


def _draw(kind: str, rows: Rows, lines: list[str], width: float) -> Figure:
    size = 8.0 if width >= 4.5 else 7.0
    line = 1.35 * size / 72
    heading = [(text, "bold", INK) for text in wrap(TITLES[kind], width - 0.14, size + 1, "bold")]
    heading += [(text, "normal", CHANCE) for one in lines for text in wrap(one, width - 0.14, size)]
    groups: dict[Any, Rows] = {}
    for row in rows:
        groups.setdefault(group(row), []).append(row)
    keys = [_key(_words(part[0], rows), number, size) for number, part in enumerate(groups.values())]
    keys += _other_keys(rows, size, kind in ("updates", "size"))
    columns = 2 if width >= 4.5 else 1
    top, left = line * len(heading) + 0.16, 0.7
    bottom = 0.12 + 2.4 * line + 1.3 * line * math.ceil(len(keys) / columns)
    tall = 0.5 * width
    height = top + tall + bottom
    figure = Figure(figsize=(width, height))
    inches = width - left - 0.2
    axes = figure.add_axes((left / width, bottom / height, inches / width, tall / height))
    y = height - 0.06
    for text, weight, colour in heading:
        figure.text(
            0.06 / width, y / height, text, size=size + (weight == "bold"), weight=weight, color=colour, va="top"
        )
        y -= line
    flat = kind in ("updates", "size")  # d90 stands on the vertical axis
    _scales(axes, kind, rows, flat, inches if not flat else tall, inches, size)
    for number, part in enumerate(groups.values()):
        _group(axes, kind, part, flat, number, size)
    axes.grid(color="#000000", alpha=0.12, linewidth=0.5)
    axes.tick_params(labelsize=size, length=2.5, pad=2)
    axes.spines[["top", "right"]].set_visible(False)
    words = ["d90, dimensions (log scale)", AXES[kind]]
    axes.set_ylabel(words[not flat], size=size)
    axes.set_xlabel(words[flat], size=size)
    figure.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 0), ncols=columns, frameon=False,
                  fontsize=size - 0.5, handletextpad=0.5, borderaxespad=0.2, labelspacing=0.3)  # fmt: skip
    return figure


def _scales(axes: Axes, kind: str, rows: Rows, flat: bool, length: float, inches: float, size: float) -> None:
    at = [row[key] for row in rows for key in ("d90", "d90_low", "d90_high") if row[key] and _inner(row)]
    at += [row[end] for row in rows for end, status in ENDS.items() if row["status"] == status]
    low, high = min(at) / 1.3, max(at) * 1.3
    _log(axes, "y" if flat else "x", low, high, length, size)
    if kind == "size":
        sizes = [row["size"] for row in rows]
        _log(axes, "x", min(sizes) / 1.25, max(sizes) * 1.25, inches, size)
        return
    values = [row[kind] for row in rows]
    values += [row[kind] + sign * _error(row, kind) for row in rows for sign in (-1, 1)]
    pad = max(0.07 * (max(values) - min(values)), 1e-3)
    ends = (min(values) - pad, max(values) + pad)
    (axes.set_xlim if flat else axes.set_ylim)(*ends)
    (axes.xaxis if flat else axes.yaxis).set_major_locator(MaxNLocator(6, integer=kind == "updates"))
    if kind == "updates":
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


ENDS = {"d_min": "below_range", "d_max": "above_range"}


def _log(axes: Axes, which: str, low: float, high: float, length: float, size: float) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    ticks = log_ticks(low, high, length, size)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([dimension(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())


def _group(axes: Axes, kind: str, rows: Rows, flat: bool, number: int, size: float) -> None:
    colour, mark = LOOKS[number % len(LOOKS)]
    if kind in ("updates", "size"):
        for series in dict.fromkeys(row["series"] if kind == "updates" else "" for row in rows):
            # A line leads from number to number, never through an answer that is none.
            line: list[tuple[float, float]] = []
            for row in [row for row in rows if kind == "size" or row["series"] == series]:
                if row["status"] == "found":
                    line.append((row[kind], row["d90"]))
                    continue
                axes.plot(*zip(*line, strict=True), color=colour, linewidth=0.8, alpha=0.5) if line else None
                line = []
            if line:
                axes.plot(*zip(*line, strict=True), color=colour, linewidth=0.8, alpha=0.5)
    for row in rows:
        _mark(axes, row, row[kind], _error(row, kind), flat, colour, mark, size)


def _mark(
    axes: Axes, row: dict[str, Any], value: float, error: float, flat: bool, colour: str, mark: str, size: float
) -> None:
    def plot(ds: list[float], values: list[float], **style: Any) -> None:
        axes.plot(*((values, ds) if flat else (ds, values)), color=colour, **style)

    found = row["status"] == "found"
    if _inner(row) and row["d90_low"] is not None and row["d90_high"] is not None:
        thick = 1.2 if found else 0.6  # an interval that is no answer is drawn thin
        plot([row["d90_low"], row["d90_high"]], [value, value], linewidth=thick, solid_capstyle="butt", zorder=3)
    if found:
        place = row["d90"]
        plot([place], [value], marker=mark, markersize=0.55 * size, markeredgewidth=0, linestyle="", zorder=4)
    elif row["status"] in ENDS.values():
        above = row["status"] == "above_range"
        place = row["d_max" if above else "d_min"]
        tail = (0, -14 if above else 14) if flat else (-14 if above else 14, 0)
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
        tip = (value, place) if flat else (place, value)
        axes.annotate("", xy=tip, xytext=tail, textcoords="offset points", arrowprops=arrow, zorder=3)
    else:
        place = math.sqrt(float(row["d90_low"] or 1) * float(row["d90_high"] or 1))
    if error:
        plot([place, place], [value - error, value + error], linewidth=0.6, zorder=2)


def _error(row: dict[str, Any], kind: str) -> float:
    """Return one standard error of the mean of a score or a gap; 0 for what is known."""
    if kind in ("updates", "size"):
        return 0.0
    number = int(row["score_seeds" if kind == "score" else "gap_runs"] or 1)
    return (row[f"{kind}_std"] or 0.0) / math.sqrt(max(number, 1))


def _inner(row: dict[str, Any]) -> bool:
    return row["status"] not in ENDS.values()


def _words(row: dict[str, Any], rows: Rows) -> str:
    keys = ("task", "method", "projection", "scope", "groups")
    return " · ".join(str(row[key]) for key in keys if key == "task" or len({one[key] for one in rows}) > 1)


def _key(label: str, number: int, size: float) -> Line2D:
    colour, mark = LOOKS[number % len(LOOKS)]
    return Line2D([], [], color=colour, marker=mark, markersize=0.55 * size, linewidth=1.2, label=label)


def _other_keys(rows: Rows, size: float, flat: bool) -> list[Line2D]:
    keys = []
    beyond, below = ("$\\uparrow$", "$\\downarrow$") if flat else ("$\\rightarrow$", "$\\leftarrow$")
    if any(row["status"] == "above_range" for row in rows):
        keys.append(Line2D([], [], color=INK, marker=beyond, linestyle="", label="beyond the largest d of the search"))
    if any(row["status"] == "below_range" for row in rows):
        keys.append(
            Line2D(
                [],
                [],
                color=INK,
                marker=below,
                linestyle="",
                label="reached at the smallest d of the search",
            )
        )
    if any(row["status"] == "budget_spent" for row in rows):
        keys.append(Line2D([], [], color=INK, linewidth=0.6, label="thin: interval only, the runs were used up"))
    return keys
