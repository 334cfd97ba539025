"""Metrics of the tasks, all of them "higher is better", and what answering without looking would score."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BOOTSTRAP = 400  # resamples: the standard error is then itself known to 3.5 %


@dataclass(frozen=True)
class Metric:
    """A score of predictions against labels.

    ``needs`` says what a prediction is: ``classes`` (class numbers) or ``scores`` (real numbers). ``low`` is the
    worst possible score, 0 or -1; the best is 1. ``binary`` metrics are for two classes, class 1 the positive one.
    ``function`` takes (labels, predictions).
    """

    name: str
    needs: str
    low: float
    binary: bool
    function: Callable[[np.ndarray, np.ndarray], float]

    def __call__(self, predictions: np.ndarray, labels: np.ndarray) -> float:
        """Return the score, as a plain float, of predictions (N,) against labels (N,); NaN if any prediction is."""
        predictions, labels = np.asarray(predictions), np.asarray(labels)
        assert predictions.shape == labels.shape == (len(labels),), (predictions.shape, labels.shape)
        if np.isnan(predictions).any():
            return math.nan
        return float(self.function(labels, predictions))


def _accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    return float((labels == predictions).mean())


def _f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    return _f1_of(1, labels, predictions)


def _macro_f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    """The mean of every class's F1, over the classes that occur as label or as prediction."""
    return float(np.mean([_f1_of(one, labels, predictions) for one in np.union1d(labels, predictions)]))


def _f1_of(one: int, labels: np.ndarray, predictions: np.ndarray) -> float:
    """Return 2 TP / (2 TP + FP + FN) for class ``one``; 0 where it occurs neither as label nor as prediction."""
    right = int(((labels == one) & (predictions == one)).sum())
    either = int((labels == one).sum() + (predictions == one).sum())
    return 2 * right / either if either else 0.0


def _matthews(labels: np.ndarray, predictions: np.ndarray) -> float:
    from sklearn.metrics import matthews_corrcoef

    if len(np.unique(predictions)) == 1:
        return 0.0  # by convention: a constant answer carries nothing; said here so that scikit-learn need not warn
    return float(matthews_corrcoef(labels, predictions))


def _pearson(labels: np.ndarray, predictions: np.ndarray) -> float:
    from scipy.stats import pearsonr

    return 0.0 if _flat(predictions) else float(pearsonr(labels, predictions)[0])  # pyright: ignore


def _spearman(labels: np.ndarray, predictions: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return 0.0 if _flat(predictions) else float(spearmanr(labels, predictions)[0])  # pyright: ignore


def _flat(predictions: np.ndarray) -> bool:
    """True where all predictions are the same number: the correlation is undefined, and as good as none."""
    return bool((predictions == predictions[0]).all())


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
    chooser = np.random.default_rng(0)
    labels = np.asarray(labels)
    resampled = [scored(answer, labels[chooser.integers(0, count, count)]) for _ in range(BOOTSTRAP)]
    return chance, float(np.std(resampled, ddof=1))
