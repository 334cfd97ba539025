"""Metrics against other definitions of the same quantity, and the score of answering without looking."""

from __future__ import annotations

import math

import numpy as np
import pytest

from intdim.tasks.metrics import METRICS, majority_score


def test_accuracy_by_hand():
    assert METRICS["accuracy"](np.array([1, 0, 2, 2]), np.array([1, 1, 2, 0])) == 0.5


@pytest.mark.parametrize("classes", [2, 5])
def test_f1_by_scikit_learn(classes):
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(classes)
    labels, answers = rng.integers(0, classes, 80), rng.integers(0, classes - 1, 80)
    macro = f1_score(labels, answers, average="macro", zero_division=0.0)
    assert METRICS["macro_f1"](answers, labels) == pytest.approx(macro, abs=1e-12)
    if classes == 2:
        assert METRICS["f1"](labels, answers) == pytest.approx(f1_score(answers, labels, zero_division=0.0), abs=1e-12)


def test_f1_and_matthews_by_the_confusion_table():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 500)
    answers = np.where(rng.random(500) < 0.7, labels, 1 - labels)
    tp, fp = int((answers * labels).sum()), int((answers * (1 - labels)).sum())
    fn, tn = int(((1 - answers) * labels).sum()), int(((1 - answers) * (1 - labels)).sum())
    assert METRICS["f1"](answers, labels) == pytest.approx(2 * tp / (2 * tp + fp + fn), abs=1e-12)
    matthews = (tp * tn - fp * fn) / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert METRICS["matthews"](answers, labels) == pytest.approx(matthews, abs=1e-12)
    swapped = METRICS["f1"](1 - answers, 1 - labels)
    assert METRICS["macro_f1"](answers, labels) == pytest.approx(
        (METRICS["f1"](answers, labels) + swapped) / 2, abs=1e-12
    )


def test_correlations_by_numpy():
    rng = np.random.default_rng(1)
    labels = np.round(rng.random(300) * 5, 1).astype(np.float32)
    scores = (labels + rng.normal(size=300)).astype(np.float32)
    assert METRICS["pearson"](scores, labels) == pytest.approx(np.corrcoef(scores, labels)[0, 1], abs=1e-6)
    ranks = [np.array([(x < v).sum() + ((x == v).sum() - 1) / 2 for v in x]) for x in (scores, labels)]
    assert METRICS["spearman"](scores, labels) == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-9)


@pytest.mark.parametrize("name", list(METRICS))
def test_range_and_plain_floats(name):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 60)
    right, wrong = METRICS[name](labels, labels), METRICS[name](1 - labels, labels)
    assert type(right) is float
    assert right == pytest.approx(1.0)
    assert wrong == pytest.approx(METRICS[name].low)


@pytest.mark.parametrize("name", list(METRICS))
def test_predictions_that_are_not_numbers(name):
    labels = np.array([0.0, 1.0, 1.0, 0.0])
    assert math.isnan(METRICS[name](np.array([0.0, math.nan, 1.0, 0.0]), labels))


@pytest.mark.parametrize("name", ["matthews", "pearson", "spearman"])
def test_a_constant_answer_has_no_correlation(name, recwarn):
    assert METRICS[name](np.ones(6), np.array([0, 1, 0, 1, 1, 1])) == 0.0
    assert not recwarn.list


def test_the_majority_is_that_of_the_training_labels():
    train, labels = np.array([1] * 7 + [0] * 3), np.array([0] * 30 + [1] * 10)
    chance, error = majority_score("accuracy", train, labels)
    assert chance == 0.25
    assert error == pytest.approx(math.sqrt(0.25 * 0.75 / 40))
    assert majority_score("accuracy", np.array([2, 2, 0, 0]), np.array([0, 2, 2]))[0] == pytest.approx(
        1 / 3
    )  # tie: lowest


def test_f1_of_all_positive_and_of_all_negative():
    labels = np.array([1] * 279 + [0] * 129)  # the shares of MRPC's validation split
    chance, error = majority_score("f1", np.array([1, 1, 0]), labels)
    assert chance == pytest.approx(2 * 279 / (2 * 279 + 129))
    share, count = 279 / 408, 408
    by_hand = 2 / (1 + share) ** 2 * math.sqrt(share * (1 - share) / count)  # delta method on 2p / (1 + p)
    assert error == pytest.approx(by_hand, rel=0.15)  # 400 resamples: 3.5 % standard error; 4 of them
    assert majority_score("f1", np.array([0, 0, 1]), labels) == (0.0, 0.0)


def test_chance_is_the_same_every_time():
    labels = np.array([0, 1, 1, 1, 0, 1, 1] * 20)
    assert majority_score("f1", labels, labels) == majority_score("f1", labels, labels)


@pytest.mark.parametrize("name", ["matthews", "pearson", "spearman"])
def test_correlations_without_looking_spread_as_said(name):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 101) if name == "matthews" else rng.normal(size=101)
    chance, error = majority_score(name, labels, labels)
    assert (chance, error) == (0.0, pytest.approx(0.1))
    blind = [rng.permutation(labels) for _ in range(400)]
    spread = np.std([METRICS[name](answer, labels) for answer in blind])
    assert spread == pytest.approx(error, rel=0.15)  # its own standard error is 3.5 %


def answers(metric, size=90, seed=0):
    """Labels, and predictions that are right two times in three or correlate, with ties."""
    rng = np.random.default_rng(seed)
    if METRICS[metric].needs == "scores":
        labels = np.round(rng.normal(size=size), 1).astype(np.float32)
        return labels, np.round(labels + rng.normal(size=size), 1).astype(np.float32)
    labels = rng.integers(2 if METRICS[metric].binary else 3, size=size)
    return labels, np.where(rng.random(size) < 0.66, labels, (labels + 1) % (labels.max() + 1))


def by_others(metric, labels, predictions):
    """The same score by scikit-learn or scipy, in double precision."""
    from scipy.stats import pearsonr, spearmanr
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    if METRICS[metric].needs == "scores":
        labels, predictions = labels.astype(float), predictions.astype(float)
        return {"pearson": pearsonr, "spearman": spearmanr}[metric](labels, predictions)[0]
    one = {
        "accuracy": accuracy_score,
        "f1": lambda *both: f1_score(*both, zero_division=0.0),
        "macro_f1": lambda *both: f1_score(*both, average="macro", zero_division=0.0),
        "matthews": matthews_corrcoef,
    }
    return one[metric](labels, predictions)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("metric", sorted(METRICS))
@pytest.mark.parametrize("size", [4, 90])
def test_counted_examples_score_as_repeated_ones_do_elsewhere(metric, size):
    labels, predictions = answers(metric, size)
    rng = np.random.default_rng(1)
    counts = np.array([np.bincount(rng.integers(size, size=size), minlength=size) for _ in range(60)]).astype(float)
    fast = METRICS[metric].weighted(labels, predictions, counts)
    for row, value in zip(counts.astype(int), fast, strict=True):
        there = np.repeat(np.arange(size), row)
        constant = len(np.unique(labels[there])) == 1 or len(np.unique(predictions[there])) == 1
        if METRICS[metric].low < 0 and constant:
            assert value == 0.0
        else:
            assert value == pytest.approx(by_others(metric, labels[there], predictions[there]), abs=1e-12)
            assert value == pytest.approx(METRICS[metric](predictions[there], labels[there]), abs=1e-12)


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_a_plain_score_is_that_of_the_libraries(metric):
    labels, predictions = answers(metric, 400)
    assert METRICS[metric](predictions, labels) == pytest.approx(by_others(metric, labels, predictions), abs=1e-12)
