"""The comparison of a grid: one line per sweep, d90 with its interval under both thresholds, on one axis of d."""

from __future__ import annotations

from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from intdim.report.figures import CHANCE, D90, INK
from intdim.report.records import SweepRecord
from intdim.report.typeset import STYLE, dimension, log_ticks, text_width, wrap
from intdim.report.words import d90_cell, interval, whole

COLUMNS = (
    "sweep_id", "label", "model", "task", "method", "projection", "scope", "groups", "threshold_kind", "status",
    "d90", "d90_low", "d90_high", "d_min", "d_max",
)  # fmt: skip
_FIELDS = ("model", "task", "method", "projection", "scope", "groups")
OTHER = "#007A5A"


def forest_rows(records: list[SweepRecord]) -> list[dict[str, Any]]:
    """Return what the figure shows: two rows per sweep, its own threshold first, the second one after it.

    ``label`` holds the facts in which the sweeps differ; sweeps that differ in none of them carry their id.
    """
    labels, _ = _labels(records)
    rows = []
    for record, label in zip(records, labels, strict=True):
        facts = {key: record.verdict[key] for key in ("sweep_id", *_FIELDS)}
        for verdict in (record.verdict, record.verdict.get("other")):
            if not verdict:
                continue
            found = {"d90": verdict["d90"] if verdict["status"] == "found" else None}
            rest = {key: verdict.get(key) for key in ("threshold_kind", "status", "d90_low", "d90_high")}
            bounds = dict(zip(("d_min", "d_max"), record.range, strict=True))
            rows.append(facts | {"label": label} | rest | found | bounds)
    return rows


def draw_forest(records: list[SweepRecord], rows: list[dict[str, Any]], width: float = 6.0) -> Figure:
    """Draw the comparison.

    Args:
        records: the sweeps, top to bottom.
        rows: from ``forest_rows`` of the same sweeps.
        width: of the figure, in inches; letters are 8 points, 7 below 4.5 inches.
    """
    with matplotlib.rc_context(STYLE):
        return _draw(records, rows, width)


def _draw(records: list[SweepRecord], rows: list[dict[str, Any]], width: float) -> Figure:
    size = 8.0 if width >= 4.5 else 7.0
    line = 1.35 * size / 72
    cells: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault(row["sweep_id"], []).append(row)
    labels = {key: wrap(cell[0]["label"], 0.36 * width, size) for key, cell in cells.items()}
    # What the axis cannot show stands in words on the right, one line for each threshold.
    words = {key: [_words(row) for row in cell] for key, cell in cells.items()}
    left = max(text_width(text, size) for lines in labels.values() for text in lines) + 0.2
    right = max(text_width(text, size) for lines in words.values() for text in lines) + 0.25
    _, common = _labels(records)
    heading = [
        (text, "bold", INK) for text in wrap("Intrinsic dimension d90 of each sweep", width - 0.14, size + 1, "bold")
    ]
    heading += [(text.removesuffix(" ·"), "normal", CHANCE) for text in wrap(common, width - 0.14, size)]
    tall = [max(len(labels[key]), len(words[key])) * line + 0.08 for key in cells]
    top, bottom = line * len(heading) + 0.16, 0.3 + 3.2 * line
    height = top + sum(tall) + bottom
    figure = Figure(figsize=(width, height))
    inches = width - left - right
    axes = figure.add_axes((left / width, bottom / height, inches / width, sum(tall) / height))
    y = height - 0.06
    for text, weight, colour in heading:
        figure.text(
            0.06 / width, y / height, text, size=size + (weight == "bold"), weight=weight, color=colour, va="top"
        )
        y -= line
    axes.set_xscale("log")
    axes.set_xlim(*_range(rows))
    axes.set_ylim(sum(tall), 0)
    edge = 0.0
    for i, (key, cell) in enumerate(cells.items()):
        centre = edge + tall[i] / 2
        if i % 2 == 0:
            axes.axhspan(edge, edge + tall[i], color="#000000", alpha=0.04, linewidth=0, zorder=0)
        axes.text(-0.08 / inches, centre, "\n".join(labels[key]), transform=axes.get_yaxis_transform(), size=size,
                  color=INK, ha="right", va="center", linespacing=1.15)  # fmt: skip
        for j, row in enumerate(cell):
            at = centre + (j - (len(cell) - 1) / 2) * line
            _interval(axes, row, at, _colour(row), size)
            axes.text(1 + 0.1 / inches, at, words[key][j], transform=axes.get_yaxis_transform(), size=size,
                      color=_colour(row), ha="left", va="center")  # fmt: skip
        edge += tall[i]
    ticks = log_ticks(*axes.get_xlim(), inches, size)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([dimension(tick) for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(axis="x", color="#000000", alpha=0.12, linewidth=0.5)
    axes.tick_params(labelsize=size, length=2.5, pad=2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.text(
        (left + inches / 2) / width, (2.2 * line + 0.16) / height, "d90, dimensions (log scale)", size=size, ha="center"
    )
    keys = [_key(kind, size) for kind in dict.fromkeys(row["threshold_kind"] for row in rows)]
    figure.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 0), ncols=1, frameon=False, fontsize=size - 0.5,
                  handletextpad=0.5, borderaxespad=0.2, labelspacing=0.3)  # fmt: skip
    return figure


def _range(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Return the ends of the axis: every mark, and the ends of the searches that stopped there; a factor of 4 at
    least, so that nearly equal values look nearly equal."""
    at = [row[key] for row in rows for key in ("d90", "d90_low", "d90_high") if row[key]]
    at += [row["d_min"] for row in rows if row["status"] == "below_range"]
    at += [row["d_max"] for row in rows if row["status"] == "above_range"]
    at = at or [row[key] for row in rows for key in ("d_min", "d_max")]
    low, high = min(at) / 1.25, max(at) * 1.25
    widen = max(1.0, 4.0 / (high / low)) ** 0.5
    return low / widen, high * widen


def _interval(axes: Any, row: dict[str, Any], y: float, colour: str, size: float) -> None:
    ends = interval(row)
    if ends:
        thick = 1.4 if row["status"] == "found" else 0.6  # an interval that is no answer is drawn thin
        axes.plot(ends, [y, y], color=colour, linewidth=thick, solid_capstyle="butt", zorder=3)
    if row["d90"] is not None:
        axes.plot([row["d90"]], [y], **_mark(row["threshold_kind"], size), linestyle="", zorder=4)
    elif row["status"] in ("above_range", "below_range"):
        start, sign = (row["d_max"], 1) if row["status"] == "above_range" else (row["d_min"], -1)
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=(start, y), xytext=(-12 * sign, 0), textcoords="offset points", arrowprops=arrow, zorder=3)


def _words(row: dict[str, Any]) -> str:
    ends = interval(row)
    text = d90_cell(row, (row["d_min"], row["d_max"]))
    if row["status"] == "found" and ends:
        return f"{text} [{whole(ends[0])}, {whole(ends[1])}]"
    short = {"not_monotone": "– not monotone", "no_baseline": "– no baseline", "budget_spent": "– budget spent"}
    return short.get(row["status"], text)


def _colour(row: dict[str, Any]) -> str:
    return OTHER if row["threshold_kind"] == "above_chance" else D90


def _mark(kind: str, size: float) -> dict[str, Any]:
    colour, mark = (OTHER, "s") if kind == "above_chance" else (D90, "o")
    return {"marker": mark, "color": colour, "markersize": 0.55 * size, "markeredgewidth": 0}


def _key(kind: str, size: float) -> Line2D:
    words = {"absolute": "threshold a share of the score", "above_chance": "threshold a share of the gain over chance"}
    label = f"{words.get(kind, kind)}: d90 and interval"
    return Line2D([], [], **_mark(kind, size), linewidth=1.4, label=label)


def _labels(records: list[SweepRecord]) -> tuple[list[str], str]:
    """Return one label per sweep from the facts in which they differ, and the facts that they share."""
    values = {key: [str(record.verdict[key]) for record in records] for key in _FIELDS}
    same = [key for key in _FIELDS if len(set(values[key])) == 1]
    differ = [key for key in _FIELDS if key not in same]
    if "method" in differ:  # groups are "none" for every other method, so they say nothing more than the method
        said = {record.verdict["groups"] for record in records if record.verdict["method"] == "said"}
        differ = [key for key in differ if key != "groups" or len(said) > 1]
    labels = [" · ".join(_word(key, values[key][i]) for key in differ) for i in range(len(records))]
    for i, record in enumerate(records):
        if labels.count(labels[i]) > 1 or not labels[i]:
            labels[i] = f"{labels[i]} {record.sweep_id[:8]}".strip()
    common = " · ".join(_word(key, values[key][0]) for key in same if values[key][0] != "none")
    return labels, common


def _word(key: str, value: str) -> str:
    if key == "method":
        return value.upper()
    return f"{value} {key}" if key in ("scope", "groups") else value
