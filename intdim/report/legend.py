"""The words around the picture of one sweep: names of its horizontal lines, and the keys of its marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from intdim.ledger.verdict import Verdict
from intdim.report.curve import Mark
from intdim.report.style import BAR, BASELINE, CHANCE, CURVE, D90, RUN
from intdim.report.typeset import text_width
from intdim.report.words import score

OUT = {"failed_run", "collapsed_run", "outlier_run"}  # which are no part of a mean
HATCH = "////"  # of an interval that is no answer
SHORT = {"absolute": "of score", "above_chance": "of gain"}


@dataclass(frozen=True)
class Label:
    """What is written beside a horizontal line: at which score, in which lines of text and colour."""

    value: float
    lines: list[str]
    colour: str


def labels(verdict: Verdict, marks: Sequence[Mark]) -> list[Label]:
    """Return one label for every horizontal line, to be written beside the right edge."""
    fraction = f"{100 * verdict.fraction:g} %"
    kinds = {"threshold": verdict.threshold_kind, "other_threshold": verdict.other.threshold_kind}
    both = not any(mark.element == "other_threshold" for mark in marks)  # are one line
    made = []
    for mark in marks:
        value, kind = mark.value, kinds.get(mark.element)
        if value is None:
            continue
        if mark.element == "threshold" and both:
            names = [f"{fraction} {SHORT[verdict.threshold_kind]}", f"and {SHORT[verdict.other.threshold_kind]}"]
            made.append(Label(value, [*names, score(value)], BAR))
        elif mark.element == "baseline":
            error = f" ± {score(mark.high - value)}" if mark.high is not None and mark.high > value else ""
            made.append(Label(value, ["baseline", f"{score(value)}{error}"], BASELINE))
        elif kind is not None:
            made.append(Label(value, [f"{fraction} {SHORT.get(kind, kind)}", score(value)], BAR))
        elif mark.element == "chance":
            made.append(Label(value, ["chance", score(value)], CHANCE))
    return made


def legend(marks: Sequence[Mark], width: float, size: float) -> tuple[list[Artist], int]:
    """Return the keys of the marks that occur, and in how many columns they fit."""
    present = {mark.element for mark in marks}
    dot = 0.42 * size
    keys: list[Artist] = []

    if "run" in present:
        keys.append(_dot("o", "run", dot, color=RUN, alpha=0.6, markeredgewidth=0))
    if "stopped_run" in present:
        words = "run ended above the bar: at least this"
        keys.append(_dot("^", words, dot + 1.0, color=RUN, alpha=0.6, markeredgewidth=0))
    lost = [word for word in ("failed", "collapsed") if f"{word}_run" in present]
    if lost:
        keys.append(_dot("x", " or ".join(lost) + " run", dot + 1.4, color=RUN))
    if "outlier_run" in present:
        keys.append(_dot("*", "outlier, not in the mean", dot + 2.4, color=RUN, markeredgewidth=0))
    if "point_mean" in present:
        words = "mean of the other runs at one d" if OUT & present else "mean of the runs at one d"
        keys.append(_dot("D", words, dot + 1.2, markerfacecolor="none", markeredgecolor=CURVE))
    if "curve" in present:
        keys.append(Line2D([], [], color=CURVE, linewidth=1.4, label="fitted curve, 90 % band"))

    keys += _d90_keys(marks)
    if "baseline_run" in present:
        keys.append(_dot("_", "baseline run", size, color=BASELINE))
    return keys, _columns([str(key.get_label()) for key in keys], width, size)


def _dot(marker: str, label: str, size: float, **look: object) -> Line2D:
    return Line2D([], [], marker=marker, linestyle="", markersize=size, label=label, **look)  # pyright: ignore[reportArgumentType]


def _d90_keys(marks: Sequence[Mark]) -> list[Artist]:
    answers = [mark for mark in marks if mark.element == "d90"]
    if not answers:
        return []
    if answers[0].d is None:
        words = "interval without d90"
        return [Patch(facecolor="none", edgecolor=D90, hatch=HATCH, linewidth=0.5, label=words)]
    label = "d90 and interval"
    if not any(mark.element == "d90_seeds" for mark in marks):
        return [Patch(facecolor=D90, alpha=0.35, label=label)]
    return [
        Patch(facecolor=D90, alpha=0.2, label=label),
        Patch(facecolor=D90, alpha=0.4, label="by the seeds alone"),
    ]


def _columns(names: list[str], width: float, size: float) -> int:
    """Return the largest number of columns in which the keys fit; the legend fills one column after the other."""
    for columns in range(len(names), 1, -1):
        rows = math.ceil(len(names) / columns)
        parts = [names[i : i + rows] for i in range(0, len(names), rows)]
        widest = [max(text_width(text, size - 0.5) for text in part) for part in parts]
        # A key takes 1.9 letters before its text and 1.4 after it (handlelength, handletextpad, columnspacing).
        if len(widest) == columns and sum(widest) + 3.5 * columns * size / 72 <= width - 0.05:
            return columns
    return 1
