"""Two scores, or two values of d90, beside each other: their difference or ratio with its interval.

Scores are read on the same evaluation examples, so that the examples are drawn again together (a paired bootstrap:
Efron 1979): what makes an example hard for both says nothing of which is better. Values of d90 have an interval each;
the interval of their ratio is made of these two (MOVER: Zou and Donner 2008), as if they were independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intdim.measurement.evaluation_noise import changes
from intdim.tasks.metrics import find_metric

Array = np.ndarray
LEVEL = 0.9  # of every interval, as of a verdict's
RESAMPLES, CELLS = 2000, 8_000_000  # drawings, and examples drawn in all: fewer drawings of many examples
FEWEST = 400
SEED = 0  # of the drawings: the same question has the same answer


@dataclass(frozen=True)
class Difference:
    """``value`` with the ends of its interval; ``examples`` and ``resamples`` say what it rests on."""

    value: float
    low: float
    high: float
    level: float
    examples: int
    resamples: int


def paired_difference(
    metric: str, labels: Array, first: Sequence[Array], second: Sequence[Array], halves: Sequence[Array] = ()
) -> Difference:
    """Return by how much the mean score of ``second`` is above that of ``first``.

    The interval covers which evaluation examples were drawn; the seeds stay as they are.

    Args:
        metric: a name in ``METRICS``.
        labels: (N,).
        first: predictions (N,) of each run of one side.
        second: of the other.
        halves: the rows (N,) of bool of each half, where a score is the mean over halves.
    """
    resamples = max(FEWEST, min(RESAMPLES, CELLS // max(1, len(labels) * (len(first) + len(second)))))
    sides = [*first, *second]

    def difference(scores: Array) -> Array:
        return scores[len(first) :].mean(axis=0) - scores[: len(first)].mean(axis=0)

    score = find_metric(metric)
    parts = halves or [np.ones(len(labels), dtype=bool)]
    whole = np.array([[np.mean([score(one[rows], labels[rows]) for rows in parts])] for one in sides])
    value = float(difference(whole)[0])
    drawn = value + difference(changes(metric, labels, sides, resamples, SEED, halves))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(value, float(low), float(high), LEVEL, len(labels), resamples)


def ratio(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return ``second`` over ``first`` with the ends of its interval.

    Args:
        first: a positive number with the ends of its interval, (value, low, high).
        second: another one, whose interval has the same level.
    """
    (a, a_low, a_high), (b, b_low, b_high) = ([math.log(one) for one in side] for side in (first, second))
    middle = b - a
    down = math.hypot(b - b_low, a_high - a)
    up = math.hypot(b_high - b, a - a_low)
    return math.exp(middle), math.exp(middle - down), math.exp(middle + up)
