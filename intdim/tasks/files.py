"""One file of rows in csv, tsv, jsonl or parquet, and how its columns are called.

Every reader returns the wanted columns as they stand in the file (a missing value is None) and says of a damaged file
which line is wrong. csv is quoted; tsv is not, as in the files that GLUE was published in, where a quotation mark is
a character like any other. An empty cell of a csv or tsv is a missing value: the format cannot tell them apart.
Blanks around the names of columns are no part of them. Only regular files are opened: a pipe would be waited for.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from intdim.errors import UserError
from intdim.tasks import first_line
from intdim.tasks.echo import listed, plain, quoted

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
NAMES = "csv, tsv, jsonl or parquet"
LONGEST_FIELD = 1 << 24  # characters in one csv cell; Python's own limit of 131,072 is too small for long documents
LARGEST_NOTE = 1 << 24  # bytes of a file that describes others


def read_file(file: Path, columns: tuple[str, ...], label: str = "") -> pd.DataFrame:
    """Return the wanted columns of one file (all where none is named), values untouched (dtype object).

    Args:
        file: which.
        columns: the wanted ones.
        label: of the columns, the one with labels, if there must be one: a csv or tsv without it is asked whether it
            is separated otherwise, or has no header.

    Raises:
        UserError: the file is damaged, empty, not UTF-8, or a column is missing.
    """
    if not regular(file):
        raise UserError(f"{plain(str(file), 200)} is no file", f"a {NAMES} file", "Check the path.")
    if file.suffix == ".parquet":
        frame = _parquet(file, columns)
    elif file.suffix == ".jsonl":
        frame = _jsonl(file, columns)
    else:
        text = _text(file)
        if label:
            first_line.check_separator(file, text, spellings(label))
        rows = _csv_rows(file, text) if file.suffix == ".csv" else _tsv_rows(text)
        frame = _table(file, rows, columns, label)
    if not len(frame):
        raise empty(file)
    return frame


def choose_columns(there: list[str], wanted: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Return the wanted columns by the names they have here: of ``a | b``, the first that is there.

    Raises:
        UserError: one of them is not there under any of its names; the message lists those that are.
    """
    chosen = [next((name for name in spellings(one) if name in there), "") for one in wanted]
    missing = [
        " or ".join(map(quoted, spellings(one)[1:] or [one]))
        for one, name in zip(wanted, chosen, strict=True)
        if not name
    ]
    if missing:
        raise UserError(
            f"{where} has no column {', '.join(missing)}",
            f"Columns there are: {listed(there, 12) or 'none'}",
            "Name the columns with task.text=[...] (or [] to find them) and task.label=...",
        )
    return tuple(chosen)


def usual(name: str) -> str:
    """Return the first of the names ``a | b``, which is the hub's."""
    return spellings(name)[:2][-1]


def spellings(name: str) -> list[str]:
    """Return what a column or a class may be called: the name itself and, of ``a | b``, each part, the usual first."""
    parts = [part.strip() for part in name.split(" | ")]
    return [name, *parts] if len(parts) > 1 else [name]


def regular(file: Path) -> bool:
    """Tell whether there is a file; raise ``UserError`` for what is there but cannot be read like one (a pipe)."""
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        if file.is_symlink():
            raise UserError(f"{file} is a link to nothing", "a file", "Repair the link or remove it.") from None
        return False
    except OSError as error:
        raise UserError(f"{file} cannot be opened: {error.strerror}", "a file that can be read", "Repair it.") from None
    if stat.S_ISDIR(mode):
        return False
    if not stat.S_ISREG(mode):
        raise UserError(f"{file} is no regular file but a pipe, a socket or a device", "a file", "Write the rows out.")
    return True


def small_text(file: Path) -> str:
    """Return a file that describes others; raise ``UserError`` where it is far too large for one."""
    if file.stat().st_size > LARGEST_NOTE:
        raise damaged(file, f"it has {file.stat().st_size:,} bytes")
    return _text(file)


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}", "a file that can be read", "Repair it.") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        here, new = shlex.quote(str(file)), shlex.quote(f"{file.stem}.utf8{file.suffix}")
        known = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "latin1"
        raise UserError(
            f"{file} is not UTF-8: byte 0x{data[error.start]:02x} in line {line}",
            "text files in UTF-8",
            f"Convert it, for example: iconv -f {known} -t utf-8 {here} > {new}; if that is right: mv {new} {here}",
        ) from None


def _csv_rows(file: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields); an unfinished quote is an error, not a field that swallows the rest."""
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise damaged(file, f"line {reader.line_num}: {error}") from None


def _tsv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")
        if line:
            yield number, line.split("\t")


def _table(
    file: Path, rows: Iterator[tuple[int, list[str]]], columns: tuple[str, ...], label: str = ""
) -> pd.DataFrame:
    _, header = next(rows, (0, []))
    if not header:
        raise empty(file)
    header = [bare(name) for name in header]
    if label and not set(header) & set(spellings(label)):
        above = list(itertools.islice(rows, first_line.LOOKED_AT))
        first_line.check_header(file, header, [row for _, row in above], spellings(label))
        rows = itertools.chain(above, rows)
    columns = choose_columns(header, columns, str(file)) or tuple(header)
    for name in columns:
        if header.count(name) > 1:
            raise damaged(file, f"the header has the column {quoted(name)} {header.count(name)} times")
    places = [header.index(name) for name in columns]
    values: list[list[str | None]] = [[] for _ in columns]
    for line, row in rows:
        if len(row) != len(header):
            raise damaged(file, f"line {line} has {len(row)} fields, the header has {len(header)}")
        for column, place in zip(values, places, strict=True):
            column.append(row[place] or None)
    return pd.DataFrame(dict(zip(columns, values, strict=True)), dtype=object)


def _jsonl(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    there: dict[str, None] = {}
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            raise damaged(file, f"line {number} is not JSON: {error.msg} at character {error.pos + 1}") from None
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
            raise damaged(file, f"line {number} cannot be read: {str(error).partition(';')[0]}") from None
        if not isinstance(row, dict):
            raise damaged(file, f'line {number} is not an object such as {{"text": "...", "label": 0}}')
        there.update(dict.fromkeys(row))
        rows.append(row)
    if not rows:
        raise empty(file)
    written = bare_names(list(there), file, columns)
    names = choose_columns(list(written), columns, str(file)) or tuple(written)
    return pd.DataFrame({name: [row.get(written[name]) for row in rows] for name in names}, dtype=object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the table of one JSON object; of a name that occurs twice, the last value would win in silence."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {quoted(twice)} occurs twice in one object")
    return made


def _parquet(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    import pyarrow
    import pyarrow.parquet

    if not file.stat().st_size:
        raise empty(file)
    try:
        opened = pyarrow.parquet.ParquetFile(file)
        written = bare_names(list(opened.schema_arrow.names), file, columns)
        names = choose_columns(list(written), columns, str(file)) or tuple(written)
        table = opened.read(columns=[written[name] for name in names])
        frame = frame_of(table, tuple(written[name] for name in names))
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise damaged(file, plain(str(error).split("\n")[0], 200)) from None
    return frame.set_axis(list(names), axis=1)


def frame_of(table: Any, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return columns of an Arrow table as plain Python values (dtype object); categories as what they stand for."""
    return pd.DataFrame({name: table.column(name).to_pylist() for name in columns}, dtype=object)


def empty(file: Path) -> UserError:
    """Return the error for a file without rows."""
    return UserError(f"{file} has no rows", "a file with at least a few examples", "Check how it was written.")


def damaged(file: Path, what: str) -> UserError:
    """Return the error for a file that cannot be read."""
    kind = file.suffix[1:] or "data"
    return UserError(f"{file} is damaged: {what}", f"a well-formed {kind} file in UTF-8", "Repair or write it again.")


def bare(name: str) -> str:
    """Return a column's name without blanks and byte order marks around it."""
    return name.strip().strip("\ufeff\u200b").strip()


def bare_names(there: list[str], file: Path, wanted: tuple[str, ...]) -> dict[str, str]:
    """Return the columns' names as they stand in a file by their bare names.

    Raises:
        UserError: two of them differ in blanks alone, and one of them is wanted (or none is named).
    """
    made: dict[str, str] = {}
    for name in there:
        short = bare(name)
        if short in made and (not wanted or short in wanted):
            count = [bare(one) for one in there].count(short)
            raise damaged(file, f"the header has the column {quoted(short)} {count} times")
        made.setdefault(short, name)
    return made
