"""The messages that docs/data.md shows are those that are said."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.documented import blocks

from .made import folder, refused, request, rows

SHOWN = blocks((Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8"), "text")


def said(tmp_path: Path, train: pd.DataFrame, **changes: object) -> str:
    evaluation = train.head(40).assign(text=[f"another text {n}" for n in range(40)])
    return refused(request(folder(tmp_path, train, evaluation, "jsonl"), **changes)) + "\n"


def test_a_label_that_is_written_twice(tmp_path):
    table = rows(400)[["text", "label"]].assign(label_text=["negative", "positive"] * 200)
    assert said(tmp_path, table, text=()) in SHOWN


def test_two_spellings(tmp_path):
    train = rows(243).assign(label=["neg"] * 124 + ["pos"] * 116 + ["Pos"] * 3)
    evaluation = rows(8, start=500).assign(label=["neg", "pos"] * 4)
    message = refused(request(folder(tmp_path, train, evaluation))) + "\n"
    assert message in SHOWN


def test_a_class_without_an_order(tmp_path):
    train = rows(400).assign(label=["attack"] * 48 + ["benign"] * 352)
    evaluation = rows(40, start=500).assign(label=["attack", "benign"] * 20)
    assert refused(request(folder(tmp_path, train, evaluation), metric="f1")) + "\n" in SHOWN


def test_every_message_is_tested():
    assert len(SHOWN) == 3
