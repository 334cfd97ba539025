"""Folders of ``save_to_disk`` as task.path: read with the names of their classes, and what is said of damaged ones."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import datasets
import pytest

from . import made
from .made import refused, request, rows

NAMES = ["bad", "good"]
FEATURES = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=NAMES)})


def one(count: int, start: int = 0, names: list[str] = NAMES) -> datasets.Dataset:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)})
    return datasets.Dataset.from_pandas(rows(count, start=start), features=features, preserve_index=False)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    splits = {"train": one(20), "validation": one(10, 100), "test": one(6, 300)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "d")
    return tmp_path / "d"


def test_splits_and_names_of_classes_are_read(saved):
    found = made.read(request(saved, text=()))
    assert found.label_names == ("bad", "good")
    assert found.train["text"].tolist() == rows(20)["text"].tolist()
    assert found.train["label"].tolist() == rows(20)["label"].tolist()
    assert (len(found.evaluation), found.eval_split, found.source) == (10, "validation", "local")
    assert len(made.read(request(saved, eval_split="test")).evaluation) == 6
    assert len(made.read(request(saved, train_split="train+validation", eval_split="test")).train) == 30
    assert made.read(request(saved, metric="f1")).positive == "good"


def test_several_files_and_rows_that_were_chosen(tmp_path):
    chosen = one(50).filter(lambda row: row["label"] == 1 or len(row["text"]) % 2, load_from_cache_file=False)
    datasets.DatasetDict({"train": chosen, "validation": one(10, 100)}).save_to_disk(
        tmp_path / "d", num_shards={"train": 3, "validation": 1}
    )
    assert made.read(request(tmp_path / "d")).train["text"].tolist() == chosen["text"][:]


def test_a_single_data_set_is_train_and_needs_a_holdout(tmp_path):
    one(40).save_to_disk(tmp_path / "d")
    message = refused(request(tmp_path / "d"))
    assert "has no validation split" in message
    assert "Splits there are: train" in message
    assert "task.holdout=0.1" in message
    held = made.read(request(tmp_path / "d", holdout=0.25))
    assert (len(held.train), len(held.evaluation)) == (30, 10)
    assert held.label_names == ("bad", "good")


def test_folders_of_single_data_sets_are_splits(tmp_path):
    for name, split in (("train", one(20)), ("validation", one(10, 100))):
        split.save_to_disk(tmp_path / "d" / name)
    assert made.read(request(tmp_path / "d")).label_names == ("bad", "good")


def test_hidden_labels_of_a_saved_set_are_hidden(tmp_path):
    columns = {"text": rows(8, start=90)["text"].tolist(), "label": [-1] * 8}
    hidden = datasets.Dataset.from_dict(columns, features=FEATURES)
    datasets.DatasetDict({"train": one(20), "validation": hidden}).save_to_disk(tmp_path / "d")
    assert "-1 marks hidden labels" in refused(request(tmp_path / "d"))


def test_classes_in_another_order_are_refused(tmp_path):
    one(20).save_to_disk(tmp_path / "d" / "train")
    one(10, 100, NAMES[::-1]).save_to_disk(tmp_path / "d" / "validation")
    message = refused(request(tmp_path / "d"))
    assert "number their classes differently: bad, good and good, bad" in message


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("state.json", b"{", "state.json is damaged"),
        ("state.json", b"[]", "it holds no table"),
        ("state.json", b"{}", "it lists no files"),
        ("state.json", b'{"_data_files": [{"filename": "../validation/data-00000-of-00001.arrow"}]}', "lists no files"),
        ("state.json", b'{"_data_files": [{"filename": "gone.arrow"}]}', "gone.arrow is missing"),
        ("state.json", b"[" * 100_000, "state.json is damaged"),
        ("dataset_info.json", b"{", "dataset_info.json is damaged"),
        ("data-00000-of-00001.arrow", b"", "its end is missing"),
        ("data-00000-of-00001.arrow", b"x" * 100 + b"\xff\xff\xff\xff\0\0\0\0", "is damaged"),
    ],
)
def test_damage_is_said_with_its_file(saved, name, content, expected):
    (saved / "train" / name).write_bytes(content)
    assert expected in refused(request(saved))


def test_a_stream_that_was_cut_at_any_place_is_damaged(saved):
    file = saved / "train" / "data-00000-of-00001.arrow"
    whole = file.read_bytes()
    for length in range(0, len(whole), 97):
        file.write_bytes(whole[:length])
        assert "damaged" in refused(request(saved))


def test_what_is_missing_is_named(saved):
    assert "no column 'sentence'" in refused(request(saved, text=("sentence",)))
    for name in ("state.json", "dataset_info.json"):
        kept = (saved / "train" / name).read_bytes()
        (saved / "train" / name).unlink()
        os.mkfifo(saved / "train" / name)
        assert f"{name} is no regular file" in refused(request(saved))
        (saved / "train" / name).unlink()
        (saved / "train" / name).write_bytes(kept)
    shutil.rmtree(saved / "validation")
    assert "lists the split validation, whose folder is missing" in refused(request(saved))


def test_other_kinds_of_columns_are_left_alone(tmp_path):
    table = rows(20).assign(scores=[[0.5, 1.0]] * 20, tokens=[["a", "b"]] * 20, idx=range(20))
    for name, frame in (("train", table), ("validation", table.assign(text=[f"other {n}" for n in range(20)]))):
        datasets.Dataset.from_pandas(frame, preserve_index=False).save_to_disk(tmp_path / "d" / name)
    assert made.read(request(tmp_path / "d", text=())).text == ("text",)
    information = json.loads((tmp_path / "d" / "train" / "dataset_info.json").read_text())
    assert "label" in information["features"]
