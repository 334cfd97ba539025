"""Simulated learning curves whose d90 is known, and the loop that searches one."""

from __future__ import annotations

import math

import numpy as np

SETTING = {"d_min": 8, "d_max": 65_536, "threshold": 0.81, "baseline": 0.9, "chance": 0.5}
BUDGET = {"posterior": 12, "bisection": 42, "grid": 39}


def sigmoid(t):
    return 0.5 * (1 + math.tanh(0.5 * t))


def rising(share, floor=0.5, ceiling=0.9):
    return lambda d: floor + (ceiling - floor) * share(math.log(d))


def logistic(middle, width=0.7):
    return rising(lambda x: sigmoid((x - middle) / width))


def gompertz(middle, width=0.7):
    return rising(lambda x: math.exp(-math.exp(-(x - middle) / width)))


def weibull(middle, width=0.7):
    return rising(lambda x: 1 - math.exp(-math.exp(min((x - middle) / width, 30.0))))


def two_step(middle, width=0.7):
    return rising(lambda x: 0.5 * sigmoid((x - middle + 1.5) / 0.4) + 0.5 * sigmoid((x - middle - 0.5) / (0.5 * width)))


def late(middle, width=0.7):
    return rising(lambda x: 0.72 * sigmoid((x - middle + 2.5) / 0.5) + 0.28 * sigmoid((x - middle) / (0.4 * width)))


FAMILIES = {"logistic": logistic, "gompertz": gompertz, "weibull": weibull, "two_step": two_step, "late": late}


def crossing(curve, threshold=0.81):
    """Return the d in [1e-3, 1e9] at which a rising curve reaches the threshold, by halving."""
    low, high = math.log(1e-3), math.log(1e9)
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if curve(math.exp(middle)) >= threshold else (middle, high)
    return math.exp(high)


def noisy(curve, seed, noise=0.005, collapse=0.0):
    """Return score(d, k): the k-th run at d, the same whenever it is asked for."""

    def score(d, k):
        rng = np.random.default_rng([seed, d, k])
        lost = rng.random() < collapse
        mean, spread = (SETTING["chance"], 0.01) if lost else (curve(d), noise)
        return float(mean + spread * rng.standard_normal())

    return score


def drive(search, score, batch=1, stop=None):
    """Ask and tell until the search has ended, or until ``stop`` runs were observed; return [(d, score, k)]."""
    observed, counts = [], {}
    while asked := search.ask(n=batch):
        for d in asked:
            counts[d] = counts.get(d, 0) + 1
            observed.append((d, score(d, counts[d]), counts[d]))
            search.tell(*observed[-1][:2], seed=counts[d])
        if stop is not None and len(observed) >= stop:
            break
    return observed
