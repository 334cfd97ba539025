"""The ruler: how far the bar and the scores move together when other evaluation examples are drawn.

The evaluation examples are a sample too. They are drawn again, with replacement, the same ones for every run and for
the baseline (a paired bootstrap: Efron 1979), and the metric of every run is computed again. What counts for d90 is
the change of the bar relative to the curve where the curve crosses it: examples that are easy for everything lift
both and change little. Changes are per resample; the search adds them to the bar, one to each curve of its posterior.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from intdim.tasks.metrics import METRICS

Array = np.ndarray
REACH = 0.12  # in gains over chance: how near the bar a run's score is that says how the curve moves there
CELLS = 4_000_000  # drawn counts held at a time: 32 MB


@dataclass(frozen=True)
class Answers:
    """What a run answered: ``predictions`` (N,) and ``labels`` (N,) of the examples that its score is read on."""

    predictions: Array
    labels: Array

    def belongs_to(self, score: float, metric: str) -> bool:
        """True where these answers have that score."""
        return abs(METRICS[metric](self.predictions, self.labels) - score) < 1e-6


def read_answers(folder: Path) -> Answers | None:
    """Return the answers in a run's folder; None where they were not kept or cannot be read."""
    try:
        kept = load_file(folder / "eval.safetensors")
        return Answers(kept["predictions"], kept["labels"])
    except (OSError, KeyError, SafetensorError):
        return None


def changes(metric: str, labels: Array, predictions: Sequence[Array], resamples: int, seed: int) -> Array:
    """Return by how much each run's score differs on each resample from that on all examples: (runs, resamples).

    Args:
        metric: a name in ``METRICS``.
        labels: (N,).
        predictions: (N,) of each run, in the order of ``labels``.
        resamples: how many times N examples are drawn.
        seed: of the draws, which are the same for every run.
    """
    every_one = np.ones((1, len(labels)))
    before = np.array([resampled(metric, labels, one, every_one)[0] for one in predictions])
    parts = [
        np.array([resampled(metric, labels, one, counts) for one in predictions])
        for counts in draws(len(labels), resamples, seed)
    ]
    return np.concatenate(parts, axis=1) - before[:, None]


def draws(size: int, resamples: int, seed: int) -> Iterator[Array]:
    """Yield how often each of ``size`` examples was drawn, (some resamples, size) of whole floats, in all
    ``resamples`` rows."""
    chooser = np.random.default_rng(seed)
    portion = max(1, CELLS // size)
    for first in range(0, resamples, portion):
        rows = min(portion, resamples - first)
        drawn = chooser.integers(size, size=(rows, size)) + size * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size).astype(float)


def resampled(metric: str, labels: Array, predictions: Array, counts: Array) -> Array:
    """Return the metric (b,) of examples repeated ``counts`` (b, N) times.

    The slow twin is the metric itself on ``np.repeat``; sums are of whole numbers, or in a fixed order, so that the
    bits do not depend on the number of threads.
    """
    if METRICS[metric].needs == "scores":
        x, y = np.asarray(labels, dtype=float), np.asarray(predictions, dtype=float)
        if metric == "spearman":
            return _correlation(_ranks(x, counts), _ranks(y, counts), counts)
        assert metric == "pearson", metric
        return _correlation(x[None, :], y[None, :], counts)
    total = counts.sum(axis=1)
    if metric == "accuracy":
        return counts @ (labels == predictions).astype(float) / total
    classes = np.array([1]) if metric == "f1" else np.union1d(labels, predictions)
    real, said = (labels[:, None] == classes).astype(float), (predictions[:, None] == classes).astype(float)
    right, actual, answered = counts @ (real * said), counts @ real, counts @ said  # (b, classes) each
    if metric in ("f1", "macro_f1"):
        either = actual + answered
        occurs = np.maximum(either > 0, metric == "f1")
        each = np.divide(2 * right, either, out=np.zeros_like(either), where=either > 0)
        return each.sum(axis=1) / occurs.sum(axis=1)
    assert metric == "matthews", metric
    joint = right.sum(axis=1) * total - (actual * answered).sum(axis=1)
    spread = (total**2 - (answered**2).sum(axis=1)) * (total**2 - (actual**2).sum(axis=1))
    return np.divide(joint, np.sqrt(spread), out=np.zeros_like(joint), where=spread > 0)


def chance_answer(metric: str, labels: Array, chance: float) -> Array | None:
    """Return the constant answer (N,) whose score is ``chance``, which is how ``majority_score`` came by it; None
    for correlations, whose chance level is 0 on any examples, and where no class fits."""
    if METRICS[metric].low < 0:
        return None
    constant = [np.full(len(labels), value) for value in np.unique(labels)]
    return next((one for one in constant if abs(METRICS[metric](one, labels) - chance) < 1e-9), None)


def bar_shifts(bar: Array, runs: Array, scores: Array, threshold: float, gap: float) -> Array:
    """Return the change of the bar relative to the curve where they cross, on each resample, with mean 0: (resamples,).

    Args:
        bar: change of the threshold (resamples,).
        runs: change of each run's score (runs, resamples).
        scores: (runs,); runs whose score is near the threshold say how the curve moves there.
        threshold: the score to reach.
        gap: the baseline's gain over chance, the unit of nearness.
    """
    far = ((scores - threshold) / (REACH * max(gap, 1e-3))) ** 2
    weights = np.exp(-0.5 * (far - far.min()))  # the nearest counts, however far it is
    moved = bar - (weights[:, None] * runs).sum(axis=0) / weights.sum()
    return moved - moved.mean()


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
