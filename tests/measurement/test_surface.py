"""The posterior over windows of step lengths finds the window that runs were drawn from, and doubts what it must."""

from __future__ import annotations

import math

import numpy as np
import pytest

from intdim.measurement.surface import Seen, Surface

GRID = (1.0, 3.0, 10.0, 30.0)


def kept(d: int, length: float, best: float, slope: float, width: float) -> float:
    away = math.log(length / best) - slope * (math.log(d) - 0.5 * math.log(8 * 65_536))
    return math.exp(-0.5 * (abs(away) / width) ** 2)


def observed(best: float, slope: float, width: float, dims: tuple[int, ...] = (32, 500, 8000)) -> Surface:
    made, rng = Surface(8, 65_536, GRID), np.random.default_rng(0)
    for d in dims:
        top = 1 / (1 + math.exp(5 - math.log(d)))
        for length in (*GRID, 5.5):
            gain = top * kept(d, length, best, slope, width) + 0.02 * rng.standard_normal()
            made.see(Seen(math.log(d), math.log(length), gain))
    return made


@pytest.mark.parametrize(("best", "slope", "width"), [(4.0, 0.0, 0.7), (10.0, -0.3, 1.0), (2.0, -0.1, 1.5)])
def test_it_finds_the_window(best, slope, width):
    made = observed(best, slope, width)
    for d in (100, 1000, 10_000):
        assert kept(d, made.best(d), best, slope, width) > 0.97


def test_weights_are_probabilities_and_start_as_the_prior():
    made = Surface(8, 65_536, GRID)
    assert made.weights.sum() == pytest.approx(1.0)
    assert np.allclose(np.log(made.weights), made.log_prior - np.log(np.exp(made.log_prior).sum()))


def test_more_runs_make_it_surer():
    nothing, something = Surface(8, 65_536, GRID), observed(4.0, 0.0, 0.7)
    assert nothing.expected(1000, nothing.best(1000)) < something.expected(1000, something.best(1000))
    assert something.expected(1000, 30.0) < 0.3


def test_one_collapsed_run_moves_little():
    made = observed(4.0, -0.1, 1.0)
    before = made.best(500)
    made.see(Seen(math.log(500), math.log(before), 0.0))
    assert abs(math.log(made.best(500) / before)) < 0.25


def test_runs_in_any_order_give_the_same_length():
    runs = [Seen(math.log(d), math.log(s), kept(d, s, 4.0, 0.0, 0.8)) for d in (50, 900) for s in GRID]
    first, second = Surface(8, 65_536, GRID), Surface(8, 65_536, GRID)
    for run in runs:
        first.see(run)
    for run in reversed(runs):
        second.see(run)
    assert first.best(300) == pytest.approx(second.best(300), rel=1e-9)


def test_a_range_of_one_dimension_works():
    made = Surface(64, 64, (3.0, 10.0))
    made.see(Seen(math.log(64), math.log(3.0), 0.9))
    assert math.isfinite(made.best(64))
