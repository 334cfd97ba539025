"""Files that are absent, damaged or hold no text: each with one clear message."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from . import made
from .made import folder, pairs, refused, request, rows, write


def test_no_folder_no_file(tmp_path):
    assert "does not exist" in refused(request(tmp_path / "nowhere"))
    file = write(tmp_path, "train.csv", rows(4))
    assert "is a file" in refused(request(file))
    assert "no validation file" in refused(request(tmp_path))
    write(tmp_path, "test.csv", rows(4))
    message = refused(request(tmp_path))
    assert "test.csv, train.csv" in message
    assert "task.eval_split=test" in message
    file.rename(tmp_path / "train.txt")
    message = refused(request(tmp_path))
    assert "no train file (csv, tsv, jsonl or parquet)" in message
    assert "train.txt" in message
    assert "task.path is empty" in refused(request())


@pytest.mark.parametrize("name", ["dev", "valid", "val", "eval"])
def test_an_evaluation_split_of_another_name_is_offered(tmp_path, name):
    write(tmp_path, "train.csv", rows(4))
    write(tmp_path, f"{name}.csv", rows(4))
    assert f"write task.eval_split={name} to score on the {name} split" in refused(request(tmp_path))


def test_a_split_that_was_asked_for_is_there_or_missed(tmp_path):
    path = folder(tmp_path)
    message = refused(request(path, eval_split="test"))
    assert "has no test file" in message
    assert "train.csv, validation.csv" in message
    assert "has no train_r1+train_r2 file" in refused(request(path, train_split="train_r1+train_r2"))
    assert "has no dev or test file" in refused(request(path, eval_split="dev | test"))


def test_two_formats_of_one_split(tmp_path):
    write(folder(tmp_path), "train.parquet", rows(4))
    assert "2 files for train: train.csv, train.parquet" in refused(request(tmp_path))


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_empty_files(tmp_path, kind):
    path = folder(tmp_path, kind=kind)
    (path / f"train.{kind}").write_bytes(b"")
    assert f"train.{kind} has no rows" in refused(request(path))
    if kind != "jsonl":
        write(path, f"train.{kind}", rows(0))
        assert f"train.{kind} has no rows" in refused(request(path))


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_a_missing_column_lists_those_there_are(tmp_path, kind):
    message = refused(request(folder(tmp_path, kind=kind), text=("sentence",)))
    assert "no column 'sentence'" in message
    assert "text, label" in message
    assert "no column 'target'" in refused(request(folder(tmp_path, kind=kind), label="target"))
    assert "no column 'target'" in refused(request(folder(tmp_path, kind=kind), label="target", text=()))


def test_a_column_missing_in_evaluation_alone(tmp_path):
    path = folder(tmp_path, validation=rows(10).rename(columns={"text": "words"}))
    for text in (("text",), ()):
        assert "words, label" in refused(request(path, text=text))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("train.csv", b"text,label\na,0\nb,1,2\n", "line 3 has 3 fields, the header has 2"),
        ("train.csv", b"text,label\na,0\nb\n", "line 3 has 1 fields"),
        ("train.csv", b'text,label\na,0\n"b,1\nc,0\n', "line 4"),
        ("train.csv", b'label,text\n0,a\n1,"b\n0,c\n', "line 4: unexpected end of data"),
        ("train.csv", b"text,text,label\na,b,0\n", "the header has the column 'text' 2 times"),
        ("train.tsv", b"text\tlabel\na\t0\nb\n", "line 3 has 1 fields"),
        ("train.jsonl", b'{"text": "a", "label": 0}\n{"text": "b", "la', "line 2 is not JSON"),
        ("train.jsonl", b'{"text": "a", "label": 0}\n["b", 1]\n', "line 2 is not an object"),
        (
            "train.jsonl",
            b'{"text": "a", "label": 0}\n' + b"[" * 100_000 + b"\n",
            "line 2 cannot be read: maximum recursion",
        ),
        ("train.jsonl", b'{"text": "a", "label": ' + b"9" * 5000 + b"}\n", "line 1 cannot be read: Exceeds the limit"),
        ("train.jsonl", b'{"text": "a", "label": 0, "label": 1}\n', "the name 'label' occurs twice in one object"),
        ("train.parquet", b"PAR1 this is not a parquet file PAR1", "is damaged"),
        ("train.parquet", b"text,label\na,0\n", "is damaged"),
    ],
)
def test_damaged_files_say_where(tmp_path, name, content, expected):
    path = folder(tmp_path)
    (path / "train.csv").unlink()
    (path / name).write_bytes(content)
    message = refused(request(path))
    assert name in message
    assert expected in message


def test_a_parquet_file_that_was_cut_or_overwritten(tmp_path):
    file = folder(tmp_path, rows(2000), kind="parquet") / "train.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "train.parquet is damaged" in refused(request(tmp_path))
    file.write_bytes(whole[:100] + bytes(200) + whole[300:])
    assert "train.parquet is damaged" in refused(request(tmp_path))


def test_a_file_that_is_not_utf8(tmp_path):
    path = folder(tmp_path)
    (path / "train.csv").write_bytes("text,label\nplain,0\ncafé,1\n".encode("latin1"))
    message = refused(request(path))
    assert "not UTF-8: byte 0xe9 in line 3" in message
    assert "iconv -f latin1" in message
    (path / "train.csv").write_text("text,label\nplain,0\n", encoding="utf-16")
    assert "iconv -f utf-16" in refused(request(path))


@pytest.mark.skipif(shutil.which("iconv") is None, reason="needs iconv")
def test_the_command_that_makes_a_file_utf8_can_be_pasted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = folder(tmp_path / "my reviews")
    (path / "train.csv").write_bytes("text,label\ncafé,0\nthé,1\n".encode("latin1"))
    said = refused(request(path)).partition("for example: ")[2]
    convert, move = said.split("; if that is right: ")
    subprocess.run(["sh", "-c", convert], check=True)
    assert (path / "train.csv").read_bytes().decode("latin1") == "text,label\ncafé,0\nthé,1\n", "it is still there"
    subprocess.run(["sh", "-c", move], check=True)
    assert made.read(request(path)).train["text"].tolist() == ["café", "thé"]


def test_half_a_surrogate(tmp_path):
    path = folder(tmp_path, kind="jsonl")
    (path / "train.jsonl").write_text('{"text": "a", "label": 0}\n{"text": "\\ud800", "label": 1}\n')
    assert "row 2 of train" in refused(request(path))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_text_columns_of_nulls(tmp_path, kind):
    table = rows(20)
    table.loc[[4, 7, 9], "text"] = None
    message = refused(request(folder(tmp_path / "some", table, kind=kind)))
    assert "is empty in 3 of 20 rows (first: row 5)" in message
    nothing = rows(20).assign(text=None)
    assert "empty in all 20 rows" in refused(request(folder(tmp_path / "all", nothing, kind=kind)))
    message = refused(request(folder(tmp_path / "all", nothing, kind=kind), text=()))
    assert "0 columns hold text (text: nothing in all 20 rows)" in message


def test_blank_texts(tmp_path):
    table = pairs(8)
    table.loc[2, "second"] = ""
    one_side = made.read(request(folder(tmp_path / "a", table, table, "parquet"), text=("first", "second")))
    assert one_side.train["second"].tolist()[2] == ""
    table.loc[2, "first"] = "  "
    message = refused(request(folder(tmp_path / "b", table, table, "parquet"), text=("first", "second")))
    assert "1 of 8 rows of train have only blank text (first: row 3)" in message


def test_text_that_is_no_text(tmp_path):
    table = rows(8).assign(text=list(range(8)))
    assert "holds a int in row 1" in refused(request(folder(tmp_path, table, kind="parquet")))


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_blanks_around_names_of_columns_are_no_part_of_them(tmp_path, kind):
    odd = rows(20).rename(columns={"text": " text", "label": "label \ufeff"})
    found = made.read(request(folder(tmp_path, odd, kind=kind)))
    assert found.train["text"].tolist() == rows(20)["text"].tolist()
    twice = rows(20).assign(**{" text ": "other"})
    message = refused(request(folder(tmp_path / "twice", twice, kind=kind)))
    assert "the header has the column 'text' 2 times" in message


def test_every_kind_of_words_and_whole_numbers_in_parquet(tmp_path):
    texts, labels = rows(8)["text"].tolist(), ["b", "a"] * 4
    strings = [pyarrow.array(texts, kind) for kind in (pyarrow.large_string(), pyarrow.string_view())]
    strings.append(pyarrow.array(texts).dictionary_encode())
    kinds = pyarrow.array(pd.Categorical(labels, categories=["b", "a"], ordered=True))
    for number, words in enumerate(strings):
        folder(tmp_path / str(number), kind="parquet", validation=rows(8, start=90).assign(label=labels))
        pyarrow.parquet.write_table(
            pyarrow.table({"text": words, "label": kinds}), tmp_path / str(number) / "train.parquet"
        )
        found = made.read(request(tmp_path / str(number), text=()))
        assert found.train["text"].tolist() == texts
        assert (found.label_names, found.train["label"].tolist()[:2]) == (("a", "b"), [1, 0])
    nullable = rows(20).assign(label=pd.array(rows(20)["label"], dtype="Int8"))
    assert made.read(request(folder(tmp_path / "n", nullable, kind="parquet"))).label_names == ("0", "1")
    nullable.loc[3, "label"] = None
    assert "1 of 20 rows of train have no label (first: row 4)" in refused(
        request(folder(tmp_path / "m", nullable, kind="parquet"))
    )


PIPES = """
import os, sys
from pathlib import Path
from tests.tasks import made
folder, name = Path(sys.argv[1]), sys.argv[2]
for file in folder.rglob("*"):
    if file.name == name:
        file.unlink()
        os.mkfifo(file)
hub = made.request(source="hub", reference=str(folder))
print(made.refused(hub if sys.argv[3:] else made.request(folder)))
"""


def ended(folder: Path, name: str, *more: str) -> str:
    """The message for a folder in which a file is a pipe that nobody writes to."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PIPES, str(folder), name, *more],
        cwd=root, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_pipe_is_not_waited_for(tmp_path):
    assert "train.csv is no regular file" in ended(folder(tmp_path / "csv"), "train.csv")
    assert "train.parquet is no regular file" in ended(folder(tmp_path / "hub", kind="parquet"), "train.parquet", "hub")


def test_links_to_nothing_and_to_devices(tmp_path):
    path = folder(tmp_path)
    for target, expected in (("nowhere", "is a link to nothing"), (os.devnull, "is no regular file")):
        (path / "train.csv").unlink()
        (path / "train.csv").symlink_to(target)
        assert expected in refused(request(path))


def test_long_names_and_strange_signs_are_shown_short(tmp_path):
    odd = rows(20).rename(columns={"text": "t" * 3000}).assign(**{"\x1b[2J": "word"})
    message = refused(request(folder(tmp_path, odd)))
    assert "no column 'text'" in message
    assert "\x1b" not in message
    assert max(map(len, message.split("\n"))) < 400
    message = refused(request(folder(tmp_path / "value", rows(20).assign(label=["x" * 2999, "1"] * 10)), metric="f1"))
    assert max(map(len, message.split("\n"))) < 400
