"""Metrics of the tasks, all of them "higher is better", and what answering without looking would score.

Each metric has one definition: for examples that occur a given number of times, for many such counts at once, which is
what a bootstrap needs. The plain score counts every example once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from intdim.errors import UserError, suggest

Array = np.ndarray
BOOTSTRAP = 400  # resamples: the standard error is then itself known to 3.5 %


@dataclass(frozen=True)
class Metric:
    """A score of predictions against labels.

    ``needs`` says what a prediction is: ``classes`` (class numbers) or ``scores`` (real numbers). ``low`` is the
    worst possible score, 0 or -1; the best is 1. ``binary`` metrics are for two classes, class 1 the positive one.
    ``weighted`` takes labels (N,), predictions (N,) and counts (b, N) and returns (b,); sums are of whole numbers, or
    in a fixed order, so that the bits do not depend on the number of threads.
    """

    name: str
    needs: str
    low: float
    binary: bool
    weighted: Callable[[Array, Array, Array], Array]

    def __call__(self, predictions: Array, labels: Array) -> float:
        """Return the score, as a plain float, of predictions (N,) against labels (N,); NaN if any prediction is."""
        predictions, labels = np.asarray(predictions), np.asarray(labels)
        assert predictions.shape == labels.shape == (len(labels),), (predictions.shape, labels.shape)
        if np.isnan(predictions).any():
            return math.nan
        return float(self.weighted(labels, predictions, np.ones((1, len(labels))))[0])


def _accuracy(labels: Array, predictions: Array, counts: Array) -> Array:
    return counts @ (labels == predictions).astype(float) / counts.sum(axis=1)


def _f1(labels: Array, predictions: Array, counts: Array) -> Array:
    """2 TP / (2 TP + FP + FN) of class 1; 0 where it occurs neither as label nor as prediction."""
    return _f1_of_each(np.array([1]), labels, predictions, counts)[0][:, 0]


def _macro_f1(labels: Array, predictions: Array, counts: Array) -> Array:
    """The mean of every class's F1, over the classes that occur as label or as prediction."""
    each, occurs = _f1_of_each(np.union1d(labels, predictions), labels, predictions, counts)
    return each.sum(axis=1) / occurs.sum(axis=1)


def _f1_of_each(classes: Array, labels: Array, predictions: Array, counts: Array) -> tuple[Array, Array]:
    """Return (F1, whether the class occurs) of each class: (b, classes) both."""
    right, actual, answered = _table(classes, labels, predictions, counts)
    either = actual + answered
    return np.divide(2 * right, either, out=np.zeros_like(either), where=either > 0), either > 0


def _table(classes: Array, labels: Array, predictions: Array, counts: Array) -> tuple[Array, Array, Array]:
    """Return how often each class was rightly answered, was the label, and was answered: (b, classes) each."""
    real = (labels[:, None] == classes).astype(float)
    said = (predictions[:, None] == classes).astype(float)
    return counts @ (real * said), counts @ real, counts @ said


def _matthews(labels: Array, predictions: Array, counts: Array) -> Array:
    """Matthews' correlation; 0 for a constant answer, which carries nothing."""
    right, actual, answered = _table(np.union1d(labels, predictions), labels, predictions, counts)
    total = counts.sum(axis=1)

    joint = right.sum(axis=1) * total - (actual * answered).sum(axis=1)
    spread = (total**2 - (answered**2).sum(axis=1)) * (total**2 - (actual**2).sum(axis=1))
    return np.divide(joint, np.sqrt(spread), out=np.zeros_like(joint), where=spread > 0)


def _pearson(labels: Array, predictions: Array, counts: Array) -> Array:
    x, y = (np.asarray(values, dtype=float)[None, :] for values in (labels, predictions))
    return _correlation(x, y, counts)


def _spearman(labels: Array, predictions: Array, counts: Array) -> Array:
    x, y = (_ranks(np.asarray(values, dtype=float), counts) for values in (labels, predictions))
    return _correlation(x, y, counts)


def _ranks(values: Array, counts: Array) -> Array:
    """Return the average ranks (b, N) of values (N,) that occur ``counts`` (b, N) times."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    many = np.add.reduceat(counts[:, order], starts, axis=1)
    return (np.cumsum(many, axis=1) - (many - 1) / 2)[:, place]


def _correlation(x: Array, y: Array, counts: Array) -> Array:
    """Return the correlation (b,) of x and y, (b, N) or (1, N), which occur ``counts`` times; 0 if one is constant."""
    total = counts.sum(axis=1, keepdims=True)

    def centred(values: Array) -> tuple[Array, Array]:
        away = values - (counts * values).sum(axis=1, keepdims=True) / total
        size = (counts * away**2).sum(axis=1)
        rounding = 1e-12 * np.abs(values).max()
        return away, np.where(size > total[:, 0] * rounding**2, size, 0.0)

    (x, wide), (y, tall) = centred(x), centred(y)
    joint, spread = (counts * x * y).sum(axis=1), wide * tall
    return np.divide(joint, np.sqrt(spread), out=np.zeros_like(joint), where=spread > 0)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "classes", 0.0, False, _accuracy),
        Metric("f1", "classes", 0.0, True, _f1),
        Metric("macro_f1", "classes", 0.0, False, _macro_f1),
        Metric("matthews", "classes", -1.0, False, _matthews),
        Metric("pearson", "scores", -1.0, False, _pearson),
        Metric("spearman", "scores", -1.0, False, _spearman),
    )
}


def find_metric(name: str) -> Metric:
    """Return the metric ``name``.

    Raises:
        UserError: there is none of that name.
    """
    if name not in METRICS:
        raise UserError(f"unknown metric {name!r}", suggest(name, METRICS), "Set task.metric.")
    return METRICS[name]


def majority_score(metric: str, train_labels: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return (chance, standard error): the score on ``labels`` of always answering the commonest training label.

    Args:
        metric: a name in ``METRICS``.
        train_labels: training labels (M,); of equally common classes the lowest number is taken.
        labels: labels (N,) that the score is read on.

    The standard error is that of the evaluation examples: sqrt(p (1 - p) / N) for accuracy, a bootstrap with a fixed
    seed for F1. Correlations (Matthews', Pearson's, Spearman's) of an answer that does not look are 0 up to
    1 / sqrt(N - 1), their standard deviation under independence; a bootstrap of a constant would say 0.
    """
    scored, count = METRICS[metric], len(labels)
    if scored.low < 0:
        return 0.0, 1 / math.sqrt(max(1, count - 1))
    values, counts = np.unique(np.asarray(train_labels), return_counts=True)
    answer = np.full(count, values[counts.argmax()])
    chance = scored(answer, labels)
    if metric == "accuracy":
        return chance, math.sqrt(chance * (1 - chance) / count)
    rng = np.random.default_rng(0)
    labels = np.asarray(labels)
    resampled = [scored(answer, labels[rng.integers(0, count, count)]) for _ in range(BOOTSTRAP)]
    return chance, float(np.std(resampled, ddof=1))
