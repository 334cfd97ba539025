"""The ask/tell interface by itself: what is counted, what is pending, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from intdim.errors import UserError
from intdim.search import SEARCHES, estimate, make_search
from intdim.search.base import Search, checked_shifts, make_setting, number, whole_number
from tests.search.made import SETTING


@pytest.fixture(params=sorted(SEARCHES))
def name(request):
    return request.param


class Counting(Search):
    """Asks for 8, 9, 10 ... in turn."""

    def _choose(self, n: int) -> list[int]:
        first = 8 + len(self.points) + self._pending.total()
        return list(range(first, first + n))


def test_what_was_asked_for_is_pending_until_it_is_told():
    search = Counting(**SETTING, max_runs=5)
    assert search.ask(n=2) == [8, 9]
    assert (search.pending(8), search.all_pending()) == (1, [8, 9])
    search.tell(9, 0.6)
    assert search.all_pending() == [8]
    search.tell(8, math.nan)
    assert search.all_pending() == []
    assert [d for d, _ in search.points] == [9, 8]


def test_the_budget_counts_what_is_pending_and_what_nobody_asked_for():
    search = Counting(**SETTING, max_runs=4)
    search.tell(100, 0.6)
    assert search.ask(n=9) == [9, 10, 11]
    assert search.ask(n=1) == []
    search.tell(9, 0.6)
    assert search.ask(n=1) == []
    assert search.all_pending() == [10, 11]


def test_a_pair_counts_again_while_a_run_there_is_pending():
    search = Counting(**SETTING, max_runs=4)
    search.tell(8, 0.6, seed=0)
    search.tell(8, 0.6, seed=0)  # nothing is pending: the same run
    assert len(search.points) == 1
    search._pending[8] += 1
    search.tell(8, 0.7, seed=0)
    assert search.points == [(8, 0.6), (8, 0.7)]
    search.tell(9, math.nan)
    search.tell(9, math.nan)
    assert len(search.points) == 3
    with pytest.raises(UserError):
        search.tell(8, 0.7, seed=0, at_least=True)


def test_nothing_is_asked_where_the_baseline_is_no_better_than_chance():
    assert Counting(**(SETTING | {"baseline": 0.5})).ask() == []
    assert Counting(**(SETTING | {"baseline": 0.6}), baseline_std=0.05).ask() == []
    assert Counting(**(SETTING | {"baseline": 0.6}), baseline_std=0.04).ask() == [8]


@pytest.mark.parametrize("n", [0, -1, 1.5, "one"])
def test_a_number_of_dimensions_below_one_is_refused(n):
    with pytest.raises(UserError, match="n"):
        Counting(**SETTING).ask(n=n)


def test_a_search_that_chooses_nothing_is_unfinished():
    with pytest.raises(NotImplementedError):
        Search(**SETTING).ask()


def test_a_setting_is_made_of_plain_numbers():
    setting = make_setting(8.0, 1e3, np.float64(0.7), 1, 0, 0)
    assert (setting.d_min, setting.d_max, setting.threshold) == (8, 1000, 0.7)
    assert [type(value) for value in vars(setting).values()] == [int, int, *[float] * 6]


@pytest.mark.parametrize(("value", "made"), [(3, 3), (1e5, 100_000), ("12", 12), (np.int64(7), 7)])
def test_whole_numbers(value, made):
    assert whole_number(value, "d") == made
    assert type(whole_number(value, "d")) is int


@pytest.mark.parametrize("value", [True, 1.5, math.nan, math.inf, "x", None, [1]])
def test_what_is_no_whole_number(value):
    with pytest.raises(UserError, match="d="):
        whole_number(value, "d")


def test_numbers_may_be_nan():
    assert math.isnan(number("nan", "score"))
    assert number(np.float32(0.5), "score") == 0.5


def test_shifts_become_an_array():
    assert checked_shifts((0, 0.5)).tolist() == [0.0, 0.5]
    assert checked_shifts([1]).dtype == float
    assert checked_shifts([[0, 0.5], [0, 1]]).shape == (2, 2)  # of the threshold, and of the baseline


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"d_min": 10, "d_max": 9}, "d_min"),
        ({"d_min": 0}, "d_min"),
        ({"d_min": 8.5}, "whole"),
        ({"d_max": math.inf}, "d_max"),
        ({"max_runs": 0}, "max_runs"),
        ({"enough": 0}, "enough"),
        ({"narrow": 1.0}, "narrow"),
        ({"freedom": 0.0}, "freedom"),
        ({"fraction": 0.0}, "fraction"),
        ({"fraction": 1.1}, "fraction"),
        ({"seeds": 0}, "seeds"),
        ({"threshold": math.nan}, "threshold"),
        ({"threshold": "high"}, "threshold"),
        ({"baseline": 88.0}, "baseline"),
        ({"baseline_std": -0.1}, "baseline_std"),
    ],
)
def test_refused_settings(name, settings, words):
    with pytest.raises(UserError, match=words):
        make_search(name, **(SETTING | settings))


@pytest.mark.parametrize(
    ("d", "score"), [(7, 0.5), (65_537, 0.5), (100.5, 0.5), (100, 1.2), (100, 77.0), (100, math.inf), (100, "good")]
)
def test_refused_scores(name, d, score):
    search = make_search(name, **SETTING)
    with pytest.raises(UserError):
        search.tell(d, score)
    assert search.verdict().runs == 0


@pytest.mark.parametrize("seed", ["x", None, 1.5, [1]])
def test_a_seed_must_be_a_whole_number(name, seed):
    with pytest.raises(UserError, match="seed"):
        make_search(name, **SETTING).tell(100, 0.5, seed=seed)


@pytest.mark.parametrize("shifts", [[], [math.nan], "wide", [[0.1]], [math.inf]])
def test_refused_shifts(name, shifts):
    search = make_search(name, **SETTING)
    search.tell(100, 0.5)
    with pytest.raises(UserError, match="shifts"):
        search.verdict(shifts=shifts)
    with pytest.raises(UserError, match="shifts"):
        estimate([(100, 0.5)], **SETTING, shifts=shifts)


def test_a_run_reported_twice_is_one_run(name):
    search = make_search(name, **SETTING)
    search.tell(100, 0.7, seed=1)
    search.tell(100, 0.7, seed=1)
    assert search.verdict().runs == 1
    with pytest.raises(UserError, match=r"0\.7.*0\.6"):
        search.tell(100, 0.6, seed=1)
    search.tell(100, 0.6, seed=2)
    search.tell(1e3, np.float64(0.8), seed=2)  # never asked for, and counted
    assert search.verdict().runs == 3
