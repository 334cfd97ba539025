"""Arrows that start at a bound and lead to where the answer lies."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

ARROW = 11.0  # points


def draw_arrow(
    axes: Axes, start: tuple[float, float], tip: tuple[float, float], colour: str, dashes: Any = "solid"
) -> None:
    """Draw an arrow.

    Args:
        axes: to draw in.
        start: where it begins, in data.
        tip: where it ends, in points from its start.
        colour: of line and head.
        dashes: of the line.
    """
    # The text of an annotation is where its arrow begins; the head is put at that end, since it is the one in points.
    arrow = {"arrowstyle": "<|-", "color": colour, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0, "linestyle": dashes}
    axes.annotate("", xy=start, xytext=tip, textcoords="offset points", arrowprops=arrow, zorder=3)
