"""CSV files of a report: what is text for us is text for a spreadsheet, too, and numbers keep every digit.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula and computes it, whoever named a
model so. Such a text is written with an apostrophe before it, which ``plain_text`` takes away again.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from intdim.durable import read_bytes

FORMULA = re.compile(r"'*(?:\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")


def cell_text(text: str) -> str:
    """Return a text as a cell that no spreadsheet computes."""
    return f"'{text}" if FORMULA.match(text) and not _is_number(text) else text


def plain_text(cell: str) -> str:
    """Return the text that ``cell_text`` made a cell of."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as the text of a CSV with these columns; None is an empty cell, numbers keep every digit."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([cell_text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


def records_csv(kind: type, records: Iterable[Any]) -> str:
    """Return instances of the dataclass ``kind`` as the text of a CSV with a column for each field."""
    names = [field.name for field in fields(kind)]
    return csv_text(names, [[getattr(record, name) for name in names] for record in records])


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV of a report, by column; every cell as text.

    Raises:
        OSError: it cannot be read, or is no plain file.
        ValueError: it is not UTF-8.
    """
    text = read_bytes(path).decode("utf-8")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [{name: plain_text(cell) for name, cell in row.items()} for row in rows]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
