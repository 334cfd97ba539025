"""A task from files of the user's own: csv, tsv, jsonl or parquet, named train, validation or test.

Every reader returns the wanted columns as they stand in the file (a missing value is None) and says of a damaged file
which line is wrong. csv is quoted; tsv is not, as in the files that GLUE was published in, where a quotation mark is
a character like any other. An empty cell of a csv or tsv is a missing value: the format cannot tell them apart.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from intdim.errors import UserError

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
NAMES = "csv, tsv, jsonl or parquet"
LONGEST_FIELD = 1 << 24  # characters in one csv cell; Python's own limit of 131,072 is too small for long documents


def read_folder(
    path: str, columns: tuple[str, ...], train_split: str, eval_split: str
) -> tuple[pd.DataFrame, pd.DataFrame, str, str]:
    """Return (train, evaluation, name of the train split, name of the evaluation split) from a folder.

    ``columns`` are the wanted ones (``a | b``: the first of these that is there); none means all.

    Of a split ``validation_matched | validation`` the first is taken that there are files for, ``train_r1+train_r2``
    being two of them.

    Raises:
        UserError: no such folder, no such file, two formats of one split, a damaged file, a missing column.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        allowed = f"a folder with train.* and validation.* ({NAMES})"
        raise UserError(f"task.path={path} {what}", allowed, "Check the path.")
    train, train_files = _split_files(folder, train_split)
    evaluation, eval_files = _split_files(folder, eval_split)
    return _read_all(train_files, columns), _read_all(eval_files, columns), train, evaluation


def read_file(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the wanted columns of one file (all where none is named), values untouched (dtype object).

    Raises:
        UserError: the file is damaged, empty, not UTF-8, or a column is missing.
    """
    if file.suffix == ".parquet":
        frame = _parquet(file, columns)
    elif file.suffix == ".jsonl":
        frame = _jsonl(file, columns)
    else:
        rows = _csv_rows(file) if file.suffix == ".csv" else _tsv_rows(file)
        frame = _table(file, rows, columns)
    if not len(frame):
        raise _empty(file)
    return frame


def choose_columns(there: list[str], wanted: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Return the wanted columns by the names they have here: of ``a | b``, the first that is there.

    Raises:
        UserError: one of them is not there under any of its names; the message lists those that are.
    """
    chosen = [next((name for name in spellings(one) if name in there), "") for one in wanted]
    missing = [
        " or ".join(map(repr, spellings(one)[1:] or [one]))
        for one, name in zip(wanted, chosen, strict=True)
        if not name
    ]
    if missing:
        raise UserError(
            f"{where} has no column {', '.join(missing)}",
            f"Columns there are: {', '.join(there) or 'none'}",
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


def _split_files(folder: Path, split: str) -> tuple[str, list[Path]]:
    wanted = spellings(split)[1:] or [split]
    for name in wanted:
        files = [_one_file(folder, part) for part in name.split("+")]
        if all(files):
            return name, [file for file in files if file is not None]
    there = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    names, stem = " or ".join(wanted), wanted[-1].partition("+")[0]
    advice = f"Put {stem}.csv (or .tsv, .jsonl, .parquet) into it."
    if stem == "validation" and _one_file(folder, "test") is not None:
        advice = f"{advice[:-1]}, or write task.eval_split=test to score on the test file."
    listed = ", ".join(there[:8]) + (", ..." if len(there) > 8 else "")
    raise UserError(f"task.path={folder} has no {names} file ({NAMES})", f"Files there are: {listed or 'none'}", advice)


def _one_file(folder: Path, stem: str) -> Path | None:
    there = [folder / f"{stem}{suffix}" for suffix in FORMATS if (folder / f"{stem}{suffix}").is_file()]
    if len(there) > 1:
        raise UserError(
            f"{folder} has {len(there)} files for {stem}: {', '.join(file.name for file in there)}",
            "one file for each split",
            "Keep one of them.",
        )
    return there[0] if there else None


def _read_all(files: list[Path], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.concat([read_file(file, columns) for file in files], ignore_index=True)


def _text(file: Path) -> str:
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        known = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "latin1"
        raise UserError(
            f"{file} is not UTF-8: byte 0x{data[error.start]:02x} in line {line}",
            "text files in UTF-8",
            f"Convert it, for example: iconv -f {known} -t utf-8 {file.name}",
        ) from None


def _csv_rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields); an unfinished quote is an error, not a field that swallows the rest."""
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise _damaged(file, f"line {reader.line_num}: {error}") from None


def _tsv_rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(_text(file).split("\n"), start=1):
        line = line.removesuffix("\r")
        if line:
            yield number, line.split("\t")


def _table(file: Path, rows: Iterator[tuple[int, list[str]]], columns: tuple[str, ...]) -> pd.DataFrame:
    _, header = next(rows, (0, []))
    if not header:
        raise _empty(file)
    columns = choose_columns(header, columns, str(file)) or tuple(header)
    for name in columns:
        if header.count(name) > 1:
            raise _damaged(file, f"the header has the column {name!r} {header.count(name)} times")
    places = [header.index(name) for name in columns]
    values: list[list[str | None]] = [[] for _ in columns]
    for line, row in rows:
        if len(row) != len(header):
            raise _damaged(file, f"line {line} has {len(row)} fields, the header has {len(header)}")
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
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise _damaged(file, f"line {number} is not JSON: {error.msg} at character {error.pos + 1}") from None
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
            raise _damaged(file, f"line {number} cannot be read: {str(error).partition(';')[0]}") from None
        if not isinstance(row, dict):
            raise _damaged(file, f'line {number} is not an object such as {{"text": "...", "label": 0}}')
        there.update(dict.fromkeys(row))
        rows.append(row)
    if not rows:
        raise _empty(file)
    names = choose_columns(list(there), columns, str(file)) or tuple(there)
    return pd.DataFrame({name: [row.get(name) for row in rows] for name in names}, dtype=object)


def _parquet(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    import pyarrow
    import pyarrow.parquet

    if not file.stat().st_size:
        raise _empty(file)
    try:
        opened = pyarrow.parquet.ParquetFile(file)
        names = choose_columns(list(opened.schema_arrow.names), columns, str(file))
        table = opened.read(columns=list(names) or None)
        values = {name: table.column(name).to_pylist() for name in table.column_names}
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(file, str(error).split("\n")[0][:200]) from None
    return pd.DataFrame(values, dtype=object)


def _empty(file: Path) -> UserError:
    return UserError(f"{file} has no rows", "a file with at least a few examples", "Check how it was written.")


def _damaged(file: Path, what: str) -> UserError:
    kind = file.suffix[1:]
    return UserError(f"{file} is damaged: {what}", f"a well-formed {kind} file in UTF-8", "Repair or write it again.")
