"""How figures look, and how they and their numbers become files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from intdim.durable import write_bytes, write_text

NARROW = 3.3  # inches, one column of a journal
WIDE = 6.0  # inches, the text width of a page
FILES = {".png": WIDE, ".pdf": WIDE, "-narrow.pdf": NARROW}  # width of each picture, by the end of its file name

# Okabe and Ito's colours: told apart by readers with any of the common colour deficiencies. Line styles and marks
# differ as well, for print without colour.
RUN, CURVE, BASELINE, BAR, CHANCE, D90 = "#333333", "#0072B2", "#007A5A", "#C04F00", "#6B6B6B", "#A3478A"
INK = "#1A1A1A"

# Type 42 keeps letters as letters in a PDF, which journals ask for.
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same picture on every machine
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "savefig.bbox": None,
    "path.simplify": False,
}
# No dates and no versions: the same data gives the same bytes.
_METADATA = {"png": {"Software": None}, "pdf": {"Creator": None, "Producer": None, "CreationDate": None}}


def letter_size(width: float) -> float:
    """Return the size of letters in points for a figure of this width in inches."""
    return 8.0 if width >= 4.5 else 7.0


def render(draw: Callable[[], Figure], kind: str) -> bytes:
    """Return a figure as PNG (200 dots per inch) or PDF; the same data gives the same bytes."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        draw().savefig(buffer, format=kind, dpi=200, metadata=_METADATA[kind])
    return buffer.getvalue()


def write_figure(folder: Path, stem: str, numbers: str, draw: Callable[[float], Figure]) -> bytes:
    """Write a figure in every width and kind of file, and beside them the CSV that it was drawn from.

    Args:
        folder: that the files go into.
        stem: of their names.
        numbers: the text of the CSV.
        draw: makes the figure for a width in inches.

    Returns:
        The PNG.
    """
    write_text(folder / f"{stem}.csv", numbers)
    made = {}
    for end, width in FILES.items():
        made[end] = render(lambda: draw(width), end.rpartition(".")[2])  # noqa: B023
        write_bytes(folder / f"{stem}{end}", made[end])
    return made[".png"]


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as the text of a CSV with these columns; None is an empty cell, numbers keep every digit."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return text.getvalue()


def records_csv(kind: type, records: Iterable[Any]) -> str:
    """Return instances of the dataclass ``kind`` as the text of a CSV with a column for each field."""
    names = [field.name for field in fields(kind)]
    return csv_text(names, [[getattr(record, name) for name in names] for record in records])
