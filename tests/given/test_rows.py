"""Rows as objects: every kind gives the same bytes, and what cannot be hashed or does not fit is said."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest

from intdim.errors import UserError
from intdim.given.rows import is_rows, read_rows

TEXTS, LABELS = ["a b", "ç\nd", "e"], ["no", "yes", "no"]
FRAME = pd.DataFrame({"text": TEXTS, "label": LABELS})
ENDLESS: list[Any] = []
ENDLESS.append({"more": ENDLESS})
TABLES: list[Any] = [
    FRAME,
    FRAME.set_index(np.array([5, 5, 6])).astype({"label": "category"}),
    datasets.Dataset.from_pandas(FRAME),
    list(zip(TEXTS, LABELS, strict=True)),
    [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)],
    {"text": TEXTS, "label": np.array(LABELS)},
    lambda: FRAME,
]


def written(rows: Any, folder: Path) -> dict[str, bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    read_rows(rows, "label").write(folder)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("number", range(len(TABLES)))
def test_the_same_values_give_the_same_bytes(number: int, tmp_path: Path) -> None:
    made = written({"train": TABLES[number], "validation": FRAME}, tmp_path / "a")
    assert made == written({"train": FRAME, "validation": FRAME}, tmp_path / "b")
    assert set(made) == {"train.jsonl", "validation.jsonl"}
    assert written({"train": FRAME.iloc[::-1], "validation": FRAME}, tmp_path / "c") != made


def test_a_data_set_names_its_classes_in_their_order() -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["yes", "no"])})
    one = datasets.Dataset.from_dict({"text": TEXTS, "label": [1, 0, 1]}, features=features)
    rows = read_rows(datasets.DatasetDict({"train": one, "validation": one}), "label")
    assert rows.label_names == ("yes", "no")
    assert rows.splits["train"]["label"] == LABELS
    hidden = datasets.Dataset.from_dict({"text": TEXTS, "label": [1, 0, -1]}, features=features)
    with pytest.raises(UserError, match="-1"):
        read_rows({"train": one, "test": hidden}, "label")


def test_values_become_plain_ones() -> None:
    values = [np.int64(3), float("nan"), pd.NaT, datetime.date(2024, 5, 1), np.array([1, 2]), {"a": np.float64(0.5)}]
    rows = read_rows([(str(number), value) for number, value in enumerate(values)], "label")
    assert rows.splits["train"]["label"] == [3, None, None, "2024-05-01", [1, 2], {"a": 0.5}]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"text": TEXTS, "label": LABELS[:2]}, "differ in length: text has 3, label has 2"),
        ([("a", 1), ("b", 0, 1)], "row 2 of train has 3 values, row 1 has 2"),
        ([("a", 1), "b"], "row 2 of train is a str"),
        ([("a", 1), ("b", object())], "holds a object, which cannot be hashed"),
        ([("a", 1), ("\ud800", 0)], "row 2 of train holds half of a character"),
        (FRAME.iloc[:0], "train has no rows"),
        (pd.concat([FRAME, FRAME["text"]], axis=1), "the column text 2 times"),
        (datasets.Dataset.from_pandas(FRAME).to_iterable_dataset(), "without a length"),
        (lambda: 1 / 0, "raised ZeroDivisionError"),
        ({"../up": FRAME}, "no name of a split"),
        ([("a", ENDLESS), ("b", 0)], "more than 50 deep, or inside themselves"),
    ],
)
def test_what_is_no_table_is_refused_in_words(rows: Any, words: str, tmp_path: Path) -> None:
    given = {"train": rows} if isinstance(rows, dict) and "text" in rows else rows
    with pytest.raises(UserError, match=words) as error:
        read_rows(given, "label").write(tmp_path)
    assert len(str(error.value).splitlines()) <= 3


def test_lists_of_texts_are_keys_and_no_rows() -> None:
    assert not any(is_rows(value) for value in ("mrpc", ["text", "label"], [1, 2.5], None, 3))
    assert all(is_rows(table) for table in TABLES)
