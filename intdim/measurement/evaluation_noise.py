"""Evaluation-set noise: how far the bar and the scores move together when other evaluation examples are drawn.

The evaluation examples are a sample too. They are drawn again, with replacement, the same ones for every run and for
the baseline (a paired bootstrap: Efron 1979), and the metric of every run is computed again. What counts for d90 is
the change of the bar relative to the curve where the curve crosses it: examples that are easy for everything lift
both and change little. Changes are per resample; the search adds them to the bar, one to each curve of its posterior.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from intdim.ledger.results import Answers
from intdim.tasks.metrics import find_metric

Array = np.ndarray
REACH = 0.12  # in gains over chance: how near the bar a run's score is that says how the curve moves there
CELLS = 4_000_000  # drawn counts held at a time: 32 MB


def changes(
    metric: str,
    labels: Array,
    predictions: Sequence[Array],
    resamples: int,
    seed: int,
    halves: Sequence[Array] = (),
) -> Array:
    """Return by how much each run's score differs on each resample from that on all examples: (runs, resamples).

    Args:
        metric: a name in ``METRICS``.
        labels: (N,).
        predictions: (N,) of each run, in the order of ``labels``.
        resamples: how many times N examples are drawn.
        seed: of the draws, which are the same for every run.
        halves: the rows (N,) of bool of each half, where a score is the mean over halves; each is drawn by itself.
    """
    score = find_metric(metric).weighted
    moved = []
    for number, rows in enumerate(halves or [np.ones(len(labels), dtype=bool)]):
        here, answers = labels[rows], [one[rows] for one in predictions]
        every_one = np.ones((1, len(here)))
        before = np.array([score(here, one, every_one)[0] for one in answers])
        parts = [
            np.array([score(here, one, counts) for one in answers])
            for counts in draws(len(here), resamples, seed + number)
        ]
        moved.append(np.concatenate(parts, axis=1) - before[:, None])
    return np.mean(moved, axis=0)


def draws(size: int, resamples: int, seed: int) -> Iterator[Array]:
    """Yield how often each of ``size`` examples was drawn, (some resamples, size) of whole floats, in all
    ``resamples`` rows."""
    rng = np.random.default_rng(seed)
    portion = max(1, CELLS // size)
    for first in range(0, resamples, portion):
        rows = min(portion, resamples - first)
        drawn = rng.integers(size, size=(rows, size)) + size * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size).astype(float)


def have_score(answers: Answers, score: float, metric: str) -> bool:
    """True where these answers have that score, up to rounding."""
    return abs(answers.score(find_metric(metric)) - score) < 1e-6


def chance_answer(metric: str, labels: Array, chance: float) -> Array | None:
    """Return the constant answer (N,) whose score is ``chance``, which is how ``majority_score`` came by it; None
    for correlations, whose chance level is 0 on any examples, and where no class fits."""
    if find_metric(metric).low < 0:
        return None
    constant = [np.full(len(labels), value) for value in np.unique(labels)]
    return next((one for one in constant if abs(find_metric(metric)(one, labels) - chance) < 1e-9), None)


def rounding(size: int, count: int, seed: int) -> Array:
    """Return equally likely errors of a score that ``size`` examples only tell in steps of 1 / size: (count,) within
    half a step. Answers that are all right, on two examples, have no other error that a bootstrap could see."""
    order = np.random.default_rng(seed).permutation(count)
    return ((np.arange(count) + 0.5) / count - 0.5)[order] / size


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
