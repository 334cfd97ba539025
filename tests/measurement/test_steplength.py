"""Step lengths between and beyond the dimensions at which they were located."""

from __future__ import annotations

import math

import pytest

from intdim.measurement.steplength import StepLengths, anchors


def known(**lengths: float) -> StepLengths:
    return StepLengths((3.0, 10.0, 30.0), known={int(name[1:]): length for name, length in lengths.items()})


def test_unknown_takes_the_middle_of_the_grid() -> None:
    assert StepLengths((30.0, 3.0, 10.0)).at(100) == 10.0


def test_between_two_dimensions_it_is_interpolated_in_log_d() -> None:
    made = known(d100=30, d10000=3)
    assert made.at(100) == 30
    assert made.at(1000) == pytest.approx(math.sqrt(90), rel=0.01)
    assert made.at(10_000) == 3


def test_beyond_them_it_goes_on_falling_by_at_most_one_step_of_the_grid() -> None:
    made = known(d100=30, d10000=10)
    assert made.at(40_000) == pytest.approx(10 * 4 ** (-math.log(3) / math.log(100)), rel=0.01)
    assert made.at(10**9) == pytest.approx(10 / 3, rel=0.01)
    assert made.at(50) == pytest.approx(30 * 2 ** (math.log(3) / math.log(100)), rel=0.01)
    assert made.at(1) == pytest.approx(90, rel=0.01)


@pytest.mark.parametrize("made", [known(d100=10, d10000=10), known(d100=3, d10000=30), known(d100=10)])
@pytest.mark.parametrize("d", [1, 50, 10**6])
def test_where_it_does_not_fall_with_d_it_stays_level(made: StepLengths, d: int) -> None:
    assert made.at(d) == made.known[min(made.known, key=lambda one: abs(math.log(one / d)))]


def test_the_nearest_two_decide() -> None:
    made = known(d100=10, d1000=10, d100000=1)
    assert made.at(10) == 10
    assert made.at(400_000) < 1


def test_the_dimensions_of_location_are_thirds_of_the_range() -> None:
    assert anchors(100, 100_000) == [1000, 10_000]
    assert anchors(64, 64) == [64]
