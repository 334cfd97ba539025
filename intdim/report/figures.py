"""The picture of one sweep: score against d with every run, the thresholds, and the interval of d90.

Sizes are in inches and points, so that a figure is read at the width it is printed at (3.3 in or 6 in).
"""

from __future__ import annotations

import math
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from intdim.report.curve import Rows
from intdim.report.typeset import STYLE, dimension, log_ticks, spread, text_width, wrap
from intdim.report.words import metric_range, score, subspace_words, verdict_line, whole

# Okabe and Ito's colours: told apart by readers with any of the common colour deficiencies. Line styles and marks
# differ as well, for print without colour.
RUN, CURVE, BASELINE, BAR, CHANCE, D90 = "#333333", "#0072B2", "#007A5A", "#C04F00", "#6B6B6B", "#A3478A"
INK = "#1A1A1A"


def draw_curve(verdict: dict[str, Any], rows: Rows, width: float = 6.0) -> Figure:
    """Draw one sweep.

    Args:
        verdict: of the sweep; gives the words of the title.
        rows: from ``curve_rows``.
        width: of the figure, in inches; letters are 8 points, 7 below 4.5 inches.
    """
    with matplotlib.rc_context(STYLE):
        return _draw(verdict, rows, width)


def _draw(verdict: dict[str, Any], rows: Rows, width: float) -> Figure:
    size = 8.0 if width >= 4.5 else 7.0
    line = 1.35 * size / 72  # inches from one line of text to the next
    bounds = next((row["low"], row["high"]) for row in rows if row["element"] == "range")
    heading = [(text, size + 1, "bold", INK) for text in _wrapped(_title(verdict), width, size + 1, "bold")]
    heading += [(text, size, "normal", CHANCE) for text in _wrapped(_subtitle(verdict), width, size)]
    heading += [(text, size, "normal", CHANCE) for text in _wrapped(_chosen(verdict), width, size) if text]
    heading += [(text, size, "bold", D90) for text in _wrapped(verdict_line(verdict, bounds), width, size, "bold")]
    labels = _labels(verdict, rows)
    keys, columns = _legend(rows, width, size)
    right = max((text_width(text, size - 0.5) for _, lines, _ in labels for text in lines), default=0.0) + 0.2
    top = line * len(heading) + 0.15
    bottom = 0.2 + 2 * line + 1.3 * (size - 0.5) / 72 * math.ceil(len(keys) / max(columns, 1))
    tall = max(0.42 * width, len(labels) * 2 * line + 0.1)
    figure = Figure(figsize=(width, top + tall + bottom))
    height = top + tall + bottom
    left = 0.68 if width >= 4.5 else 0.6
    axes = figure.add_axes((left / width, bottom / height, (width - left - right) / width, tall / height))
    y = height - 0.06
    for text, points, weight, colour in heading:
        figure.text(0.06 / width, y / height, text, size=points, weight=weight, color=colour, va="top", ha="left")
        y -= line * points / size
    _limits(axes, rows)
    _marks(axes, rows, size)
    _axis_words(axes, verdict, size, width - left - right)
    heights = [len(lines) * 1.22 * size / 72 for _, lines, _ in labels]
    wanted = [tall * axes.transAxes.inverted().transform(axes.transData.transform((1, v)))[1] for v, _, _ in labels]
    for (_, lines, colour), at, centre in zip(labels, wanted, spread(wanted, heights, -0.05, tall + 0.05), strict=True):
        axes.plot([1, 1 + 0.09 / (width - left - right)], [at / tall, centre / tall], transform=axes.transAxes,
                  color=colour, linewidth=0.5, clip_on=False)  # fmt: skip
        axes.text(1 + 0.12 / (width - left - right), centre / tall, "\n".join(lines), transform=axes.transAxes,
                  size=size - 0.5, color=colour, va="center", ha="left", linespacing=1.05)  # fmt: skip
    if keys:
        figure.legend(handles=keys, loc="lower left", bbox_to_anchor=(0.0, 0.0), ncols=columns,
                      frameon=False, fontsize=size - 0.5, handlelength=1.4, handletextpad=0.5, columnspacing=1.4,
                      borderaxespad=0.2, labelspacing=0.3)  # fmt: skip
    return figure


def _limits(axes: Axes, rows: Rows) -> None:
    ds = [row["d"] for row in rows if row["d"] is not None] + [
        row[end] for row in rows if row["element"] in ("range", "d90") for end in ("low", "high") if row[end]
    ]
    low, high = max(min(ds), 0.5), max(ds)
    pad = max(1.06, (high / low) ** 0.03)
    axes.set_xscale("log")
    axes.set_xlim(low / pad, high * pad)
    # The band may be wide where nothing was measured; marks and lines decide the range, the band is cut to it.
    scores = [row["value"] for row in rows if row["value"] is not None]
    scores += [row[end] for row in rows if row["element"] == "baseline" for end in ("low", "high")]
    bottom, top = min(scores, default=0.0), max(scores, default=1.0)
    pad = max(0.06 * (top - bottom), 0.01)
    axes.set_ylim(bottom - pad, top + pad)


def _marks(axes: Axes, rows: Rows, size: float) -> None:
    by: dict[str, Rows] = {}
    for row in rows:
        by.setdefault(row["element"], []).append(row)

    def column(element: str, key: str) -> list[float]:
        return [row[key] for row in by.get(element, [])]

    for row in by.get("d90", []):
        if row["low"] is not None and row["high"] is not None:
            axes.axvspan(row["low"], row["high"], color=D90, alpha=0.16, linewidth=0, zorder=1)
        if row["d"] is not None:
            axes.axvline(row["d"], color=D90, linewidth=1.2, zorder=3)
    for row in by.get("d90_seeds", []):
        axes.axvspan(row["low"], row["high"], color=D90, alpha=0.16, linewidth=0, zorder=1)
    for row in by.get("baseline", []):
        axes.axhspan(row["low"], row["high"], color=BASELINE, alpha=0.16, linewidth=0, zorder=1)
        axes.axhline(row["value"], color=BASELINE, linewidth=1.0, zorder=2)
    for element, colour, style, thick in (
        ("threshold", BAR, (0, (5, 2)), 1.2),
        ("other_threshold", BAR, (0, (1.2, 1.6)), 0.8),
        ("chance", CHANCE, (0, (4, 1.5, 1, 1.5)), 0.8),
    ):
        for row in by.get(element, []):
            axes.axhline(row["value"], color=colour, linestyle=style, linewidth=thick, zorder=2)
    if "curve" in by:
        ds = column("curve", "d")
        axes.fill_between(ds, column("curve", "low"), column("curve", "high"), color=CURVE, alpha=0.18, linewidth=0)
        axes.plot(ds, column("curve", "value"), color=CURVE, linewidth=1.4, zorder=4)
    dot = 0.42 * size
    axes.plot(column("run", "d"), column("run", "value"), "o", markersize=dot, markerfacecolor=RUN, alpha=0.6,
              markeredgewidth=0, zorder=5)  # fmt: skip
    axes.plot(column("stopped_run", "d"), column("stopped_run", "value"), "^", markersize=dot + 1.0, alpha=0.6,
              markerfacecolor=RUN, markeredgewidth=0, zorder=5)  # fmt: skip
    for element in ("failed_run", "collapsed_run"):
        axes.plot(column(element, "d"), column(element, "value"), "x", markersize=dot + 1.4, color=RUN,
                  markeredgewidth=1.1, zorder=5)  # fmt: skip
    axes.plot(column("point_mean", "d"), column("point_mean", "value"), "D", markersize=dot + 1.2,
              markerfacecolor="none", markeredgecolor=CURVE, markeredgewidth=0.9, zorder=6)  # fmt: skip
    # Full fine-tuning has no place on the axis of d: its runs are short marks on the right edge.
    axes.plot([1.0] * len(by.get("baseline_run", [])), column("baseline_run", "value"), "_", markersize=size,
              color=BASELINE, transform=axes.get_yaxis_transform(), clip_on=False, zorder=7)  # fmt: skip


def _axis_words(axes: Axes, verdict: dict[str, Any], size: float, inches: float) -> None:
    ticks = log_ticks(*axes.get_xlim(), inches, size)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([dimension(tick) for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.tick_params(labelsize=size, length=2.5, pad=2)
    axes.set_xlabel("trained dimensions d (count, log scale)", size=size, labelpad=2)
    name = f"{verdict['metric']} ({metric_range(str(verdict['metric']))})"
    axes.set_ylabel("\n".join(wrap(name, 0.42 * (inches + 1.2), size)), size=size, labelpad=3)
    axes.spines[["top", "right"]].set_visible(False)


def _title(verdict: dict[str, Any]) -> str:
    return f"{verdict['model']} on {verdict['task']}"


def _subtitle(verdict: dict[str, Any]) -> str:
    return f"{subspace_words(verdict)} · D = {whole(verdict['D'])}"


def _chosen(verdict: dict[str, Any]) -> str:
    """Return what was run: the search, its runs, and the step lengths that were located."""
    words = f"search={verdict['search']}, {len(verdict['run_ids'])} runs" if verdict.get("search") else ""
    lengths = sorted(((verdict.get("step_lengths") or {}).get("known") or {}).values())
    if lengths:
        words += f" · located step lengths {lengths[0]:g}" + (
            f" to {lengths[-1]:g}" if lengths[-1] > lengths[0] else ""
        )
    return words


def _wrapped(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    return [line.removesuffix(" ·") for line in wrap(text, width - 0.14, size, weight)]


def _labels(verdict: dict[str, Any], rows: Rows) -> list[tuple[float, list[str], str]]:
    """Return (score, two lines, colour) for every horizontal line, to be written beside the right edge."""
    short = {"absolute": "of score", "above_chance": "of gain"}
    fraction = f"{100 * (verdict.get('fraction') or 0.9):g} %"
    kinds = {
        "threshold": verdict.get("threshold_kind"),
        "other_threshold": (verdict.get("other") or {}).get("threshold_kind"),
    }
    labels = []
    for row in rows:
        element, value = row["element"], row["value"]
        if element == "baseline":
            spread_words = f" ± {score(row['high'] - value)}" if row["high"] > value else ""
            labels.append((value, ["baseline", f"{score(value)}{spread_words}"], BASELINE))
        elif element in kinds:
            words = short.get(str(kinds[element]), str(kinds[element] or "threshold"))
            labels.append((value, [f"{fraction} {words}", score(value)], BAR))
        elif element == "chance":
            labels.append((value, ["chance", score(value)], CHANCE))
    return labels


def _legend(rows: Rows, width: float, size: float) -> tuple[list[Any], int]:
    """Return the keys of the marks that occur, and in how many columns they fit."""
    present = {row["element"] for row in rows}
    dot = 0.42 * size
    keys: list[Any] = []
    if "run" in present:
        keys.append(
            Line2D(
                [], [], marker="o", linestyle="", color=RUN, alpha=0.6, markeredgewidth=0, markersize=dot, label="run"
            )
        )
    if "stopped_run" in present:
        keys.append(Line2D([], [], marker="^", linestyle="", color=RUN, alpha=0.6, markeredgewidth=0,
                           markersize=dot + 1.0, label="run ended above the bar: at least this"))  # fmt: skip
    if present & {"failed_run", "collapsed_run"}:
        words = [word for word in ("failed", "collapsed") if f"{word}_run" in present]
        keys.append(
            Line2D([], [], marker="x", linestyle="", color=RUN, markersize=dot + 1.4, label=" or ".join(words) + " run")
        )
    if "point_mean" in present:
        keys.append(Line2D([], [], marker="D", linestyle="", markerfacecolor="none", markeredgecolor=CURVE,
                           markersize=dot + 1.2, label="mean of the runs at one d"))  # fmt: skip
    if "curve" in present:
        keys.append(Line2D([], [], color=CURVE, linewidth=1.4, label="fitted curve, 90 % band"))
    d90 = [row for row in rows if row["element"] == "d90"]
    if d90:
        label = "interval of d90" if d90[0]["d"] is None else "d90 and interval"
        inner = "d90_seeds" in present
        keys.append(Patch(facecolor=D90, alpha=0.2 if inner else 0.35, label=label))
        if inner:
            keys.append(Patch(facecolor=D90, alpha=0.4, label="by the seeds alone"))
    if "baseline_run" in present:
        keys.append(Line2D([], [], marker="_", linestyle="", color=BASELINE, markersize=size, label="baseline run"))
    return keys, _columns([str(key.get_label()) for key in keys], width, size)


def _columns(labels: list[str], width: float, size: float) -> int:
    """Return the largest number of columns in which the keys fit; the legend fills one column after the other."""
    for columns in range(len(labels), 1, -1):
        rows = math.ceil(len(labels) / columns)
        widest = [
            max(text_width(text, size - 0.5) for text in labels[i : i + rows]) for i in range(0, len(labels), rows)
        ]
        # A key takes 1.9 letters before its text and 1.4 after it (handlelength, handletextpad, columnspacing).
        if len(widest) == columns and sum(widest) + 3.5 * columns * size / 72 <= width - 0.05:
            return columns
    return 1
