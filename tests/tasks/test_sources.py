"""Rows from files and the built-in tasks, read alike from every format."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from intdim.tasks import docstrings, sources
from tests.conf_files import whole

from . import made
from .made import apart, folder, pairs, refused, request, rows, write

CONF = Path(__file__).parents[2] / "conf" / "task"


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_gives_the_same_rows_and_the_same_name(tmp_path, kind):
    reference = made.read(request(folder(tmp_path / "reference", kind="parquet")))
    tables = made.read(request(folder(tmp_path / kind, kind=kind)))
    pd.testing.assert_frame_equal(tables.train, reference.train)
    pd.testing.assert_frame_equal(tables.evaluation, reference.evaluation)
    assert tables.fingerprint == reference.fingerprint
    assert tables.label_names == ("0", "1")
    assert tables.train["text"].tolist() == rows(20)["text"].tolist()  # the order of the file


def test_the_fingerprint_sees_texts_labels_order_and_columns(tmp_path):
    seen = {made.read(request(folder(tmp_path / "a"))).fingerprint}
    other = rows(20)
    other.loc[3, "text"] += "!"
    seen.add(made.read(request(folder(tmp_path / "b", other))).fingerprint)
    other = rows(20)
    other.loc[3, "label"] = 0
    seen.add(made.read(request(folder(tmp_path / "c", other))).fingerprint)
    seen.add(made.read(request(folder(tmp_path / "d", rows(20).iloc[::-1]))).fingerprint)
    seen.add(made.read(request(folder(tmp_path / "e", validation=rows(10, start=50)))).fingerprint)
    assert len(seen) == 5


def test_the_fingerprint_ignores_columns_that_are_not_used(tmp_path):
    more = rows(20).assign(note="x")
    assert (
        made.read(request(folder(tmp_path / "a"))).fingerprint
        == made.read(request(folder(tmp_path / "b", more))).fingerprint
    )


def test_csv_is_quoted_and_tsv_is_not(tmp_path):
    texts = ['he said "no', 'a "quoted" word', "plain", "more"]
    table = pd.DataFrame({"text": texts, "label": [0, 1, 0, 1]})
    for kind in ("csv", "tsv"):
        read = made.read(request(folder(tmp_path / kind, table, table, kind)))
        assert read.train["text"].tolist() == texts
    newline = pd.DataFrame({"text": ["two\nlines", "comma, too", "c", "d"], "label": [0, 1, 0, 1]})
    assert made.read(request(folder(tmp_path / "n", newline, newline))).train["text"].tolist()[0] == "two\nlines"


def test_words_that_look_like_nothing_are_text(tmp_path):
    texts = ["NA", "null", "None", "nan", "123", "true"]
    table = pd.DataFrame({"text": texts, "label": [0, 1] * 3})
    for kind in ("csv", "tsv", "jsonl", "parquet"):
        assert made.read(request(folder(tmp_path / kind, table, table, kind))).train["text"].tolist() == texts


def test_a_byte_order_mark_windows_line_ends_and_line_separators(tmp_path):
    folder(tmp_path)
    (tmp_path / "train.csv").unlink()
    (tmp_path / "train.tsv").write_bytes("text\tlabel\r\na\u2028b\t0\r\nc\x85d\t1\r\n".encode("utf-8-sig"))
    assert made.read(request(tmp_path)).train["text"].tolist() == ["a\u2028b", "c\x85d"]


def test_string_labels_are_sorted_or_follow_the_names(tmp_path):
    table = rows(12, 3)
    table["label"] = [("yes", "no", "maybe")[n] for n in table["label"]]
    path = folder(tmp_path, table, table)
    tables = made.read(request(path))
    assert tables.label_names == ("maybe", "no", "yes")
    assert tables.train["label"].tolist()[:3] == [2, 1, 0]
    named = made.read(request(path, label_names=("yes", "no", "maybe")))
    assert named.label_names == ("yes", "no", "maybe")
    assert named.train["label"].tolist()[:3] == [0, 1, 2]


def test_numbers_that_are_no_class_numbers_become_some(tmp_path):
    table = rows(12, 3)
    table["label"] = table["label"] * 5 + 2
    tables = made.read(request(folder(tmp_path / "a", table, table)))
    assert tables.label_names == ("2", "7", "12")  # by size, not by spelling
    assert tables.train["label"].tolist()[:3] == [0, 1, 2]
    one_to_three = rows(12, 3).assign(label=lambda t: t["label"] + 1)
    named = made.read(request(folder(tmp_path / "b", one_to_three, one_to_three), label_names=("1", "2", "3")))
    assert named.train["label"].tolist()[:3] == [0, 1, 2]


def test_labels_as_words_and_as_numbers_with_names_are_one_identity(tmp_path):
    words = rows(20).assign(label=lambda t: t["label"].map({0: "no", 1: "yes"}))
    plain = made.read(request(folder(tmp_path / "a", rows(20), apart(rows(20))), label_names=("no", "yes")))
    named = made.read(request(folder(tmp_path / "b", words, words), label_names=("no", "yes")))
    assert plain.fingerprint == named.fingerprint


def test_booleans_and_whole_floats_are_classes(tmp_path):
    for number, values in enumerate(([True, False] * 4, [0.0, 1.0] * 4)):
        table = rows(8).assign(label=values)
        tables = made.read(request(folder(tmp_path / str(number), table, table, "parquet")))
        assert tables.train["label"].tolist() == [int(value) for value in values]


def test_regression_has_scores_and_no_classes(tmp_path):
    table = rows(8).assign(label=[n / 2 for n in range(8)])
    for kind in ("csv", "parquet"):
        tables = made.read(request(folder(tmp_path / kind, table, table, kind), metric="pearson"))
        assert tables.label_names == ()
        assert tables.train["label"].tolist() == [n / 2 for n in range(8)]


def test_text_columns_are_found(tmp_path):
    table = pairs(8).assign(idx=[str(n) for n in range(8)], weight=[0.5] * 8)
    for kind in ("csv", "parquet"):
        tables = made.read(request(folder(tmp_path / kind, table, table, kind), text=()))
        assert tables.text == ("first", "second")
        assert list(tables.train.columns) == ["first", "second", "label"]
    three = table.assign(third=table["first"])
    message = refused(request(folder(tmp_path / "three", three, three), text=()))
    assert "3 columns hold text: first, second, third" in message
    assert "task.text" in message


def test_subsets_are_fixed_nested_and_in_order(tmp_path):
    path = folder(tmp_path, rows(200), rows(100, start=500))
    small, large = (made.read(request(path, max_train=n, max_eval=10)) for n in (20, 60))
    again = made.read(request(path, max_train=20, max_eval=10))
    assert small.train["text"].tolist() == again.train["text"].tolist()
    assert len(small.train) == 20
    assert len(small.evaluation) == 10
    everything = rows(200)["text"].tolist()
    places = [everything.index(text) for text in small.train["text"]]
    assert places == sorted(places)
    assert places != list(range(20))
    assert set(small.train["text"]) < set(large.train["text"])
    assert small.fingerprint == large.fingerprint == made.read(request(path)).fingerprint


def test_splits_by_name(tmp_path):
    path = folder(tmp_path)
    write(path, "test.csv", rows(6, start=300))
    assert len(made.read(request(path)).evaluation) == 10
    chosen = made.read(request(path, eval_split="test"))
    assert (len(chosen.evaluation), chosen.eval_split) == (6, "test")
    split = {"train_split": "train_r1+train_r2 | train", "eval_split": "validation_matched | validation"}
    fallback = made.read(request(path, **split))
    assert (fallback.train_split, fallback.eval_split) == ("train", "validation")
    for number in (1, 2):
        write(path, f"train_r{number}.csv", rows(5, start=400 * number))
    joined = made.read(request(path, **split))
    assert (len(joined.train), joined.train_split) == (10, "train_r1+train_r2")


def test_a_known_task_takes_local_files_when_a_path_is_given(tmp_path):
    tables = made.read(request(folder(tmp_path), source="hub", reference="some/where"))
    assert tables.source == "local"


def test_names():
    assert sources.default_name(request("/data/subj")) == "subj"
    assert sources.default_name(request(source="hub", reference="someone/emotion")) == "emotion"
    assert sources.default_name(request("/data/x", name="mrpc")) == "mrpc"


def test_builtin_rows_come_with_their_class_names(monkeypatch):
    monkeypatch.setattr(docstrings, "load", lambda name: {"train": rows(12, 3), "validation": rows(6, 3, 50)})
    monkeypatch.setattr(docstrings, "label_names", lambda name: ("2", "0", "1"))  # names, not numbers
    wanted = request(source="builtin", reference="docstrings-package")
    tables = made.read(wanted)
    assert tables.label_names == ("2", "0", "1")
    assert tables.train["label"].tolist()[:3] == [0, 1, 2]
    assert "docstrings-package" in refused(request(source="builtin", reference="docstrings-packages"))
    assert "'test'" in refused(request(source="builtin", reference="docstrings-package", eval_split="test"))


def named(name: str, path) -> sources.TaskRequest:
    """The request of ``task=name task.path=path``."""
    given = whole(CONF / f"{name}.yaml")
    lists = {key: tuple(value) for key, value in given.items() if isinstance(value, list)}
    return sources.TaskRequest(**given | lists | {"path": str(path)})


def labelled(words: tuple[str, ...], columns: tuple[str, str], count: int = 24) -> pd.DataFrame:
    table = pairs(count).assign(label=[words[n % len(words)] for n in range(count)])
    return table.rename(columns=dict(zip(("first", "second"), columns, strict=True)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("qqp", (0, 1)),
        ("qnli", ("not_entailment", "entailment")),
        ("mnli", ("neutral", "contradiction", "entailment")),
        ("mnli-mm", (2, 0, 1)),
        ("anli", ("n", "e", "c")),
    ],
)
def test_a_known_task_reads_files_under_either_of_their_names(tmp_path, name, words):
    own = tuple(one.split(" | ")[0] for one in named(name, "").text)
    seen = []
    for columns in (own, ("sentence1", "sentence2")):
        table = labelled(words, columns)
        read = made.read(named(name, folder(tmp_path / columns[0], table, table, "parquet")))
        assert read.text == columns
        assert read.train[columns[1]].tolist() == table[columns[1]].tolist()
        seen.append(read)
    names = {"qqp": ("not_duplicate", "duplicate"), "qnli": ("entailment", "not_entailment")}
    assert seen[0].label_names == names.get(name, ("entailment", "neutral", "contradiction"))
    order = {"qnli": [1, 0], "mnli": [1, 2, 0], "mnli-mm": [2, 0, 1], "anli": [1, 0, 2]}.get(name, [0, 1])
    assert seen[0].train["label"].tolist()[: len(words)] == order
    assert seen[0].fingerprint == seen[1].fingerprint


def test_other_columns_of_a_known_task_are_asked_for(tmp_path):
    table = labelled((0, 1), ("text_a", "text_b"))
    wanted = named("qqp", folder(tmp_path, table, table))
    message = refused(wanted)
    assert "no column 'question1' or 'sentence1', 'question2' or 'sentence2'" in message
    assert "text_a, text_b, label" in message
    assert made.read(dataclasses.replace(wanted, text=())).text == ("text_a", "text_b")
    assert "no column 'nothing'" in refused(dataclasses.replace(wanted, text=("nothing", "text_b")))


def test_a_label_is_no_text_under_its_other_name_either(tmp_path):
    table = labelled((0, 1), ("sentence1", "sentence2"))
    message = refused(dataclasses.replace(named("qqp", folder(tmp_path, table, table)), label="sentence2"))
    assert "task.label=sentence2 is also a text column" in message


def test_a_column_with_a_bar_in_its_name_is_that_column(tmp_path):
    table = rows(20).rename(columns={"text": "a | b"}).assign(b="other")
    assert made.read(request(folder(tmp_path, table, table), text=("a | b",))).text == ("a | b",)
