"""What the choice of step lengths adds to the error of d90: runs near the bar may keep less of the gain than the best
length would, and by how much is only known up to the posterior over windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from intdim.measurement.evaluation_noise import REACH
from intdim.spec import derive_seed

if TYPE_CHECKING:
    from intdim.measurement.program import Measurement

Array = np.ndarray
DRAWS = 400
UNSHARED = 0.85  # lengths share between none and half of a seed's luck, which the surface does not know: 1 to 0.7


def length_errors(measurement: Measurement, kind: str) -> Array | None:
    """Return equally likely errors of the threshold ``kind`` relative to the scores, (DRAWS,) with mean 0; None where
    the user gave one length or no run has a score."""
    surface, baseline = measurement.lengths.surface, measurement.baseline
    observed = [result for result in measurement.observed if math.isfinite(result.score)]
    if surface is None or baseline is None or not observed:
        return None

    bar, chance = measurement.threshold(kind), measurement.facts.chance
    far = np.array([(result.score - bar) / (REACH * measurement.lengths.gap) for result in observed]) ** 2
    weights = np.exp(-0.5 * (far - far.min()))
    places = [(math.log(result.d), math.log(result.step_length)) for result in observed]
    kept = surface.draws(places, weights, DRAWS)

    order = np.random.default_rng(derive_seed(measurement.spec.seed, "lengths")).permutation(DRAWS)
    # runs that keep less of the gain cross the bar where they reach less
    errors = UNSHARED * (bar - chance) * kept[order]
    return errors - errors.mean()
