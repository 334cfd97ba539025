"""Lines of plain text that fit: columns with one that is cut, sentences that fold, times. Imports nothing heavy."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence

from intdim.errors import visible

GAP = "  "
NARROWEST = 40
SHORT = 8  # digits of an id in a line


def width() -> int:
    """Return how many columns a line may have: those of the terminal, or of COLUMNS; 0 for a file or a pipe."""
    typed = os.environ.get("COLUMNS", "")
    if typed.isascii() and typed.isdigit() and 0 < len(typed) < 6:
        return max(NARROWEST, int(typed))
    return max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else 0


def short(name: str) -> str:
    """Return the first digits of an id."""
    return visible(name[:SHORT])


def columns(
    head: Sequence[str], rows: Sequence[Sequence[str]], cut: int, right: Sequence[int] = (), limit: int | None = None
) -> list[str]:
    """Return a table as lines of at most ``limit`` characters.

    Args:
        head: names of the columns.
        rows: cells.
        cut: the column that gives way: what does not fit ends in ``…``.
        right: columns that are flush right.
        limit: characters of a line, 0 for any number; None: ``width()``.
    """
    limit = width() if limit is None else limit
    shown = [[cell if cell.isprintable() else visible(cell) for cell in row] for row in (head, *rows)]
    wide = [max(len(row[place]) for row in shown) for place in range(len(head))]
    if limit:
        others = sum(wide) - wide[cut] + len(GAP) * (len(head) - 1)
        wide[cut] = max(8, min(wide[cut], limit - others))
    lines = []
    for row in shown:
        cells = [clipped(cell, wide[place]) if place == cut else cell for place, cell in enumerate(row)]
        padded = [
            cell.rjust(wide[place]) if place in right else cell.ljust(wide[place]) for place, cell in enumerate(cells)
        ]
        lines.append(GAP.join(padded).rstrip())
    return lines


def clipped(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def folded(text: str, indent: int = 0, limit: int | None = None) -> list[str]:
    """Return a sentence as lines of at most ``limit`` characters, each behind ``indent`` blanks."""
    limit = width() if limit is None else limit
    margin = " " * indent
    if not limit:
        return [margin + visible(text)]
    return textwrap.wrap(
        visible(text),
        limit,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [margin.rstrip()]


def pairs(table: Sequence[tuple[str, str]], indent: int = 0) -> list[str]:
    """Return names and values as lines; long values fold under themselves."""
    left = max((len(name) for name, _ in table), default=0) + len(GAP)
    lines = []
    for name, value in table:
        limit = width()
        inner = folded(value, 0, max(20, limit - indent - left) if limit else 0)
        for number, one in enumerate(inner):
            lines.append(" " * indent + ("" if number else name).ljust(left) + one)
    return [line.rstrip() for line in lines]


def local(seconds: float) -> str:
    """Return a time since the epoch in this machine's zone, as ``2026-11-27 01:36 UTC``; ``–`` for 0."""
    return time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(seconds)) if seconds else "–"


def day(seconds: float) -> str:
    """Return the day of a time since the epoch in this machine's zone, as ``2026-11-27``."""
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


def score(value: float | None, digits: int = 4) -> str:
    """Return a score with a fixed number of digits, a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"
