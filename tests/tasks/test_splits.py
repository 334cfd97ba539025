"""Rows that stand in both splits, and rows that are held out where there is one split alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from intdim.tasks import splits

from . import made
from .made import folder, refused, request, rows, write


def test_the_same_split_twice_is_refused(tmp_path):
    path = folder(tmp_path)
    write(path, "test.csv", rows(8, start=300))
    for changes in (
        {"eval_split": "train"},
        {"train_split": "train+validation"},
        {"train_split": "train+validation", "eval_split": "validation | test"},
        {"train_split": "test | train", "eval_split": "validation+test"},
    ):
        message = refused(request(path, **changes))
        assert "is trained on: task.train_split=" in message
        assert "task.holdout=0.1" in message


def test_identical_splits_are_refused(tmp_path):
    message = refused(request(folder(tmp_path, rows(40), rows(40).copy())))
    assert "all 40 rows of validation also stand in train" in message
    shuffled = rows(40).sample(frac=1, random_state=1)
    assert "also stand in train" in refused(request(folder(tmp_path / "order", rows(40), shuffled)))
    part = rows(40).head(12)
    assert "all 12 rows" in refused(request(folder(tmp_path / "part", rows(40), part)))
    spelled = rows(40).assign(text=lambda t: "  " + t["text"].str.upper().str.replace(" ", "  "))
    assert "also stand in train" in refused(request(folder(tmp_path / "spelling", rows(40), spelled)))
    other = rows(40).assign(label=lambda t: 1 - t["label"])
    assert "also stand in train" in refused(request(folder(tmp_path / "labels", rows(40), other)))
    nearly = pd.concat([rows(199), rows(1, start=900)])
    assert "199 of 200 rows" in refused(request(folder(tmp_path / "nearly", rows(199), nearly)))
    subset = request(folder(tmp_path / "subset", rows(400), rows(400).copy()), max_train=20, max_eval=20)
    assert "all 400 rows" in refused(subset)


def test_a_share_of_common_rows_is_counted_and_warned_of(tmp_path):
    both = rows(30).assign(label=lambda t: [1 - one if n < 10 else one for n, one in enumerate(t["label"])])
    found = made.read(request(folder(tmp_path, rows(100), pd.concat([both, rows(70, start=500)]))))
    assert found.overlap == 0.3
    assert (
        "30 of 100 evaluation rows (30.0%) also stand in the training rows, 10 of them with another label."
        in found.warnings
    )
    few = made.read(request(folder(tmp_path / "few", rows(300), pd.concat([rows(1), rows(199, start=500)]))))
    assert few.overlap == 0.005
    assert not few.warnings
    none = made.read(request(folder(tmp_path / "none")))
    assert (none.overlap, none.warnings) == (0.0, ())


def test_of_a_pair_both_texts_count(tmp_path):
    train = made.pairs(40)
    other = train.assign(second=[f"another {n}" for n in range(40)])
    found = made.read(request(folder(tmp_path, train, other), text=("first", "second")))
    assert found.overlap == 0.0


def test_the_share_is_of_the_rows_that_are_used(tmp_path):
    evaluation = pd.concat([rows(50), rows(50, start=900)])
    path = folder(tmp_path, rows(100), evaluation)
    assert made.read(request(path)).overlap == 0.5
    assert made.read(request(path, max_train=20)).overlap < 0.25


def test_few_texts_that_repeat_are_a_warning_unless_the_splits_are_one(tmp_path):
    few = rows(60).assign(text=[f"a command like number {n % 5}" for n in range(60)])
    found = made.read(request(folder(tmp_path, few, few.head(35).copy())))
    assert found.overlap == 1.0
    assert any("35 of 35 evaluation rows (100.0%)" in one for one in found.warnings)
    assert "all 60 rows" in refused(request(folder(tmp_path / "same", few, few.copy())))


def alone(path, table: pd.DataFrame):
    write(path, "train.csv", table)
    return path


def test_rows_are_held_out_when_asked_for_and_that_is_said(tmp_path):
    path = alone(tmp_path, rows(200, 4))
    message = refused(request(path))
    assert "has no validation file" in message
    assert "task.holdout=0.1" in message
    held = made.read(request(path, holdout=0.1))
    assert (len(held.train), len(held.evaluation)) == (180, 20)
    assert Counter(held.evaluation["label"]) == dict.fromkeys(range(4), 5)
    assert set(held.train["text"]).isdisjoint(held.evaluation["text"])
    assert held.eval_split == "held_out"
    assert held.overlap == 0.0
    (said,) = [one for one in held.notes if "held out" in one]
    assert "20 of the 200 rows of train (10.0%)" in said
    again = made.read(request(path, holdout=0.1))
    assert again.evaluation["text"].tolist() == held.evaluation["text"].tolist()
    texts = rows(200)["text"].tolist()
    assert [texts[row - 1] for row in held.eval_rows] == held.evaluation["text"].tolist()
    assert [texts[row - 1] for row in held.train_rows] == held.train["text"].tolist()
    assert held.fingerprint != made.read(request(path, holdout=0.2)).fingerprint


def test_a_holdout_beside_an_evaluation_split_is_refused(tmp_path):
    path = folder(tmp_path)
    message = refused(request(path, holdout=0.1))
    assert "has the split validation" in message
    assert "Drop task.holdout" in message
    (path / "validation.csv").rename(path / "test.csv")
    assert len(made.read(request(path, holdout=0.2)).evaluation) == 4, "a test file is left alone"
    assert "has the split test" in refused(request(path, holdout=0.1, eval_split="test"))
    assert "task.holdout" in refused(request(source="builtin", reference="docstrings-kind", holdout=0.1))


def test_a_holdout_that_is_too_small_is_refused(tmp_path):
    assert "held_out has 2 examples" in refused(request(alone(tmp_path, rows(20)), holdout=0.1))
    assert "task.holdout" in refused(request(alone(tmp_path, rows(20)), holdout=0.1))


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_rows_of_one_text_stay_on_one_side(share):
    rng = np.random.default_rng(0)
    texts = [f"text {n}" for n in rng.integers(0, 150, 400)]
    labels = np.array([int(text[5:]) % 3 for text in texts])
    held = splits.hold_out(texts, labels, share, classes=True)
    assert {texts[row] for row in held}.isdisjoint(texts[row] for row in set(range(400)) - set(held.tolist()))
    for label in range(3):
        assert abs((labels[held] == label).mean() - (labels == label).mean()) < 0.05
    assert abs(len(held) / 400 - share) < 0.03


def test_every_class_stays_in_training():
    texts, labels = [f"text {n}" for n in range(23)], np.array([0] * 20 + [1, 2, 2])
    held = splits.hold_out(texts, labels, 0.6, classes=True)
    assert set(np.delete(labels, held)) == {0, 1, 2}


def test_held_out_scores_have_the_same_distribution():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=500)
    held = splits.hold_out([str(n) for n in range(500)], scores, 0.2, classes=False)
    assert len(held) == 100
    assert abs(scores[held].mean() - scores.mean()) < 0.06  # a plain random choice: standard deviation 0.09


def test_classes_without_an_example_are_warned_of(tmp_path):
    path = folder(tmp_path, rows(60, 3), rows(20, 2, start=100))
    (said,) = made.read(request(path, metric="macro_f1")).warnings
    assert said == "1 of 3 classes have no example in validation: 2."
    rare = rows(400).assign(label=[n % 2 if n > 5 else 2 for n in range(400)])
    path = folder(tmp_path / "rare", rare, rows(20, start=500).assign(label=[0, 1, 2, 0] * 5))
    found = made.read(request(path, max_train=20))
    assert "1 of 3 classes have no example in train: 2." in found.warnings
