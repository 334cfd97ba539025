"""The posterior's search: candidates, constraints before the acquisition, and when it ends."""

from __future__ import annotations

import math

import numpy as np
import pytest

from intdim.search.posterior import LEAST, PER_DECADE, Acquisition, PosteriorSearch
from tests.search.made import SETTING, drive, logistic, noisy


def search(points=(), **settings):
    made = PosteriorSearch(**(SETTING | settings))
    for seed, (d, score) in enumerate(points):
        made.tell(d, score, seed=seed)
    return made


def allowed(made, chosen=()):
    candidates = made.candidates()
    mask = made._constraints(made.evidence.crossing(), candidates, list(chosen))
    return candidates[mask].tolist()


def test_candidates_are_both_ends_and_twelve_a_decade():
    assert search(d_min=10, d_max=100).candidates().tolist() == [10, 12, 15, 18, 22, 26, 32, 38, 46, 56, 68, 83, 100]
    assert search(d_min=7, d_max=7).candidates().tolist() == [7]
    candidates = search().candidates()
    assert (candidates[0], candidates[-1]) == (8, 65_536)
    inner = np.diff(np.log10(candidates[10:-1]))
    assert inner == pytest.approx(1 / PER_DECADE, abs=0.02)


def test_without_a_score_everything_is_allowed():
    assert allowed(search()) == search().candidates().tolist()


def test_the_end_beyond_which_d90_seems_to_lie_is_measured():
    above = search([(20_000, 0.55), (30_000, 0.56), (40_000, 0.55)])
    assert above.evidence.crossing().above > 0.8
    assert allowed(above) == [65_536]
    below = search([(10, 0.9), (12, 0.9), (20, 0.9)])
    assert below.evidence.crossing().below > 0.8
    assert allowed(below) == [8]
    assert allowed(below, [8, 8, 8]) != [8]  # three runs there are on their way


def test_a_run_that_contradicts_a_smaller_one_is_repeated():
    doubtful = search([(100, 0.55), (400, 0.89), (450, 0.9), (5000, 0.6)])
    candidates = doubtful.candidates()
    nearest = int(candidates[np.argmin(np.abs(np.log(candidates / 5000)))])
    assert allowed(doubtful) == [nearest]


def test_missing_seeds_are_those_within_a_decade():
    made = search([(200, 0.6), (300, 0.7), (1000, 0.88)])
    crossing = made.evidence.crossing()
    below, above = made.evidence.sides(crossing.median)
    assert made._missing(crossing, np.empty(0)) == (3 - below, 3 - above)
    pending = np.log([math.exp(crossing.median) / 2, math.exp(crossing.median) * 2, math.exp(crossing.median) * 20])
    assert made._missing(crossing, pending) == (max(0, 2 - below), max(0, 2 - above))


def test_a_side_is_what_surely_lies_on_it():
    made = search([(200, 0.6), (300, 0.7), (1000, 0.88)])
    crossing, x = made.evidence.crossing(), np.log(made.candidates())
    left, right = x[made._side(crossing, x, 0)], x[made._side(crossing, x, 1)]
    assert crossing.median - math.log(10) <= left.min()
    assert left.max() < crossing.low
    assert crossing.high <= right.min()
    assert right.max() <= crossing.median + math.log(10)
    only = np.array([crossing.median + 5])  # nothing lies on either side: anything is allowed
    assert made._side(crossing, only, 0).tolist() == [True]


def test_it_ends_once_the_interval_is_narrow_with_seeds_on_both_sides():
    made = search(max_runs=20)
    drive(made, noisy(logistic(6.0), 0))
    crossing = made.evidence.crossing()
    assert crossing.is_narrow(1.26) == made._judged(crossing)[1] == (LEAST <= len(made.points) < 20)
    assert not search([(200, 0.6)])._judged(search([(200, 0.6)]).evidence.crossing())[1]


def test_enough_runs_end_it_with_a_wider_interval():
    noise = noisy(logistic(6.0, 1.3), 0, noise=0.03)
    long, short = (search(max_runs=20, **limits) for limits in ({}, {"enough": 8}))
    for made in (long, short):
        drive(made, noise)
    assert 8 <= len(short.points) < len(long.points)
    assert short.verdict().status == "found"


def test_it_goes_on_while_an_error_of_the_threshold_makes_the_interval_too_wide():
    """The errors are asked for before it would end, and no sooner."""
    calls = []

    def errors():
        calls.append(len(plain.points))
        return np.resize([-0.06, 0.06], 400)

    sure, plain = (search(max_runs=20, enough=14) for _ in range(2))
    plain.errors = errors
    for made in (sure, plain):
        drive(made, noisy(logistic(6.0), 0))
    assert sure.points == plain.points[: len(sure.points)]
    assert len(sure.points) < len(plain.points) == 20
    assert calls[0] == len(sure.points)


def test_a_threshold_that_is_too_uncertain_ends_it():
    made = PosteriorSearch(**SETTING, max_runs=40, enough=6, baseline_std=0.06, freedom=3.0, seed=0)
    drive(made, noisy(logistic(7.0, 2.5), 0, noise=0.004))
    verdict = made.verdict()
    assert len(made.points) < 20
    assert (verdict.status, verdict.limit) == ("budget_spent", "baseline")
    assert "raise train.baseline_seeds" in verdict.message


def test_an_acquisition_prefers_what_is_allowed_and_not_yet_measured():
    made = search([(200, 0.6), (3000, 0.88)])
    x = np.log(made.candidates())
    acquisition, everything = Acquisition(made, made.evidence.crossing(), x), np.ones(len(x), dtype=bool)
    best = acquisition.best(everything)
    assert math.log(200) < x[best] < math.log(3000)
    without = everything.copy()
    without[best] = False
    assert acquisition.best(without) != best
    assert acquisition.best(np.arange(len(x)) == 3) == 3

    before = acquisition.variance[best]
    acquisition.assume_measured(best)
    noise = acquisition.noise[best]
    assert acquisition.variance[best] == pytest.approx(before * noise / (before + noise))
    assert (acquisition.variance >= 0).all()


def test_measuring_is_conditioning_a_joint_normal():
    """Against the formula for all assumed measurements at once."""
    made = search([(200, 0.6), (3000, 0.88)])
    x = np.log(made.candidates())
    stepwise = Acquisition(made, made.evidence.crossing(), x)
    target, mean, noise = stepwise.covariance.copy(), stepwise.mean, stepwise.noise
    full, at = mean.T @ mean / len(mean), [5, 20, 20]
    for index in at:
        stepwise.assume_measured(index)
    inner = full[np.ix_(at, at)] + np.diag(noise[at])
    expected = target - full[:, at] @ np.linalg.solve(inner, target[at])
    assert stepwise.covariance == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert stepwise.variance == pytest.approx(
        np.diag(full - full[:, at] @ np.linalg.solve(inner, full[at])), rel=1e-6, abs=1e-12
    )
