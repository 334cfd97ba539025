"""What the choice of step lengths adds to the error of d90."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from intdim.measurement.lengths_error import DRAWS, length_errors
from intdim.measurement.surface import Surface
from tests.measurement.simulated import measured


def test_a_given_length_has_no_such_error():
    assert length_errors(measured(step_lengths=(3.0,)), "absolute") is None


def test_errors_have_mean_0_and_grow_where_less_is_known():
    made = measured()
    known = length_errors(made, "absolute")
    assert known is not None
    assert known.shape == (DRAWS,)
    assert float(known.mean()) == pytest.approx(0.0, abs=1e-12)
    assert (length_errors(made, "absolute") == known).all()

    made.lengths.surface = Surface(8, 65_536, (1.0, 3.0, 10.0))  # as if no run had been seen
    assert length_errors(made, "absolute").std() > 3 * known.std()


def test_without_a_score_there_is_nothing_to_say():
    made = measured()
    made.observed = [replace(result, eval_score=None) for result in made.observed]
    assert length_errors(made, "absolute") is None


def test_draws_are_quantiles_of_the_posterior():
    surface = Surface(8, 65_536, (1.0, 3.0, 10.0))
    places = [(math.log(100), math.log(3.0)), (math.log(1000), math.log(10.0))]
    drawn = surface.draws(places, np.array([1.0, 3.0]), 2000)
    mean = 0.25 * surface.expected(100, 3.0) + 0.75 * surface.expected(1000, 10.0)
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.01)
    assert (np.diff(drawn) >= 0).all()
