"""Bisection: the bracket, the seeds of a step, and both ends of the range."""

from __future__ import annotations

import math

import pytest

from intdim.search.bisection import BisectionSearch
from tests.search.made import SETTING


def bisection(**settings):
    return BisectionSearch(**(SETTING | {"d_min": 1, "d_max": 10_000, "max_runs": 100, "seeds": 1} | settings))


def played(search, reaches):
    """Return the dimensions asked for when those that ``reaches`` names score 0.9 and all others 0.6."""
    asked = []
    while found := search.ask():
        asked += found
        for d in found:
            search.tell(d, 0.9 if reaches(d) else 0.6, seed=len(asked))
    return asked


def test_it_halves_the_bracket_in_log_d():
    assert played(bisection(), lambda d: d >= 500)[:4] == [100, 1000, 316, 562]


def test_it_ends_within_a_factor_of_1_26():
    search = bisection()
    asked = played(search, lambda d: d >= 500)
    above, below = min(d for d in asked if d >= 500), max(d for d in asked if d < 500)
    assert above / below <= 1.26
    assert not {1, 10_000} & set(asked)  # both ends of the bracket moved


@pytest.mark.parametrize(("reaches", "side"), [(lambda d: True, 1), (lambda d: False, 10_000)])
def test_an_end_that_never_moved_has_both_ends_measured(reaches, side):
    asked = played(bisection(), reaches)
    assert asked[-2:] == [1, 10_000]
    assert max(abs(math.log(d / side)) for d in asked[3:-2]) < math.log(10)


def test_neighbouring_integers_end_it():
    assert played(bisection(d_min=1, d_max=3), lambda d: d >= 3) == [2, 1, 3]


def test_all_seeds_of_a_step_are_asked_for_at_once_and_no_more():
    search = bisection(seeds=3)
    assert search.ask(n=8) == [100] * 3
    assert search.ask(n=8) == []
    for seed, score in enumerate((0.9, 0.6, math.nan)):
        search.tell(100, score, seed=seed)
    assert search.ask(n=2) == [1000] * 2  # the median of 0.9, 0.6 and a failed run is below


@pytest.mark.parametrize(
    ("scores", "reaches"),
    [
        ([0.9, 0.6, 0.81], True),
        ([0.9, 0.6, 0.8], False),
        ([math.inf, math.inf, 0.2], True),
        ([math.nan, math.nan, 0.9], False),
    ],
)
def test_the_median_decides(scores, reaches):
    assert bisection()._reaches(scores) is reaches
