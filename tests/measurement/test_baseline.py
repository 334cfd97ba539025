"""Mean, spread and standard error of the baseline's seeds."""

from __future__ import annotations

import math

import pytest

from intdim.measurement.baseline import Baseline


def test_mean_spread_and_error() -> None:
    three = Baseline(1e-3, {1e-3: 0.8}, [0.7, 0.8, 0.9], [0.6, 0.6, 0.9], ["a", "b", "c"])
    assert three.mean == pytest.approx(0.8)
    assert three.select_mean == pytest.approx(0.7)
    assert three.std == pytest.approx(0.1)
    assert three.standard_error == pytest.approx(0.1 / math.sqrt(3))
    assert Baseline(1e-3, {}, [0.7], [0.7], ["a"]).std == 0.0
