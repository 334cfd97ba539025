"""The paired bootstrap of evaluation examples: against its slow twin, its size, and what it does to a verdict."""

from __future__ import annotations

import math

import numpy as np
import pytest

from intdim.ledger.results import Answers
from intdim.measurement.evaluation_noise import bar_shifts, chance_answer, changes, draws, have_score, rounding
from intdim.tasks.metrics import METRICS, majority_score


def made(metric, size=90, seed=0):
    """Labels, and predictions that are right two times in three or correlate, with ties."""
    rng = np.random.default_rng(seed)
    if METRICS[metric].needs == "scores":
        labels = np.round(rng.normal(size=size), 1).astype(np.float32)
        return labels, np.round(labels + rng.normal(size=size), 1).astype(np.float32)
    labels = rng.integers(2 if METRICS[metric].binary else 3, size=size)
    return labels, np.where(rng.random(size) < 0.66, labels, (labels + 1) % (labels.max() + 1))


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_a_constant_answer_is_no_division_by_zero(metric):
    labels, predictions = made(metric)
    constant = np.full_like(predictions, predictions[0])
    with np.errstate(all="raise"):
        moved = changes(metric, labels, [constant], 50, seed=0)
    assert np.isfinite(moved).all()


def test_draws_are_whole_and_do_not_depend_on_portions(monkeypatch):
    (counts,) = draws(30, 50, seed=4)
    assert counts.shape == (50, 30)
    assert (counts.sum(axis=1) == 30).all()
    monkeypatch.setattr("intdim.measurement.evaluation_noise.CELLS", 7 * 30)
    parts = list(draws(30, 50, seed=4))
    assert len(parts) == 8
    assert (np.concatenate(parts) == counts).all()


def test_the_change_of_an_accuracy_has_the_binomial_error():
    rng = np.random.default_rng(0)
    labels = np.zeros(400, dtype=int)
    predictions = (rng.random(400) < 0.2).astype(int)
    moved = changes("accuracy", labels, [predictions, predictions], 2000, seed=0)
    assert moved[0].std() == pytest.approx(math.sqrt(0.2 * 0.8 / 400), rel=0.1)
    assert (moved[0] == moved[1]).all(), "the same examples for every run"


def test_what_bar_and_curve_share_does_not_count():
    """Were the bar the score of a run near it, other examples would move both alike; a run far off says little."""
    rng = np.random.default_rng(0)
    moved, other = 0.02 * rng.standard_normal((2, 500))
    scores = np.array([0.75, 0.5])
    assert bar_shifts(moved, np.array([moved, other]), scores, 0.75, 0.3).std() < 1e-3 * moved.std() + 1e-4
    apart = bar_shifts(moved, np.array([other, moved]), scores, 0.75, 0.3)
    assert apart.std() == pytest.approx(0.02 * math.sqrt(2), rel=0.1)
    assert apart.mean() == pytest.approx(0.0, abs=1e-12)
    alone = bar_shifts(moved, other[None, :], np.array([0.2]), 0.75, 0.3)  # nothing nearer: it must do
    assert np.isfinite(alone).all()


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_the_answer_behind_chance(metric):
    labels, _ = made(metric)
    chance, _ = majority_score(metric, np.r_[labels, [labels.max()] * 50], labels)
    constant = chance_answer(metric, labels, chance)
    if METRICS[metric].low < 0:
        assert constant is None
    else:
        assert METRICS[metric](constant, labels) == pytest.approx(chance)
        assert chance_answer(metric, labels, 0.123) is None


def test_answers_belong_to_a_score() -> None:
    answers = Answers(np.array([1, 0, 1]), np.array([1, 1, 1]), np.ones(3))
    assert have_score(answers, 2 / 3, "accuracy")
    assert not have_score(answers, 0.5, "accuracy")


def test_a_few_examples_tell_a_score_in_steps():
    errors = rounding(2, 400, 0)
    assert (errors.min(), errors.max()) == pytest.approx((-0.25, 0.25), abs=0.001)
    assert errors.mean() == pytest.approx(0.0, abs=1e-12)
    assert (rounding(2, 400, 0) == errors).all()
    assert rounding(1000, 400, 0).std() < 0.0003


@pytest.mark.parametrize("metric", ["accuracy", "f1"])
def test_halves_are_drawn_by_themselves_and_averaged(metric):
    labels, predictions = made(metric)
    first = np.arange(len(labels)) % 3 > 0
    moved = changes(metric, labels, [predictions], 300, 5, [first, ~first])
    parts = [changes(metric, labels[rows], [predictions[rows]], 300, seed) for seed, rows in ((5, first), (6, ~first))]
    assert moved == pytest.approx(np.mean(parts, axis=0))
    alone = changes(metric, labels, [predictions], 300, 5)
    assert (changes(metric, labels, [predictions], 300, 5, [np.ones(len(labels), dtype=bool)]) == alone).all()
