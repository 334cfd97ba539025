"""Scores in the order of observation, and what is counted and inferred from them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from intdim.search.curve import Setting, log_prior_of_ceiling, unpack
from intdim.search.evidence import CURVE_POINTS, DECADE, NARROW, Crossing, Evidence, with_errors

SETTING = Setting(8, 65_536, 0.81, 0.9, 0.5, 0.0)
POINTS = [(100, 0.6), (1000, 0.87), (3000, 0.9), (300, 0.7)]


def evidence(points=POINTS, seed=0):
    made = Evidence(SETTING, seed)
    for point in points:
        made.add(*point)
    return made


def test_lower_bounds_and_failed_runs_are_marked():
    made = evidence([(10, 0.5), (20, 0.8, True), (30, math.nan, True), (20, 0.82)])
    assert made.bounds == [False, True, False, False]
    assert made.upper_points[1] == (20, math.inf)
    assert made.upper_points[3] == (20, 0.82)
    assert math.isnan(made.upper_points[2][1])
    assert made.bounded == {20}
    assert made.x.tolist() == np.log([10.0, 20.0, 30.0, 20.0]).tolist()


def test_the_posterior_does_not_depend_on_when_it_was_asked_for():
    calm, curious = evidence(), Evidence(SETTING, 0)
    for point in POINTS:
        curious.add(*point)
        curious.crossing()
    assert (calm.particles.cube == curious.particles.cube).all()
    assert calm.particles is calm.particles
    assert evidence(seed=1).crossing() != calm.crossing()


def test_many_scores_are_observed_in_batches(monkeypatch):
    """24 one by one, then a sixth of those known: 4, 4, 5 ... at a time; what is left over waits for its batch."""
    made, batches = Evidence(SETTING, 0), []

    class Counting:
        def __init__(self, y):
            self.y = y

        def update(self, x, y, bound):
            batches.append(len(y))
            return Counting(np.concatenate([self.y, y]))

    made._batched = Counting(np.empty(0))  # type: ignore[assignment]
    for k in range(35):
        made.add(100 + k, 0.6)
    assert len(made.particles.y) == 35
    assert batches == [1] * 24 + [4, 4, 3]
    assert len(made._batched.y) == 32


def test_runs_on_each_side_are_those_within_a_decade():
    made = evidence([(9, 0.5), (11, 0.5), (90, 0.6), (90, math.nan), (100, 0.8), (999, 0.9), (1001, 0.9)])
    assert made.sides(math.log(100)) == (2, 2)
    assert made.sides(math.log(100) + DECADE) == (2, 1)


def test_runs_near_an_end():
    made = evidence([(8, 0.5), (8, math.nan), (24, 0.5), (25, 0.5)])
    assert made.near(SETTING.low, 1.0) == 1
    assert made.near(SETTING.low, 3.0) == 2


def test_a_crossing_has_quantiles_of_its_samples():
    found = evidence().crossing()
    assert len(found.samples) == 1000
    assert np.mean(found.samples < found.low) < 0.05 <= np.mean(found.samples <= found.low)
    assert found.low <= found.median <= found.high
    assert found.below == np.mean(found.samples == -math.inf)
    assert math.log(300) < found.median < math.log(1000)


def test_another_threshold_and_shifts_are_added_to_each_curves_own():
    made = evidence()
    lower = made.crossing(0.75)
    assert lower.median < made.crossing().median
    shifted = made.crossing(0.81, np.array([-0.06]))
    assert (shifted.samples == made.crossing(0.81 - 0.06).samples).all()
    both = made.crossing(shifts=np.array([-0.06, 0.0])).samples  # neighbours get different ones
    assert (both[0::2] == shifted.samples[0::2]).all()
    assert (both[1::2] == made.crossing().samples[1::2]).all()


@pytest.mark.parametrize(
    ("low", "high", "narrow"),
    [(NARROW, NARROW, True), (NARROW, 1.3, False), (1.3, NARROW, False), (math.inf, 1.1, False)],
)
def test_narrow_is_within_a_factor_on_both_sides(low, high, narrow):
    middle = 5.0
    ends = middle - math.log(low) + 1e-12, middle + math.log(high) - 1e-12
    assert (
        Crossing(ends[0], middle, ends[1], 0.0, 0.0, np.empty(0), unpack(np.empty((0, 12)), SETTING)).is_narrow(NARROW)
        is narrow
    )


def test_a_refined_posterior_is_of_the_same_runs_and_leaves_the_other_alone():
    made = evidence()
    before = made.crossing().samples
    fine = made.refined()
    assert len(fine.crossing().samples) > len(before)
    assert fine.points == made.points
    assert (made.crossing().samples == before).all()
    assert fine.refined() is fine is made.refined()
    made.add(500, 0.7)
    assert made.refined() is not fine


def test_an_exact_threshold_makes_the_crossing_surer():
    made = Evidence(replace(SETTING, baseline_se=0.03), 0)
    for d, score in ((30, 0.6), (100, 0.7), (300, 0.78), (1000, 0.83), (3000, 0.86)):
        made.add(d, score)
    assert np.std(made.crossing(exact=True).samples.clip(2, 11)) < np.std(made.crossing().samples.clip(2, 11))
    assert made.bar_width() > 0.3


def test_the_band_spans_the_range():
    band = evidence().band()
    assert [len(values) for values in band.values()] == [CURVE_POINTS] * 4
    assert (band["d"][0], band["d"][-1]) == (pytest.approx(8), pytest.approx(65_536))
    assert all(a <= b <= c for a, b, c in zip(band["low"], band["median"], band["high"], strict=True))


def test_the_prior_of_the_ceiling_is_that_of_the_curves():
    """Shares of ceilings in bins, against the density integrated over them."""
    cube = np.random.default_rng(0).random((40_000, 12))
    curves = unpack(cube, SETTING)
    ends = np.array([-0.2, -0.08, -0.04, -0.02, 0.0, 0.02, 0.05, 0.1])
    found = np.histogram((curves.ceiling - 0.9) / SETTING.gap, ends)[0] / len(cube)

    x = np.linspace(-0.5, 0.5, 20_001)
    made = replace(curves.take(np.zeros(len(x), dtype=int)), ceiling=0.9 + SETTING.gap * x)
    density = np.exp(log_prior_of_ceiling(made, SETTING))
    total = np.cumsum(density) / density.sum()
    assert np.diff(np.interp(ends, x, total)) == pytest.approx(found, abs=0.01)


def test_a_baseline_that_is_higher_by_an_error_moves_the_prior_of_the_ceiling():
    curves = unpack(np.random.default_rng(0).random((50, 12)), SETTING)
    lower = replace(curves, ceiling=curves.ceiling - 0.03)
    assert log_prior_of_ceiling(lower, SETTING, -0.03) == pytest.approx(log_prior_of_ceiling(curves, SETTING))


def test_a_ceiling_that_is_known_tells_about_the_error():
    """Runs at large d score what the baseline does: it can hardly have been measured too high by three points."""
    rng = np.random.default_rng(0)
    errors = 0.03 * rng.standard_normal(400)
    d = [60, 100, 200, 300, 500, 1000, 3000, 10_000, 30_000, 60_000, 60_000, 60_000]
    mean = [0.5 + 0.4 / (1 + math.exp(-1.5 * (math.log(one) - 5))) for one in d]

    def crossings(lost):
        scores = [score - lost * (score - 0.5) + 0.003 * rng.standard_normal() for score in mean]
        made = evidence(zip(d, scores, strict=True))
        return made.crossing(shifts=errors), made.crossing(shifts=np.stack([errors, errors / 0.9]))

    alone, joint = crossings(0.0)
    assert joint.high - joint.low < 0.8 * (alone.high - alone.low)
    alone, joint = crossings(0.08)  # the baseline was measured too high, and so was the threshold
    assert joint.median < alone.median - 0.1


def test_errors_that_say_nothing_of_the_ceiling_come_as_often_as_given():
    curves = evidence().particles.curves
    shifts = np.stack([np.linspace(-0.02, 0.02, 400), np.zeros(400)])
    many, errors = with_errors(curves, SETTING, shifts)
    assert len(many.middle) == len(errors) > len(curves.middle)
    assert np.std(errors) == pytest.approx(np.std(shifts[0]), rel=0.02)
    assert float(np.mean(many.middle)) == pytest.approx(float(np.mean(curves.middle)), abs=1e-6)
