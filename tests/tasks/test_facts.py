"""What of the lengths a reader is told, and the advice that goes with it."""

from __future__ import annotations

import numpy as np
import pytest

from intdim.tasks.facts import data_facts, histogram
from intdim.tasks.stored import load_task

from . import made
from .made import folder, request, rows, tokenizer


def told(lengths: list[int], max_length: int, longest: int = 0, train: int = 50, evaluation: int = 100):
    empty = dict.fromkeys(("text", "classes", "notes", "warnings"), ())
    plain = {"label": "label", "positive": "", "truncated": 0.0, "median_tokens": 0, "length_for_1_percent": 0}
    manifest = {
        "spec": {"max_length": max_length},
        "data": empty | plain | {"overlap": 0.0},
        "whole_lengths": histogram(np.array(lengths)),
        "longest": 1 << 30,
        "counts": {"train": {"examples": train}, "evaluation": {"examples": evaluation}},
    }
    return data_facts(manifest, longest)


def test_shares_medians_and_the_length_that_cuts_one_percent():
    lengths = list(range(1, 201))
    facts = told(lengths, 150)
    assert (facts.truncated, facts.median_tokens, facts.length_for_1_percent) == (0.25, 100, 198)
    (said,) = facts.warnings
    assert said == (
        "25.0% of the examples are longer than task.max_length=150 and were cut; task.max_length=198 would cut 1.0%."
    )
    assert told(lengths, 198).warnings == ()


@pytest.mark.parametrize("count", [1, 2, 99, 100, 101, 250])
def test_the_advised_length_cuts_at_most_one_percent_and_a_smaller_one_more(count):
    lengths = np.random.default_rng(count).integers(3, 60, count)
    advised = told(lengths.tolist(), 10).length_for_1_percent
    assert (lengths > advised).mean() <= 0.01 < (lengths > advised - 1).mean()


def test_a_few_cut_examples_are_no_warning():
    assert told([10] * 96 + [50] * 4, 20).warnings == ()
    assert len(told([10] * 95 + [50] * 5, 20).warnings) == 1


def test_few_examples_are_a_warning_with_their_number():
    assert told([10] * 90, 20, train=50, evaluation=100).warnings == ()
    (train,) = told([10] * 90, 20, train=49).warnings
    assert train.startswith("There are 49 training examples; of fewer than 50,")
    (scored,) = told([10] * 90, 20, evaluation=99).warnings
    assert scored.startswith("There are 99 evaluation examples; with fewer than 100,")


def test_the_advice_is_no_more_than_the_model_takes():
    facts = told([10] * 50 + [900] * 50, 128, longest=512)
    assert facts.length_for_1_percent == 512
    assert "task.max_length=512, the most this model takes, would still cut 50.0%" in facts.warnings[0]
    assert facts.warnings[0].startswith("50.0% of the examples are longer than task.max_length=128")
    full = told([10] * 50 + [900] * 50, 512, longest=512)
    assert full.warnings[0].endswith("this model takes no longer ones.")


def test_both_splits_are_counted_before_they_are_cut(tmp_path):
    train = rows(30).assign(text=[f"red {'cold ' * (40 if n < 6 else 3)} {n}" for n in range(30)])
    validation = rows(10, start=100)
    path = made.prepare(
        request(folder(tmp_path, train, validation), max_length=16, text=()), tokenizer(), "key", tmp_path / "cache"
    )
    data = load_task(path)
    facts = data_facts(data.manifest, 0)
    assert data.manifest["longest"] == 512
    assert facts.truncated == 6 / 40
    assert facts.length_for_1_percent == 44  # [CLS] red, 40 words, a number, [SEP]
    assert facts.warnings[-1].endswith("task.max_length=44 would cut 0.0%.")
    assert (facts.text, facts.label, facts.classes) == (("text",), "label", ("0", "1"))
    assert data.train.rows is not None
    assert data.train.row(4) == 5
