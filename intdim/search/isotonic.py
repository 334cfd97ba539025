"""A second opinion on d90 by isotonic regression of the scores, and tests of whether the scores fall again."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

Points = Sequence[tuple[int, float]]
BAND = math.log(1.3)  # dimensions this close count as one in the tests for a dip
SIGMAS = 3.5  # standard errors between the medians before and in a dip
LEAST_NOISE = 0.005  # standard deviation of a score, where too few replicates exist to estimate it
EARLY_RUNS = 2  # above the threshold before a dip
LATE_RUNS = 3  # below it in the dip: with one run in ten collapsed, three at one dimension are one in a thousand


@dataclass(frozen=True)
class Band:
    """Runs at neighbouring dimensions: the smallest d, and the scores."""

    d: int
    scores: np.ndarray

    @property
    def median(self) -> float:
        return float(np.median(self.scores))


def by_dimension(points: Points) -> list[tuple[int, np.ndarray]]:
    """Return (d, scores) in ascending order of d, without failed runs."""
    dims = sorted({d for d, score in points if not math.isnan(score)})
    return [(d, np.asarray([score for at, score in points if at == d and not math.isnan(score)])) for d in dims]


def crossing_by_isotonic_fit(points: Points, threshold: float, bounded: Collection[int] = ()) -> float | None:
    """Return the d at which the isotonic fit of the median scores reaches ``threshold``, interpolated in log d.

    None if the fit starts above the threshold or ends below it, or if one of the two neighbouring dimensions is in
    ``bounded``: some of its scores are lower bounds, so that its median is unknown."""
    groups = by_dimension(points)
    if len(groups) < 2:
        return None

    x = np.log([d for d, _ in groups])
    fit = isotonic_regression([float(np.median(scores)) for _, scores in groups], weights=[len(s) for _, s in groups]).x
    if fit[0] >= threshold or fit[-1] < threshold:
        return None

    above = int(np.argmax(fit >= threshold))
    if groups[above][0] in bounded or groups[above - 1][0] in bounded:
        return None
    share = (threshold - fit[above - 1]) / (fit[above] - fit[above - 1])
    return float(np.exp(x[above - 1] + share * (x[above] - x[above - 1])))


def dips(points: Points, threshold: float, upper_points: Points | None = None) -> bool:
    """True when runs at a larger d are clearly below the threshold and those at a smaller d clearly above it.

    Clearly means: enough runs on each side within a narrow band of d, medians ``SIGMAS`` standard errors apart, and
    each farther from the threshold than the noise, which is estimated from the replicates of all bands.

    Args:
        points: (d, score) of every run.
        threshold: the score to reach.
        upper_points: the same runs with inf in place of lower bounds: such a run is not below the threshold.
    """
    bands, upper = bands_of(points), bands_of(points if upper_points is None else upper_points)
    noise = noise_of(upper)
    for late in upper:
        for early in bands:
            if early.d >= late.d or len(early.scores) < EARLY_RUNS or len(late.scores) < LATE_RUNS:
                continue
            error = noise * math.sqrt(1 / len(early.scores) + 1 / len(late.scores))
            clear = min(early.median - threshold, threshold - late.median)
            if clear > noise and early.median - late.median > SIGMAS * error:
                return True
    return False


def contradiction(points: Points, threshold: float, upper_points: Points | None = None) -> int | None:
    """Return the d to measure again because scores seem to fall across the threshold, or None.

    If a run is below the threshold at a larger d than runs above it, either that run collapsed or the curve dips;
    more runs there decide. They are wanted until half of them reach the threshold, or until ``dips`` is certain.
    Arguments as for ``dips``.
    """
    bands, upper = bands_of(points), bands_of(points if upper_points is None else upper_points)
    noise = noise_of(upper)
    margin = 2 * max(noise, 2 * LEAST_NOISE)
    for late in reversed(upper):
        if late.median > threshold - margin or np.mean(late.scores >= threshold) >= 0.5:
            continue
        before = [band for band in bands if band.d < late.d and band.median > threshold + noise]
        if not before:
            continue

        if len(late.scores) < LATE_RUNS:
            return late.d
        best = max(before, key=lambda band: (len(band.scores), band.median))
        if len(best.scores) < EARLY_RUNS:
            return best.d
    return None


def bands_of(points: Points) -> list[Band]:
    """Return the runs grouped into bands of neighbouring dimensions, in ascending order of d."""
    groups: list[list[tuple[int, np.ndarray]]] = []
    for d, scores in by_dimension(points):
        if not groups or math.log(d / groups[-1][0][0]) > BAND:
            groups.append([])
        groups[-1].append((d, scores))
    return [Band(group[0][0], np.concatenate([scores for _, scores in group])) for group in groups]


def noise_of(bands: Sequence[Band]) -> float:
    """Return the standard deviation of a score: the root of the median variance within the bands."""
    exact = [band.scores[np.isfinite(band.scores)] for band in bands]
    spread = [float(np.var(scores, ddof=1)) for scores in exact if len(scores) > 1]
    return max(LEAST_NOISE, math.sqrt(float(np.median(spread)))) if spread else LEAST_NOISE
