"""Which step lengths are tried where, and which of them counts."""

from __future__ import annotations

import math

import pytest

from intdim.measurement.steplength import StepLengths, beyond_edge, grid_best

GRID = (3.0, 10.0, 30.0)


def lengths(grid: tuple[float, ...] = GRID) -> StepLengths:
    """Return lengths of a cell with chance 0.5 and a baseline of 0.9."""
    return StepLengths(grid, 8, 65_536, 0.5, 0.4)


def seen(made: StepLengths, d: int, best: float, top: float = 0.85) -> StepLengths:
    """Let a grid be tried at ``d`` that scores best at one length, and call the region tuned."""
    for length in (1.0, 3.0, 10.0, 30.0):
        made.note(d, length, 0.5 + (top - 0.5) * math.exp(-0.5 * (math.log(length / best) / 0.8) ** 2))
    made.tuned.append(d)
    return made


def test_the_best_of_a_grid_is_the_middle_one_of_several_and_never_a_failed_one() -> None:
    assert grid_best({1.0: 0.7, 3.0: 0.7, 10.0: 0.7, 30.0: math.nan}) == 3.0
    assert grid_best({1.0: math.nan, 3.0: 0.1}) == 3.0


def test_beyond_an_edge_where_the_best_lies_there() -> None:
    assert beyond_edge({1.0: 0.7, 3.0: 0.8}) == 9.0
    assert beyond_edge({1.0: 0.8, 3.0: 0.7}) == pytest.approx(0.333)
    assert beyond_edge({1.0: 0.7, 3.0: 0.8, 9.0: 0.7}) is None


def test_one_length_is_a_decision() -> None:
    made = lengths((7.0,))
    assert made.decided
    assert made.at(8) == made.at(65_536) == 7.0
    assert not made.is_new(100)
    made.note(100, 7.0, 0.5)
    assert not made.doubtful(100, 0.5)


def test_the_first_dimension_takes_the_whole_grid_and_then_the_neighbours_of_its_best() -> None:
    made = lengths()
    assert made.is_new(100)
    assert made.first(100) == [3.0, 10.0, 30.0]
    assert made.further({3.0: 0.6, 10.0: 0.8, 30.0: 0.7}, grid=True) == []
    assert made.beside_best({3.0: 0.6, 10.0: 0.8, 30.0: 0.7}) == [5.78, 17.3]


def test_a_grid_grows_beyond_its_edge_and_beyond_both_where_nothing_was_learnt() -> None:
    made = lengths()
    assert made.further({3.0: 0.6, 10.0: 0.7, 30.0: 0.8}, grid=True) == [90.0]
    assert made.further({3.0: 0.8, 10.0: 0.7, 30.0: 0.6}, grid=True) == [1.0]
    assert made.further({3.0: 0.5, 10.0: 0.51, 30.0: 0.5}, grid=True) == [1.0, 90.0]
    assert made.beside_best({3.0: 0.5, 10.0: 0.51, 30.0: 0.5}) == []


def test_the_grid_is_tried_again_until_something_was_learnt_but_not_for_ever() -> None:
    made = lengths()
    made.note(100, 3.0, 0.58)
    assert made.wants_grid
    made.grids = 4
    assert not made.wants_grid
    made.grids = 1
    made.note(1000, 3.0, 0.62)
    assert not made.wants_grid


def test_a_new_region_takes_three_lengths_around_what_all_runs_say() -> None:
    made = seen(seen(lengths(), 900, 10.0), 1000, 10.0)
    assert not made.is_new(1500)
    assert made.is_new(20_000)
    low, high, middle = made.first(20_000)
    assert high / middle == pytest.approx(1.73, rel=0.01)
    assert middle / low == pytest.approx(1.73, rel=0.01)
    assert 2.0 < middle < 20.0


def test_a_region_goes_on_beyond_an_edge_that_is_clearly_better() -> None:
    made = seen(lengths(), 1000, 10.0)
    assert made.further({5.78: 0.8, 10.0: 0.7, 17.3: 0.6}, grid=False) == [3.34]
    assert made.further({5.78: 0.705, 10.0: 0.7, 17.3: 0.6}, grid=False) == []
    assert made.further({5.78: 0.5, 10.0: 0.5, 17.3: 0.5}, grid=False) == []


def test_the_best_length_follows_what_was_best_and_its_slope() -> None:
    made = seen(seen(lengths(), 100, 12.0), 10_000, 4.0)
    assert 7.0 < made.at(100) < 18.0
    assert 2.5 < made.at(10_000) < 6.5
    assert made.at(10_000) < made.at(1000) < made.at(100)


def test_where_all_runs_agree_a_new_region_is_not_tuned() -> None:
    made = lengths()
    for d in (16, 128, 1024, 8192):
        for length in (0.3, 1.0, 3.0, 10.0, 30.0):
            made.note(d, length, 0.85)
        made.tuned.append(d)
    assert not made.is_new(50_000)


def test_the_luck_of_one_run_chooses_nothing() -> None:
    made = seen(seen(lengths(), 500, 10.0), 1000, 10.0)
    here = made.at(1000)
    near, far = here * 1.05, here * 1.8
    assert made.chosen(1000, {near: 0.80, far: 0.81}) == near
    assert made.chosen(1000, {near: 0.80, far: 0.84}) == far
    assert made.chosen(1000, {near: math.nan, far: 0.7}) == far
    assert made.chosen(1000, {near: math.nan}) == near


def test_a_run_at_chance_is_doubtful_where_a_smaller_d_learnt() -> None:
    made = seen(lengths(), 100, 10.0)
    made.note(150, 10.0, 0.5)
    made.note(50, 10.0, 0.5)
    assert made.doubtful(150, 0.5)
    assert not made.doubtful(150, 0.6)
    assert not made.doubtful(50, 0.5)
    made.note(150, 17.3, 0.5)
    assert not made.doubtful(150, 0.5)


def test_the_evidence_has_every_score() -> None:
    made = seen(lengths(), 100, 10.0)
    made.note(100, 90.0, math.nan)
    found = made.evidence()
    assert set(found.known) == {"100"}
    assert list(found.tried["100"]) == ["1", "3", "10", "30", "90"]
    assert found.tried["100"]["90"] is None
