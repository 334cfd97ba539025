"""Texts to pre-train on: what is read from files and folders, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from intdim.cli.pretrain import UNITS as TYPED
from intdim.errors import UserError
from intdim.pretrain.texts import UNITS, read_corpus

TEXTS = [f'the {number}th text, with a comma and "quotes"' for number in range(240)]


def read(place: Path, **named: str) -> list[str]:
    return read_corpus("docstrings", str(place), **named).texts


def write(folder: Path, name: str, texts: list[str], column: str = "text") -> Path:
    """Write texts into a file of the format that its name says."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame({column: texts, "n": range(len(texts))})
    if file.suffix == ".parquet":
        frame.to_parquet(file)
    elif file.suffix == ".csv":
        frame.to_csv(file, index=False)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps({column: text}) + "\n" for text in texts))
    elif file.suffix == ".tsv":
        file.write_text("\n".join([column, *texts]))
    else:
        file.write_text("\n\n".join(texts) + "\n")
    return file


@pytest.mark.parametrize("name", ["a.txt", "a.md", "corpus", "a.jsonl", "a.csv", "a.tsv", "a.parquet"])
def test_every_format_gives_the_same_texts(name: str, tmp_path: Path) -> None:
    assert read(write(tmp_path, name, TEXTS)) == TEXTS


def test_missing_values_and_blank_lines_are_no_texts(tmp_path: Path) -> None:
    pd.DataFrame({"text": [*TEXTS, None, " "]}).to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == TEXTS


def test_a_folder_is_all_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "a/two.txt", TEXTS[100:200])
    write(tmp_path, "a/one.txt", TEXTS[:100])
    write(tmp_path, "b/three.jsonl", TEXTS[200:])
    (tmp_path / "b" / "empty.txt").write_text("")
    (tmp_path / "b" / "picture.png").write_bytes(b"\0")
    (tmp_path / ".hidden.txt").write_text("no")
    made = read_corpus("docstrings", str(tmp_path))
    assert made.texts == TEXTS
    assert made.sources == ["a"] * 200 + ["b"] * 40
    assert made.name == tmp_path.name


def test_units(tmp_path: Path) -> None:
    assert TYPED == UNITS
    paragraphs = [f"a first line of {number}\nand a second" for number in range(300)]
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("\n \n".join(paragraphs[number * 100 : number * 100 + 100]))
    assert read(tmp_path, unit="paragraph") == paragraphs
    assert len(read(tmp_path, unit="line")) == 600
    with pytest.raises(UserError, match="3 texts with"):
        read(tmp_path, unit="file")
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("word " * 2000)
    assert len(read(tmp_path, unit="file")) == 3


BAD = {
    "missing.txt": (None, "is no file"),
    "empty.txt": (b"", "holds 0 texts"),
    "blank.txt": (b" \n\n\t\n", "holds 0 texts"),
    "one.txt": (b"word " * 9000, "holds 1 texts"),
    "small.txt": (b"one\ntwo\n", "holds 2 texts"),
    "latin.txt": ("größer\n".encode("latin-1") * 300, "not UTF-8"),
    "zero.bin": (b"a\0b\n" * 300, "is binary"),
    "a.json": (b'[{"text": "x"}]', "ends in .json"),
    "a.CSV": (b"text\nx\n", "ends in .CSV"),
    "damaged.parquet": (b"PAR1 and nothing else", "cannot be read"),
    "empty.parquet": (b"", "cannot be read"),
    "empty.csv": (b"", "has no rows"),
    "damaged.jsonl": (b'{"text": "x"}\n{"text"\n', "line 2 is not JSON"),
    "small.jsonl": (b'{"text": "x"}\n', "holds 1 texts"),
    "other.jsonl": (b'{"words": "x"}\n', "no column 'text'"),
    "numbers.jsonl": (b'{"text": 3}\n', "holds int"),
    "other.csv": (b"words,n\nx,3\n", "no column 'text'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_give_one_clear_error(name: str, tmp_path: Path) -> None:
    data, message = BAD[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path / name)
    assert str(caught.value).count("\n") <= 2


def test_bad_columns_names_and_folders_give_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no texts \(it holds nothing\)"):
        read(tmp_path)
    pd.DataFrame({"words": ["x"] * 300, "n": range(300)}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(UserError, match="no column 'text'") as caught:
        read(tmp_path / "a.parquet")
    assert caught.value.parts[1:] == ("columns: words, n", "Set corpus.column.")
    with pytest.raises(UserError, match="holds int"):
        read(tmp_path / "a.parquet", column="n")
    with pytest.raises(UserError, match="unknown corpus 'docstring'"):
        read_corpus("docstring")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "data.zip").write_bytes(b"")
    with pytest.raises(UserError, match=r"it holds data\.zip"):
        read(tmp_path / "inner")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files(tmp_path: Path) -> None:
    file = write(tmp_path, "a.txt", TEXTS)
    file.chmod(0)
    with pytest.raises(UserError, match="cannot be read"):
        read(tmp_path)
