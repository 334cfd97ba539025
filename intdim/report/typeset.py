"""Text that fits: widths in inches, lines broken to a width, labels and ticks that never overlap."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache

from matplotlib import rcParams
from matplotlib.axis import Axis
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from intdim.errors import LONGEST_LINE, echo


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width in inches of one line of text at ``size`` points, in the font that is drawn with."""
    return _text_width(text, size, weight, tuple(rcParams["font.family"]))


@cache
def _text_width(text: str, size: float, weight: str, fonts: tuple[str, ...]) -> float:
    font = FontProperties(family=list(fonts), weight=weight, size=size)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def wrap(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Break ``text`` into lines of at most ``width`` inches: at spaces, else after ``/ - _``, else anywhere. What
    cannot be seen is escaped, and what is longer than any of our lines loses its middle."""
    lines = [""]
    for piece in _pieces(echo(text, LONGEST_LINE), width, size, weight):
        if lines[-1] and text_width((lines[-1] + piece).strip(), size, weight) > width:
            lines.append(piece.lstrip())
        else:
            lines[-1] += piece
    return [line.strip() for line in lines if line.strip()]


def _pieces(text: str, width: float, size: float, weight: str) -> list[str]:
    pieces: list[str] = []
    for word in re.findall(r"\S+\s*", text):
        if text_width(word.strip(), size, weight) <= width:
            pieces.append(word)
            continue
        for part in re.findall(r"[^/\-_]*[/\-_]|[^/\-_]+", word):
            while text_width(part.strip(), size, weight) > width and len(part) > 1:
                fits = max(1, int(len(part) * width / text_width(part, size, weight)) - 1)
                pieces.append(part[:fits])
                part = part[fits:]
            pieces.append(part)
    return pieces


def spread(wanted: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """Return centres near the wanted ones so that labels of these heights neither overlap nor leave [low, high].

    The order of the wanted centres is kept. Where there is too little room the labels are packed from ``low`` up.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = list(wanted)

    # Each cluster holds labels that touch; it sits where its members would like it on average.
    clusters: list[list[int]] = []
    for i in order:
        clusters.append([i])
        while len(clusters) > 1:
            tops = [_bottom(cluster, wanted, heights, low, high) for cluster in clusters[-2:]]
            if tops[0] + sum(heights[j] for j in clusters[-2]) <= tops[1]:
                break
            clusters[-2:] = [clusters[-2] + clusters[-1]]

    for cluster in clusters:
        bottom = _bottom(cluster, wanted, heights, low, high)
        for i in cluster:
            placed[i] = bottom + heights[i] / 2
            bottom += heights[i]
    return placed


def _bottom(cluster: list[int], wanted: Sequence[float], heights: Sequence[float], low: float, high: float) -> float:
    below, total = 0.0, 0.0
    for i in cluster:
        total += wanted[i] - below - heights[i] / 2
        below += heights[i]
    return max(low, min(total / len(cluster), high - below))


def set_log_ticks(axis: Axis, ends: tuple[float, float], inches: float, size: float) -> None:
    """Label a log axis between ``ends``, ``inches`` long, with numbers of dimensions in letters of ``size`` points."""
    ticks = log_ticks(*ends, inches, size)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([dimension(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())


def log_ticks(low: float, high: float, inches: float, size: float) -> list[int]:
    """Return whole numbers to label on a log axis of this length: as many (at most 8) as fit with room between."""
    steps: list[Sequence[float]] = [
        [1],
        [1, 3],
        [1, 2, 5],
        [1, 1.5, 2, 3, 5, 7],
        [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 8],
        [k / 10 for k in range(10, 100)],
    ]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    candidates = [[10**k for k in decades if k % stride == 0] for stride in (6, 5, 4, 3, 2)]
    candidates += [[m * 10**k for k in decades for m in mantissas] for mantissas in steps]

    best: list[int] = []
    for candidate in candidates:
        ticks = sorted({round(value) for value in candidate if low <= round(value) <= high and round(value) >= 1})
        if len(ticks) > len(best) and len(ticks) <= 8 and _room(ticks, low, high, inches, size):
            best = ticks
    if len(best) < 2:  # less than a factor of 1.1 from end to end
        best = sorted({math.ceil(low), math.floor(high)})
    return best


def _room(ticks: list[int], low: float, high: float, inches: float, size: float) -> bool:
    scale = inches / math.log(high / low)
    at = [math.log(tick / low) * scale for tick in ticks]
    half = [text_width(dimension(tick), size) / 2 for tick in ticks]
    return all(at[i + 1] - half[i + 1] - at[i] - half[i] >= 0.12 for i in range(len(ticks) - 1))


def dimension(value: float) -> str:
    """Return a tick label for a number of dimensions: ``10,000``, ``2 M``."""
    return f"{value / 1e6:g} M" if value >= 1_000_000 else f"{round(value):,}"
