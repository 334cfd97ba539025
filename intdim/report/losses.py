"""The loss curve of a pre-training, from the lines of its metrics.jsonl: the picture and the CSV beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from intdim import durable
from intdim.ledger.records import read_metrics
from intdim.report.sheets import csv_text
from intdim.report.style import BAR, CURVE, INK, drawing, render

NAMES = {"masked_loss": ("masked tokens", CURVE, "-"), "next_loss": ("replaced segments", BAR, "--")}


def write_losses(out: Path) -> list[Path]:
    """Write loss.csv, loss.png and loss.pdf beside ``out``'s metrics.jsonl; return the files."""
    rows = read_metrics(out)
    columns = list(rows[0])
    table, *pictures = [out / f"loss.{kind}" for kind in ("csv", "png", "pdf")]

    durable.write_text(table, csv_text(columns, [[row.get(column) for column in columns] for row in rows]))
    for file in pictures:
        durable.write_bytes(file, render(lambda: draw_losses(rows), file.suffix[1:]))
    return [table, *pictures]


def draw_losses(rows: Sequence[Mapping[str, float]], width: float = 6.0) -> Figure:
    """Draw each loss in nats against steps, one panel each: their sizes differ.

    Args:
        rows: lines of metrics.jsonl: ``step`` and the losses by name.
        width: of the figure, in inches.
    """
    names = [name for name in NAMES if name in rows[0]]
    steps = [row["step"] for row in rows]
    with drawing():
        figure = Figure(figsize=(width, 1.75 * len(names) + 0.35))
        for place, name in enumerate(names):
            title, colour, style = NAMES[name]
            values = [row[name] for row in rows]
            axes = figure.add_subplot(len(names), 1, place + 1)
            axes.plot(steps, values, style, color=colour, linewidth=1.2, marker="o", markersize=2.4)

            axes.set_title(f"{title}: {values[-1]:.3f} at the end", loc="left", fontsize=8, color=INK, pad=4)
            axes.set_ylabel("loss (nats)", fontsize=8)
            axes.set_xlim(0, steps[-1] * 1.02)
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.tick_params(labelsize=8, length=2.5)
            axes.spines[["top", "right"]].set_visible(False)

        axes.set_xlabel("updates (each point: the mean since the one before)", fontsize=8)
        figure.subplots_adjust(left=0.1, right=0.98, top=1 - 0.28 / figure.get_figheight(),
                               bottom=0.42 / figure.get_figheight(), hspace=0.55)  # fmt: skip
    return figure
