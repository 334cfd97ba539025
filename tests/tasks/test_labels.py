"""Labels that make no task, and those that only look odd."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from . import made
from .made import folder, refused, request, rows, write


def labelled(tmp_path, train, validation=None, kind="jsonl", **changes):
    tables = [
        rows(len(values), start=start).assign(label=pd.Series(values, dtype=object))
        for values, start in ((train, 0), (validation or train, 500))
    ]
    return request(folder(tmp_path, *tables, kind), **changes)


@pytest.mark.parametrize(
    ("train", "validation", "changes", "expected"),
    [
        ([1] * 8, None, {}, "all 8 labels of train are '1'"),
        (["a"] * 8, None, {}, "all 8 labels of train are 'a'"),
        ([0, 1] * 4, [1] * 8, {}, "all 8 labels of validation are '1'"),
        ([0, 1, "cat", 1] * 2, None, {}, "mix numbers and words: 0 in row 1, 'cat' in row 3"),
        ([0, 1] * 4, ["a", "b"] * 4, {}, "labels are 0, 1 in train but 'a', 'b' in validation"),
        ([0, 1] * 4, [0, 1, 2, 1], {}, "never occur in train: 2"),
        ([0, 1, 5] * 3, [0, 1, 2, 1], {}, "never occur in train: 2"),
        (["a", "b"] * 4, ["a", "c"] * 4, {}, "never occur in train: c"),
        ([0, 1] * 4, [-1] * 8, {}, "8 of 8 labels of validation are negative (row 1: -1; -1 marks hidden labels"),
        ([0, 1, -2, 1] * 2, None, {}, "2 of 8 labels of train are negative (row 3: -2)"),
        ([0, 1, None, 1] * 2, None, {}, "2 of 8 rows of train have no label (first: row 3)"),
        ([0, 1, [1], 1] * 2, None, {}, "a label of train is a list"),
        ([0.5, 1.5] * 4, None, {}, "row 1 of train is 0.5, which is no class"),
        ([0, 1, 2] * 4, None, {"label_names": ("no", "yes")}, "has the label 2, but there are 2 classes (no, yes)"),
        (["e", "n"] * 4, None, {"label_names": ("entailment", "n")}, "not among the 2 classes: e"),
        ([0, 1] * 4, None, {"label_names": ("a", "b", "c")}, "3 classes are named, but train has no example of c"),
        ([0, 1, 2] * 4, None, {"metric": "f1"}, "the metric f1 is for 2 classes, the data has 3"),
        (["a", "b"] * 4, None, {"metric": "pearson"}, "are words ('a', 'b') but the metric compares real numbers"),
        ([2.5] * 8, None, {"metric": "pearson"}, "all 8 labels of train are 2.5"),
        ([0.5, 2.5] * 4, [-1] * 8, {"metric": "spearman"}, "are -1 (-1 marks hidden labels"),
        ([0.5, 1e999] * 4, None, {"metric": "pearson"}, "is inf"),
        ([0, "9" * 5000] * 4, None, {}, "row 2 of train is inf, which is no class"),
        ([0, "9" * 390] * 4, None, {"metric": "pearson"}, "the label of row 2 of train is inf"),
        ([0, "-" + "9" * 390] * 4, None, {"metric": "pearson"}, "the label of row 2 of train is -inf"),
        (
            [0, "9" * 390] * 4,
            None,
            {"label_names": ("a", "b")},
            "has the label 99999999999999999999999999",
        ),
        ([0, "-" + "9" * 390] * 4, None, {}, "are negative (row 2: -999999999999999999999999999999999999...)"),
        ([0, 1] * 4, [0, 1, 1], {}, "validation has 3 examples"),
        ([0, 1] * 4, None, {"max_train": 1}, "train has 1 example"),
        ([0, 1] * 4, None, {"max_eval": 3}, "at least 4 (2 for each half; task.selection=same needs 2)"),
        ([0, 1] * 4, None, {"label_names": ("a", "a")}, "['a', 'a'] names a class twice"),
        (["a", "b"] * 4, None, {"label_names": ("a", "a | b")}, "['a', 'a'] names a class twice"),
        ([0, 1] * 4, None, {"metric": "acuracy"}, "did you mean 'accuracy'?"),
        ([0, 1] * 4, None, {"text": ("text", "label")}, "task.label=label is also a text column"),
        ([0, 1] * 4, None, {"text": ("a", "b", "c")}, "names 3 columns"),
        ([0, 1] * 4, None, {"max_train": -1}, "task.max_train=-1 is negative"),
    ],
)
def test_labels_that_make_no_task(tmp_path, train, validation, changes, expected):
    assert expected in refused(labelled(tmp_path, train, validation, **changes))


def test_same_selection_needs_two_examples_only(tmp_path):
    assert len(made.read(labelled(tmp_path, [0, 1] * 4, [0, 1], selection="same")).evaluation) == 2


def test_words_among_digits_in_a_csv(tmp_path):
    message = refused(labelled(tmp_path, ["0", "1", "cat", "1"] * 2, kind="csv"))
    assert "'cat' in row 3" in message
    named = made.read(labelled(tmp_path, ["0", "1", "cat", "1"] * 2, kind="csv", label_names=("0", "1", "cat")))
    assert named.train["label"].tolist()[:3] == [0, 1, 2]


def test_spelling_of_numbers_does_not_make_classes(tmp_path):
    table = labelled(tmp_path, ["0", "1.0", "1", "+0"] * 2)
    assert made.read(table).train["label"].tolist()[:4] == [0, 1, 1, 0]
    underscored = labelled(tmp_path / "w", ["1_0", "2_0"] * 4)
    assert made.read(underscored).label_names == ("1_0", "2_0")  # words, though Python would read 10 and 20


def test_a_subset_of_one_class_says_which_key(tmp_path):
    rare = rows(400, start=500).assign(label=[1] + [0] * 399)
    message = refused(request(folder(tmp_path, rare), max_train=2))
    assert "task.max_train" in message


def test_long_cells(tmp_path):
    table = rows(4).assign(text=["x" * 300_000, "b", "c", "d"])
    assert len(made.read(request(folder(tmp_path, table, table))).train["text"][0]) == 300_000


def test_json_values_keep_their_type(tmp_path):
    file = folder(tmp_path, kind="jsonl") / "train.jsonl"
    lines = [{"text": "a", "label": "no"}, {"text": "b", "label": "yes"}, {"label": "yes", "text": "c"}]
    file.write_text("\n".join(json.dumps(line) for line in lines))  # no newline at the end
    write(tmp_path, "validation.jsonl", rows(6).assign(label=["no", "yes"] * 3))
    read = made.read(request(tmp_path))
    assert np.array_equal(read.train["label"], [0, 1, 1])
