"""The marks of the comparison: each status has a shape of its own, and so has each kind of threshold.

A number is a filled mark on its interval. A bound is a hollow mark at the bound with an arrow that starts there. An
interval without a number is a hatched bar; where one of its ends is known, a stroke there and a dashed arrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from intdim.report.arrows import ARROW, draw_arrow
from intdim.report.forest_rows import ForestRow
from intdim.report.style import D90, INK
from intdim.report.words import CENSORED, PLACED, interval

DASHES = (0, (3, 1.5))
OTHER = "#007A5A"
KINDS = {"absolute": (D90, "o", "////////"), "above_chance": (OTHER, "s", "\\\\\\\\\\\\\\\\")}  # colour, mark, hatch
WORDS = {"absolute": "threshold a share of the score", "above_chance": "threshold a share of the gain over chance"}
BOTH = "both thresholds, which are one score"


def colour_of(row: ForestRow) -> str:
    """Return the colour of a row."""
    return KINDS.get(row.threshold_kind, KINDS["absolute"])[0]


def known_ends(row: ForestRow) -> tuple[float | None, float | None]:
    """Return the ends of an interval that says where d90 is."""
    return (row.d90_low, row.d90_high) if row.status in PLACED else (None, None)


def bound_of(row: ForestRow) -> int | None:
    """Return the end of the range that d90 lies beyond, None for any other answer."""
    if row.status not in CENSORED:
        return None
    return row.d_max if row.status == "above_range" else row.d_min


def directions(row: ForestRow) -> tuple[bool, bool]:
    """Return whether an arrow leads downwards from the row's mark, and upwards."""
    low, high = known_ends(row)
    one_end = row.d90 is None and (low is None) != (high is None)
    return (
        row.status == "below_range" or (one_end and low is None),
        row.status == "above_range" or (one_end and high is None),
    )


def draw_row(axes: Axes, row: ForestRow, y: float, line: float, size: float) -> None:
    """Draw one answer at the height ``y``; lines of text are ``line`` high."""
    ends, (low, high), bound = interval(row), known_ends(row), bound_of(row)
    colour, mark, hatch = KINDS.get(row.threshold_kind, KINDS["absolute"])
    look: dict[str, Any] = {"color": colour, "marker": mark, "markersize": 0.55 * size, "linestyle": "", "zorder": 4}

    if row.status == "found" and ends:
        axes.plot(ends, [y, y], color=colour, linewidth=1.4, solid_capstyle="butt", zorder=3)
    if row.d90 is not None:
        axes.plot([row.d90], [y], markeredgewidth=0, **look)
    elif bound is not None:
        draw_arrow(axes, (bound, y), (ARROW if directions(row)[1] else -ARROW, 0), colour)
        axes.plot([bound], [y], markerfacecolor="white", markeredgewidth=1.0, **look)
    elif low is not None and high is not None:
        tall = 0.42 * line
        bar = Rectangle((low, y - tall / 2), high - low, tall, fill=False, edgecolor=colour, hatch=hatch, linewidth=0.6)
        axes.add_patch(bar)
    elif low is not None or high is not None:
        end = low if low is not None else high
        assert end is not None
        axes.plot([end], [y], marker="|", markersize=0.8 * size, markeredgewidth=1.1, color=colour, zorder=4)
        draw_arrow(axes, (end, y), (ARROW if directions(row)[1] else -ARROW, 0), colour, DASHES)


def forest_keys(rows: Sequence[ForestRow], size: float) -> list[Artist]:
    """Return the keys of the marks that occur."""
    keys: list[Artist] = []
    for kind in dict.fromkeys(row.threshold_kind for row in rows):
        colour, mark, _ = KINDS.get(kind, KINDS["absolute"])
        alone = all(row.both for row in rows if row.threshold_kind == kind)
        words = f"{BOTH if alone else WORDS.get(kind, kind)}: d90 and interval"
        keys.append(Line2D([], [], color=colour, marker=mark, markersize=0.55 * size, markeredgewidth=0, linewidth=1.4,
                           label=words))  # fmt: skip
    if any(bound_of(row) is not None for row in rows):
        hollow: dict[str, Any] = {"marker": "o", "markerfacecolor": "white", "markersize": 0.55 * size}
        keys.append(
            Line2D([], [], color=INK, linestyle="", label="hollow, arrow: d90 lies beyond this bound", **hollow)
        )
    spent = [known_ends(row) for row in rows if row.status == "budget_spent"]
    if any(None not in ends for ends in spent):
        words = "hatched: interval without d90"
        keys.append(Patch(facecolor="none", edgecolor=INK, hatch="////", linewidth=0.6, label=words))
    if any((low is None) != (high is None) for low, high in spent):
        words = "stroke, dashed arrow: one end of an interval without d90"
        keys.append(Line2D([], [], color=INK, marker="|", linestyle=DASHES, linewidth=1.1, label=words))
    return keys
