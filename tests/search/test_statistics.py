"""How often the posterior's intervals cover, on curves of five families."""

from __future__ import annotations

import math

import numpy as np

from intdim.search import make_search
from tests.search.made import FAMILIES, SETTING, crossing, drive, noisy


def test_intervals_cover():
    """50 curves, 5 % collapsed runs, at most 12 runs each. Were the true coverage 0.9, fewer than 40 of 50 would cover
    in 1 % of all choices of seeds; the seeds here are fixed, so that a failure is a change."""
    rng = np.random.default_rng(11)
    covered, errors = [], []
    for number in range(50):
        family = list(FAMILIES.values())[number % len(FAMILIES)]
        curve = family(rng.uniform(4.0, 8.5), rng.uniform(0.3, 1.3))
        noise = math.exp(rng.uniform(math.log(0.002), math.log(0.02)))
        search = make_search("posterior", **SETTING, seed=number)
        observed = drive(search, noisy(curve, number, noise, collapse=0.05), batch=1 + number % 3)
        verdict = search.verdict()
        assert len(observed) <= 12
        if verdict.status == "found":
            truth = crossing(curve)
            covered.append(verdict.low <= truth <= verdict.high)
            errors.append(abs(math.log(verdict.d90 / truth)))
    assert len(covered) >= 40
    assert np.mean(covered) >= 0.8
    assert np.median(errors) <= math.log(1.08)
    assert np.quantile(errors, 0.9) <= math.log(1.35)
