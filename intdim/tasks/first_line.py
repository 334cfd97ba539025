"""What is wrong with the first line of a csv or tsv that does not name the label: another separator, or no header."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from intdim.errors import UserError
from intdim.tasks.echo import quoted

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
OWN = {".csv": ",", ".tsv": "\t"}
MANY_WORDS = 5  # in one cell: a name has fewer
LOOKED_AT = 1000  # rows below, for one that repeats a cell of the first line


def check_separator(file: Path, text: str, label: Sequence[str]) -> None:
    """Raise ``UserError`` where the first line is separated by another sign than the file's ending says.

    Args:
        file: a csv or tsv.
        text: its content.
        label: what the column of labels may be called.
    """
    line, own = text.lstrip().partition("\n")[0], OWN[file.suffix]
    if _names(line, own) & set(label):
        return
    alone = own not in line
    for separator, called in SEPARATORS.items():
        if separator != own and separator in line and (alone or _names(line, separator) & set(label)):
            raise UserError(
                f"{file} is separated by {called}, not by {SEPARATORS[own]}",
                "commas in a .csv, tabs in a .tsv",
                _advice(file, separator),
            )


def check_header(file: Path, header: Sequence[str], rows: Iterable[Sequence[str]], label: Sequence[str]) -> None:
    """Raise ``UserError`` where the first line does not name the label and looks like a row of data.

    A cell of many words is no name, and neither is one that a row below repeats in the same column, as a class.

    Args:
        file: a csv or tsv.
        header: its first line, in fields.
        rows: some of the lines below.
        label: what the column of labels may be called.
    """
    if set(header) & set(label):
        return
    others = [row for row in rows if list(row) != list(header)]
    below = [{row[place].strip() for row in others if place < len(row)} for place in range(len(header))]
    found = [cell for cell, known in zip(header, below, strict=True) if cell and cell in known]
    found += [cell for cell in header if len(cell.split()) >= MANY_WORDS]
    if found:
        example = "\t".join(("text", label[-1])) if file.suffix == ".tsv" else f"text,{label[-1]}"
        raise UserError(
            f"{file} seems to have no header: its first line looks like data ({quoted(found[0])})",
            f"a first line with the names of the columns, such as {example}",
            "Write the names above the first row. If they are there, say which is the label: task.label=...",
        )


def _names(line: str, separator: str) -> set[str]:
    return {part.strip(" \t\r\"'\ufeff\u200b") for part in line.split(separator)}


def _advice(file: Path, separator: str) -> str:
    fitting = next((suffix for suffix, own in OWN.items() if own == separator), "")
    if fitting == ".tsv":
        return f"Write it with commas; or, if no cell is in quotes, call it {file.stem}.tsv."
    if fitting:
        return f"Call it {file.stem}{fitting}, or write it with tabs."
    return f"Write it with commas, in pandas: read_csv(..., sep={separator!r}).to_csv(..., index=False)."
