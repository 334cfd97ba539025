"""The texts of pre-training: the built-in docstrings, or files of the user's own.

A corpus is a list of texts, each with an optional title (for a docstring: its signature as words). Plain text is read
a line, a paragraph or a whole file at a time; tables give the texts of one column.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from intdim.errors import UserError, suggest
from intdim.pretrain import docstrings as builtin
from intdim.pretrain import held_out
from intdim.spec import digest
from intdim.tasks.files import read_file

PLAIN, TABLES = (".txt", ".text", ".md"), (".jsonl", ".csv", ".tsv", ".parquet")
NAMES = "txt, md, jsonl, csv, tsv or parquet"
UNITS = ("line", "paragraph", "file")
SMALLEST_CORPUS = 200  # texts: below that a vocabulary means nothing
LONG_TEXT = 100  # characters: longer units than lines may be fewer, if they hold as much as so many short ones


@dataclass(frozen=True)
class Corpus:
    """Texts, their titles ("" for none) and where each comes from; replacements come from the same source."""

    name: str
    titles: list[str]
    texts: list[str]
    sources: list[str]

    @property
    def fingerprint(self) -> str:
        """16 hex digits over titles, texts and sources."""
        return digest([self.titles, self.texts, self.sources])


def docstring_corpus() -> Corpus:
    """Return the pre-training half of the built-in corpus, without what a built-in task shows: the signature as words,
    then the docstring."""
    half = [one for one in builtin.docstrings() if builtin.part_of(one.module) == "pretrain"]
    chosen = [one for one in half if not held_out.in_a_task(one.text)]
    titles = [builtin.signature_words(one.signature) for one in chosen]
    return Corpus("docstrings", titles, [one.text for one in chosen], [one.package for one in chosen])


def read_corpus(name: str, path: str = "", column: str = "text", unit: str = "line") -> Corpus:
    """Return the corpus ``docstrings``, or the texts of a file or of all files below a folder.

    Args:
        name: of a built-in corpus; a ``path`` comes before it.
        path: a table (.jsonl, .csv, .tsv, .parquet), plain text (any other name), or a folder with such files.
        column: of the tables, with the texts.
        unit: what one text of a plain file is: ``line``, ``paragraph`` (up to an empty line) or ``file``.

    Raises:
        UserError: there is no such corpus; a file is missing, empty, binary, damaged or without the column; or all of
            them together are too small to learn from.
    """
    if not path:
        if name == "docstrings":
            return docstring_corpus()
        raise UserError(f"unknown corpus {name!r}", suggest(name, ["docstrings"]), "Set corpus.path for a file.")
    place = Path(path).expanduser()
    files = _files(place, path)
    texts: list[str] = []
    sources: list[str] = []
    for file in files:
        found = _table(file, column) if file.suffix in TABLES else _split(_plain(file), unit)
        kept = [text.strip() for text in found if text.strip()]
        if not kept and place.is_dir():
            continue  # an empty file among others
        texts += kept
        sources += [file.name if file == place else file.parent.relative_to(place).as_posix()] * len(kept)
    _check_size(place, texts, short=unit == "line" and not any(file.suffix in TABLES for file in files))
    return Corpus(place.name or place.resolve().name, [""] * len(texts), texts, sources)


def _files(place: Path, path: str) -> list[Path]:
    allowed = f"a file or a folder with files ({NAMES})"
    if place.is_file():
        if place.suffix not in TABLES and place.suffix.lower() in (".json", *TABLES):
            raise UserError(f"corpus.path={path} ends in {place.suffix}", f"{allowed}, by these endings", "Rename it "
                            "(.jsonl holds an object a line).")  # fmt: skip
        return [place]
    if not place.is_dir():
        what = "is no file" if place.exists() else "is no file (there is nothing)"
        raise UserError(f"corpus.path={path} {what}", allowed, "Check the path.")

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}", allowed, "Check its permissions.")

    found: list[Path] = []
    others: set[str] = set()
    for folder, inner, names in os.walk(place, onerror=refuse):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            if Path(name).suffix in (*PLAIN, *TABLES):
                found.append(Path(folder) / name)
            else:
                others.add(name)
    if not found:
        listed = ", ".join(sorted(others)[:6]) or "nothing"
        raise UserError(f"corpus.path={path} holds no texts (it holds {listed})", allowed, "Check the path.")
    return found


def _plain(file: Path) -> str:
    allowed, do = f"UTF-8 text, or a table ({', '.join(TABLES)})", "Convert the file."
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text (byte {error.start})", allowed, do) from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}", allowed, "Check its permissions.") from None
    if "\0" in text:
        raise UserError(f"{file} is binary (it holds a NUL at character {text.index(chr(0))})", allowed, do)
    return text


def _split(text: str, unit: str) -> list[str]:
    if unit == "file":
        return [text]
    return text.splitlines() if unit == "line" else re.split(r"\n[^\S\n]*\n", text.replace("\r\n", "\n"))


def _table(file: Path, column: str) -> list[str]:
    if file.suffix == ".parquet":
        values = _parquet_column(file, column)
    else:
        try:
            frame = read_file(file, ())
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}", "a readable file", "") from None
        _check_column(file, list(frame.columns), column)
        values = list(frame[column])
    return _only_texts(file, column, values)


def _parquet_column(file: Path, column: str) -> list[object]:
    import pyarrow
    import pyarrow.parquet

    try:
        _check_column(file, pyarrow.parquet.read_schema(file).names, column)
        return pyarrow.parquet.read_table(file, columns=[column]).column(0).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0][:120]
        raise UserError(f"{file} cannot be read ({reason})", "a whole parquet file", "Write it again.") from None


def _check_column(file: Path, names: list[str], column: str) -> None:
    if column not in names:
        raise UserError(f"{file} has no column {column!r}", f"columns: {', '.join(names)}", "Set corpus.column.")


def _only_texts(file: Path, column: str, values: Iterable[object]) -> list[str]:
    texts: list[str] = []
    for value in values:
        if isinstance(value, str):
            texts.append(value)
        elif value is not None:
            kind = type(value).__name__
            raise UserError(f"column {column!r} of {file} holds {kind}", "a column of texts", "Set corpus.column.")
    return texts


def _check_size(place: Path, texts: list[str], short: bool) -> None:
    characters, least = sum(map(len, texts)), f"at least {SMALLEST_CORPUS}"
    if len(texts) >= SMALLEST_CORPUS or (not short and characters >= SMALLEST_CORPUS * LONG_TEXT):
        return
    if short:
        more = "Use a larger corpus, or corpus.unit=paragraph or file where a text is more than a line."
        raise UserError(f"{place} holds {len(texts)} texts", f"{least}, one per line", more)
    fact = f"{place} holds {len(texts)} texts with {characters:,} characters"
    raise UserError(fact, f"{least}, or {SMALLEST_CORPUS * LONG_TEXT:,} characters", "Use a larger corpus.")
