"""The picture of one sweep: score against d with every run, the thresholds, and the interval of d90.

Sizes are in inches and points, so that a figure is read at the width it is printed at (3.3 in or 6 in).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from intdim.ledger.verdict import Verdict
from intdim.report.curve import Mark
from intdim.report.legend import HATCH, Label, labels, legend
from intdim.report.lengths_panel import GAP, draw_lengths, lengths_height
from intdim.report.style import BAR, BASELINE, CHANCE, CURVE, D90, INK, RUN, SCREEN, Look, drawing, letter_size
from intdim.report.typeset import set_log_ticks, spread, text_width, wrap
from intdim.report.words import count, metric_range, subspace_words, verdict_line, whole

LINES = (  # horizontal lines that have a value and no width: element, colour, dashes, thickness
    ("threshold", BAR, (0, (5, 2)), 1.2),
    ("other_threshold", BAR, (0, (1.2, 1.6)), 0.8),
    ("chance", CHANCE, (0, (4, 1.5, 1, 1.5)), 0.8),
)
D_AXIS = ("trained dimensions d", "trained dimensions d (count, log scale)")  # without and with a title inside


def draw_curve(verdict: Verdict, marks: Sequence[Mark], width: float = 6.0, look: Look = SCREEN) -> Figure:
    """Draw one sweep.

    Args:
        verdict: of the sweep; gives the words of the title.
        marks: from ``curve_marks``.
        width: of the figure, in inches; letters are 8 points, 7 below 4.5 inches.
        look: fonts, whether the title stands inside, and whether step lengths are shown.
    """
    with drawing(look):
        return _draw(verdict, marks, width, look)


def _draw(verdict: Verdict, marks: Sequence[Mark], width: float, look: Look) -> Figure:
    size = letter_size(width)
    line = 1.35 * size / 72  # inches from one line of text to the next
    heading = _heading(verdict, marks, width, size) if look.titled else []
    beside = labels(verdict, marks)
    keys, columns = legend(marks, width, size)
    below = lengths_height(marks, size) if look.lengths else 0.0

    # Room for what stands around the axes, in inches.
    left = 0.68 if width >= 4.5 else 0.6
    right = max((text_width(text, size - 0.5) for label in beside for text in label.lines), default=0.0) + 0.2
    top = line * len(heading) + 0.15
    bottom = 0.2 + 2 * line + 1.3 * (size - 0.5) / 72 * math.ceil(len(keys) / max(columns, 1))
    tall = max(0.42 * width, sum(len(label.lines) for label in beside) * line + 0.1)
    height = top + tall + below + bottom
    inches = width - left - right

    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, (bottom + below) / height, inches / width, tall / height))
    y = height - 0.06
    for text, points, weight, colour in heading:
        figure.text(0.06 / width, y / height, text, size=points, weight=weight, color=colour, va="top", ha="left")
        y -= line * points / size

    _limits(axes, marks)
    _areas_and_lines(axes, marks)
    _runs(axes, marks, size)
    _axis_words(axes, verdict.metric, size, inches, look)
    _write_labels(axes, beside, size, inches, tall)
    if below:
        axes.tick_params(labelbottom=False)
        panel = figure.add_axes((left / width, bottom / height, inches / width, (below - GAP) / height))
        draw_lengths(panel, marks, axes.get_xlim(), size)
    lowest = figure.axes[-1]
    set_log_ticks(lowest.xaxis, axes.get_xlim(), inches, size)
    lowest.set_xlabel(D_AXIS[look.titled], size=size, labelpad=2)
    if keys:
        figure.legend(handles=keys, loc="lower left", bbox_to_anchor=(0.0, 0.0), ncols=columns,
                      frameon=False, fontsize=size - 0.5, handlelength=1.4, handletextpad=0.5, columnspacing=1.4,
                      borderaxespad=0.2, labelspacing=0.3)  # fmt: skip
    return figure


def _heading(verdict: Verdict, marks: Sequence[Mark], width: float, size: float) -> list[tuple[str, float, str, str]]:
    """Return the lines above the axes: text, size, weight and colour."""
    title = f"{verdict.model} on {verdict.task}"
    subtitle = f"{subspace_words(verdict)} · D = {whole(verdict.D)}"
    parts = [(title, size + 1, "bold", INK), (subtitle, size, "normal", CHANCE)]
    parts += [(_search_words(verdict, marks), size, "normal", CHANCE), (verdict_line(verdict), size, "bold", D90)]
    if verdict.warnings:
        doubts = f"{count(len(verdict.warnings), 'warning')}: see verdict.json or the page of the report"
        parts.append((doubts, size, "bold", CHANCE))

    lines = []
    for text, points, weight, colour in parts:
        broken = wrap(text, width - 0.14, points, weight)
        lines += [(one.removesuffix(" ·"), points, weight, colour) for one in broken]
    return lines


def _search_words(verdict: Verdict, marks: Sequence[Mark]) -> str:
    """Return what was run: the search, its runs, and the step lengths of those that are drawn."""
    words = f"search={verdict.search}, {len(verdict.run_ids)} runs"
    lengths = sorted(_numbers(mark.step_length for mark in marks))
    if lengths:
        words += f" · step lengths {lengths[0]:g}"
        words += f" to {lengths[-1]:g}" if lengths[-1] > lengths[0] else ""
    return words


def _limits(axes: Axes, marks: Sequence[Mark]) -> None:
    ds = _numbers(mark.d for mark in marks)
    ds += [end for mark in _of(marks, "range", "d90") for end in (mark.low, mark.high) if end]
    low, high = max(min(ds), 0.5), max(ds)
    pad = max(1.06, (high / low) ** 0.03)
    axes.set_xscale("log")
    axes.set_xlim(low / pad, high * pad)

    # The band may be wide where nothing was measured; marks and lines decide the range, the band is cut to it.
    scores = _numbers(mark.value for mark in marks)
    scores += _numbers(end for mark in _of(marks, "baseline") for end in (mark.low, mark.high))
    bottom, top = min(scores, default=0.0), max(scores, default=1.0)
    pad = max(0.06 * (top - bottom), 0.01)
    axes.set_ylim(bottom - pad, top + pad)


def _areas_and_lines(axes: Axes, marks: Sequence[Mark]) -> None:
    found = any(mark.d is not None for mark in _of(marks, "d90"))
    for mark in _of(marks, "d90", "d90_seeds"):
        low, high = (end or edge for end, edge in zip((mark.low, mark.high), axes.get_xlim(), strict=True))
        if found and mark.low is not None and mark.high is not None:
            axes.axvspan(low, high, color=D90, alpha=0.16, linewidth=0, zorder=1)
        elif not found:  # an end that is not known lies at or beyond the edge
            axes.axvspan(low, high, facecolor="none", edgecolor=D90, hatch=HATCH, linewidth=0.5, alpha=0.6, zorder=1)
        if mark.d is not None:
            axes.axvline(mark.d, color=D90, linewidth=1.2, zorder=3)
    for mark in _of(marks, "baseline"):
        if mark.low is not None and mark.high is not None:
            axes.axhspan(mark.low, mark.high, color=BASELINE, alpha=0.16, linewidth=0, zorder=1)
        if mark.value is not None:
            axes.axhline(mark.value, color=BASELINE, linewidth=1.0, zorder=2)
    for element, colour, dashes, thick in LINES:
        for mark in _of(marks, element):
            if mark.value is not None:
                axes.axhline(mark.value, color=colour, linestyle=dashes, linewidth=thick, zorder=2)

    curve = _of(marks, "curve")
    if curve:
        ds, medians = _places(curve)
        low, high = _numbers(mark.low for mark in curve), _numbers(mark.high for mark in curve)
        axes.fill_between(ds, low, high, color=CURVE, alpha=0.18, linewidth=0)
        axes.plot(ds, medians, color=CURVE, linewidth=1.4, zorder=4)


def _runs(axes: Axes, marks: Sequence[Mark], size: float) -> None:
    dot = 0.42 * size
    looks = {
        "run": ("o", {"markersize": dot, "markerfacecolor": RUN, "alpha": 0.6, "markeredgewidth": 0}),
        "stopped_run": ("^", {"markersize": dot + 1.0, "markerfacecolor": RUN, "alpha": 0.6, "markeredgewidth": 0}),
        "failed_run": ("x", {"markersize": dot + 1.4, "color": RUN, "markeredgewidth": 1.1}),
        "collapsed_run": ("x", {"markersize": dot + 1.4, "color": RUN, "markeredgewidth": 1.1}),
        "outlier_run": ("*", {"markersize": dot + 2.4, "color": RUN, "markeredgewidth": 0}),
    }
    for element, (mark, look) in looks.items():
        axes.plot(*_places(_of(marks, element)), mark, zorder=5, **look)
    axes.plot(*_places(_of(marks, "point_mean")), "D", markersize=dot + 1.2, markerfacecolor="none",
              markeredgecolor=CURVE, markeredgewidth=0.9, zorder=6)  # fmt: skip

    # Full fine-tuning has no place on the axis of d: its runs are short marks on the right edge.
    scores = _numbers(mark.value for mark in _of(marks, "baseline_run"))
    axes.plot([1.0] * len(scores), scores, "_", markersize=size, color=BASELINE,
              transform=axes.get_yaxis_transform(), clip_on=False, zorder=7)  # fmt: skip


def _of(marks: Sequence[Mark], *elements: str) -> list[Mark]:
    return [mark for mark in marks if mark.element in elements]


def _places(marks: Sequence[Mark]) -> tuple[list[float], list[float]]:
    """Return d and value of marks that have both."""
    return _numbers(mark.d for mark in marks), _numbers(mark.value for mark in marks)


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _axis_words(axes: Axes, metric: str, size: float, inches: float, look: Look) -> None:
    set_log_ticks(axes.xaxis, axes.get_xlim(), inches, size)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.tick_params(labelsize=size, length=2.5, pad=2)

    said = f"{metric} ({metric_range(metric)})" if look.titled else metric
    name = wrap(said, 0.42 * (inches + 1.2), size)
    axes.set_ylabel("\n".join(name), size=size, labelpad=3)
    axes.spines[["top", "right"]].set_visible(False)


def _write_labels(axes: Axes, beside: Sequence[Label], size: float, inches: float, tall: float) -> None:
    """Write the names of the horizontal lines beside the right edge, each with a stroke that leads to its line."""
    heights = [len(label.lines) * 1.22 * size / 72 for label in beside]
    to_axes = axes.transAxes.inverted()
    wanted = [tall * to_axes.transform(axes.transData.transform((1, label.value)))[1] for label in beside]
    centres = spread(wanted, heights, -0.05, tall + 0.05)

    for label, at, centre in zip(beside, wanted, centres, strict=True):
        axes.plot([1, 1 + 0.09 / inches], [at / tall, centre / tall], transform=axes.transAxes,
                  color=label.colour, linewidth=0.5, clip_on=False)  # fmt: skip
        axes.text(1 + 0.12 / inches, centre / tall, "\n".join(label.lines), transform=axes.transAxes,
                  size=size - 0.5, color=label.colour, va="center", ha="left", linespacing=1.05)  # fmt: skip
