"""The grid: which dimensions, and in which order."""

from __future__ import annotations

import pytest

from intdim.search.grid import GridSearch
from tests.search.made import SETTING


def grid(**settings):
    return GridSearch(**(SETTING | {"max_runs": 100} | settings))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"d_min": 1, "d_max": 1000, "grid_points": 4}, [1, 10, 100, 1000]),
        ({"d_min": 8, "d_max": 512, "grid_points": 3}, [8, 64, 512]),
        ({"d_min": 1, "d_max": 4, "grid_points": 9}, [1, 2, 3, 4]),  # neighbours that round to one are one
        ({"d_min": 10, "d_max": 1000, "grid_points": 1}, [10]),
        ({"d_min": 7, "d_max": 7, "grid_points": 5}, [7]),
    ],
)
def test_dimensions_are_even_in_log_d(settings, expected):
    assert grid(**settings).grid() == expected


def test_every_dimension_with_one_seed_then_with_the_next():
    search = grid(d_min=1, d_max=100, grid_points=3, seeds=2)
    assert search.ask(n=2) == [1, 10]
    search.tell(1, 0.6)
    assert search.ask(n=9) == [100, 1, 10, 100]
    assert search.ask() == []


def test_the_budget_cuts_the_last_round():
    assert grid(d_min=1, d_max=100, grid_points=3, seeds=2, max_runs=4).ask(n=9) == [1, 10, 100, 1]
