"""The second opinion: a monotone fit of the mean scores, and a test of whether the scores fall again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import isotonic_regression

BIN = math.log(1.3)  # dimensions this close count as one when a dip is looked for
SIGMAS = 3.5
LEAST_NOISE = 0.005
LEAST_RUNS = 2  # on each side of a dip: a single run may have collapsed


def by_dimension(points: Sequence[tuple[int, float]]) -> list[tuple[int, np.ndarray]]:
    """Return (d, scores) in rising order of d; failed runs are left out."""
    dims = sorted({d for d, score in points if not math.isnan(score)})
    return [(d, np.asarray([score for at, score in points if at == d and not math.isnan(score)])) for d in dims]


def crossing_by_isotonic_fit(points: Sequence[tuple[int, float]], threshold: float) -> float | None:
    """Return the d at which the isotonic fit of the median scores reaches ``threshold``, log-linear in between;
    None where it starts above or ends below."""
    groups = by_dimension(points)
    if len(groups) < 2:
        return None
    x = np.log([d for d, _ in groups])
    fit = isotonic_regression([float(np.median(scores)) for _, scores in groups], weights=[len(s) for _, s in groups]).x
    if fit[0] >= threshold or fit[-1] < threshold:
        return None
    place = int(np.argmax(fit >= threshold))
    share = (threshold - fit[place - 1]) / (fit[place] - fit[place - 1])
    return float(np.exp(x[place - 1] + share * (x[place] - x[place - 1])))


def dips(points: Sequence[tuple[int, float]], threshold: float) -> bool:
    """True when runs at a larger d are clearly below the threshold and those at a smaller d clearly above it.

    Clearly: at least ``LEAST_RUNS`` runs on each side within a narrow band of d, medians ``SIGMAS`` standard errors
    apart, the noise estimated from the replicates of all bands.
    """
    bands: list[list[tuple[float, float]]] = []
    for d, scores in by_dimension(points):
        fresh = not bands or math.log(d) - bands[-1][0][0] > BIN
        if fresh:
            bands.append([])
        bands[-1] += [(math.log(d), float(score)) for score in scores]
    values = [np.asarray([score for _, score in band]) for band in bands]
    spread = [float(np.var(band, ddof=1)) for band in values if len(band) > 1]
    noise = max(LEAST_NOISE, math.sqrt(float(np.median(spread)))) if spread else LEAST_NOISE
    for at, early in enumerate(values):
        for late in values[at + 1 :]:
            if len(early) < LEAST_RUNS or len(late) < LEAST_RUNS:
                continue
            error = noise * math.sqrt(1 / len(early) + 1 / len(late))
            high, low = float(np.median(early)), float(np.median(late))
            if (
                high > threshold > low
                and high - low > SIGMAS * error
                and min(high - threshold, threshold - low) > noise
            ):
                return True
    return False
