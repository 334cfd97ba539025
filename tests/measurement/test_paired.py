"""Differences of scores on the same examples, and ratios of d90, with intervals that hold what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from intdim.measurement.paired import paired_difference, ratio
from intdim.tasks.metrics import METRICS

N = 300


def answers(rng: np.random.Generator, labels: np.ndarray, ease: np.ndarray, share: float) -> np.ndarray:
    """Predictions that are right on an example with a probability of about ``share``, higher where it is easy."""
    return np.where(rng.random(len(labels)) < np.clip(share + ease, 0, 1), labels, 1 - labels)


@pytest.mark.parametrize("metric", METRICS)
def test_the_difference_is_that_of_the_scores(metric: str) -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, N)
    sides = [[answers(rng, labels, np.zeros(N), share) for _ in range(2)] for share in (0.7, 0.8)]
    found = paired_difference(metric, labels, *sides)
    means = [np.mean([METRICS[metric](one, labels) for one in side]) for side in sides]
    assert found.value == pytest.approx(means[1] - means[0])
    assert found.low < found.value < found.high
    assert (found.examples, found.level) == (N, 0.9)
    assert paired_difference(metric, labels, *sides) == found, "the same question has the same answer"


def test_the_same_answers_differ_by_nothing() -> None:
    labels = np.arange(N) % 2
    found = paired_difference("accuracy", labels, [labels], [labels])
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_the_interval_covers_the_true_difference_and_is_narrower_than_without_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("intdim.measurement.paired.RESAMPLES", 400)
    rng = np.random.default_rng(2)
    covered, paired, unpaired = 0, [], []
    for _ in range(200):
        labels = rng.integers(0, 2, N)
        ease = rng.choice([-0.45, 0.15], N, p=[0.25, 0.75])  # mean 0: hard for both, or easy for both
        first, second = (answers(rng, labels, ease, share) for share in (0.55, 0.65))
        found = paired_difference("accuracy", labels, [first], [second])
        covered += found.low <= 0.1 <= found.high
        paired.append(found.high - found.low)
        variance = sum(np.var(one == labels) / N for one in (first, second))
        unpaired.append(2 * 1.645 * math.sqrt(variance))
    assert 0.82 <= covered / 200 <= 0.97
    assert np.mean(paired) < 0.95 * np.mean(unpaired)


def test_a_ratio_turned_round_is_its_inverse() -> None:
    first, second = (100.0, 80.0, 150.0), (300.0, 290.0, 310.0)
    value, low, high = ratio(first, second)
    assert (value, low <= value <= high) == (pytest.approx(3.0), True)
    assert [1 / one for one in ratio(second, first)] == pytest.approx([value, high, low])
    assert high / value == pytest.approx(math.exp(math.hypot(math.log(31 / 30), math.log(1.25))))


def test_a_number_without_error_leaves_the_other_interval() -> None:
    assert ratio((1.0, 1.0, 1.0), (31.5, 25.0, 40.0)) == pytest.approx((31.5, 25.0, 40.0))
