"""What every search must do, and how good the posterior's intervals are on simulated curves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from intdim.errors import UserError
from intdim.search import SEARCHES, estimate, make_search
from intdim.search.isotonic import crossing_by_isotonic_fit, dips

SETTING = {"d_min": 8, "d_max": 65_536, "threshold": 0.81, "baseline": 0.9, "chance": 0.5}


def logistic(middle, width=0.7, floor=0.5, ceiling=0.9):
    return lambda d: floor + (ceiling - floor) / (1 + math.exp(-(math.log(d) - middle) / width))


def crossing(middle, width=0.7, floor=0.5, ceiling=0.9, threshold=0.81):
    share = (threshold - floor) / (ceiling - floor)
    return math.exp(middle + width * math.log(share / (1 - share)))


def run(search, curve, noise=0.005, seed=0, batch=1, collapse=0.0):
    chooser = np.random.default_rng(seed)
    asked = []
    while ds := search.ask(n=batch):
        for d in ds:
            score = curve(d) + noise * chooser.standard_normal()
            if chooser.random() < collapse:
                score = SETTING["chance"] + 0.01 * chooser.standard_normal()
            search.tell(d, score, seed=len(asked))
            asked.append(d)
    return asked, search.verdict()


@pytest.fixture(params=sorted(SEARCHES))
def name(request):
    return request.param


@pytest.mark.parametrize("batch", [1, 3])
def test_finds_a_logistic_within_its_budget(name, batch):
    budget = {"posterior": 12, "bisection": 36, "grid": 39}[name]
    asked, verdict = run(make_search(name, **SETTING, max_runs=budget), logistic(6.0), batch=batch)
    assert len(asked) <= budget
    assert verdict.status == "found"
    assert verdict.low <= verdict.d90 <= verdict.high
    assert abs(math.log(verdict.d90 / crossing(6.0))) < math.log(1.25)
    assert all(isinstance(d, int) and 8 <= d <= 65_536 for d in asked)
    assert verdict.isotonic is not None
    assert str(round(verdict.d90)) in verdict.message.replace(",", "")
    assert len({len(values) for values in verdict.curve.values()}) == 1


def test_same_scores_same_questions_same_verdict(name):
    first = run(make_search(name, **SETTING, seed=4), logistic(5.0), batch=2)
    again = run(make_search(name, **SETTING, seed=4), logistic(5.0), batch=2)
    assert first == again


def test_the_documented_loop_ends_when_every_seed_is_zero(name):
    search = make_search(name, **SETTING, max_runs=9)
    told = 0
    while ds := search.ask(n=1):
        for d in ds:
            search.tell(d, logistic(5.0)(d), seed=0)
            told += 1
    assert told <= 9
    assert search.verdict().runs == told


def test_an_end_of_the_range_is_no_number(name):
    _, low = run(make_search(name, **SETTING, max_runs=24), lambda d: 0.89)
    _, high = run(make_search(name, **SETTING, max_runs=24), lambda d: 0.52)
    assert (low.status, low.d90, low.high) == ("below_range", None, 8.0)
    assert (high.status, high.d90, high.low) == ("above_range", None, 65_536.0)


def test_no_baseline_asks_nothing(name):
    search = make_search(name, **(SETTING | {"baseline": 0.505, "threshold": 0.45}), baseline_std=0.01)
    assert search.ask(n=4) == []
    assert search.verdict().status == "no_baseline"


def test_one_run_is_not_enough_for_a_number(name):
    _, verdict = run(make_search(name, **SETTING, max_runs=1), logistic(6.0))
    assert verdict.status != "found"
    assert verdict.d90 is None


def test_failed_runs_are_no_evidence_of_a_high_d90():
    search = make_search("posterior", **SETTING)
    chooser = np.random.default_rng(1)
    count = 0
    while ds := search.ask(n=2):
        for d in ds:
            lost = count % 6 == 2
            search.tell(d, math.nan if lost else logistic(6.0)(d) + 0.004 * chooser.standard_normal(), seed=count)
            count += 1
    verdict = search.verdict()
    assert verdict.status == "found"
    assert abs(math.log(verdict.d90 / crossing(6.0))) < math.log(1.3)


def test_posterior_intervals_cover():
    """40 curves, 5 % collapsed runs, 12 runs each: of the intervals found at least 80 % cover. With a true coverage
    of 90 % fewer than 30 of 38 would be seen once in 50 choices of seeds; the seed here is fixed."""
    chooser = np.random.default_rng(11)
    covered, errors = [], []
    for number in range(40):
        middle, width = chooser.uniform(4.0, 8.5), chooser.uniform(0.3, 1.3)
        search = make_search("posterior", **SETTING, seed=number)
        noise = float(chooser.uniform(0.003, 0.02))
        _, verdict = run(search, logistic(middle, width), noise=noise, seed=number, batch=2, collapse=0.05)
        truth = crossing(middle, width)
        if verdict.status == "found":
            covered.append(verdict.low <= truth <= verdict.high)
            errors.append(abs(math.log(verdict.d90 / truth)))
    assert len(covered) >= 30
    assert np.mean(covered) >= 0.8
    assert np.median(errors) <= math.log(1.08)


def test_a_curve_that_falls_again_is_said_to():
    def dip(d):
        return 0.88 if 50 < d < 1000 else 0.6

    _, verdict = run(make_search("grid", **SETTING, max_runs=39), dip)
    assert verdict.status == "not_monotone"
    points = [(d, dip(d)) for d in (10, 100, 100, 5000, 5000)]
    assert dips(points, 0.81)
    assert not dips([(d, logistic(6.0)(d)) for d in (10, 10, 400, 400, 5000, 5000)], 0.81)


def test_the_second_threshold_from_the_same_runs():
    search = make_search("posterior", **SETTING)
    run(search, logistic(6.0))
    other = estimate(search.points, threshold=0.86, baseline=0.9, chance=0.5, d_min=8, d_max=65_536)
    assert other.d90 is None or other.d90 > search.verdict().d90
    assert search.verdict(threshold=0.86).low >= search.verdict().low


def test_isotonic_crossing_is_log_linear():
    assert crossing_by_isotonic_fit([(10, 0.5), (1000, 0.7)], 0.6) == pytest.approx(100.0)
    assert crossing_by_isotonic_fit([(10, 0.9), (1000, 0.95)], 0.6) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"d_min": 10, "d_max": 9}, "d_min"),
        ({"d_min": 0}, "d_min"),
        ({"max_runs": 0}, "max_runs"),
        ({"threshold": math.nan}, "threshold"),
        ({"baseline": 88.0}, "baseline"),
        ({"d_min": 8.5}, "whole"),
    ],
)
def test_settings_that_make_no_sense(name, settings, words):
    with pytest.raises(UserError, match=words):
        make_search(name, **(SETTING | settings))


def test_tells_that_make_no_sense(name):
    search = make_search(name, **SETTING)
    search.tell(100, 0.7, seed=1)
    for d, score, seed in ((7, 0.5, 2), (100.5, 0.5, 2), (100, 1.2, 2), (100, math.inf, 2), (100, 0.7, 1)):
        with pytest.raises(UserError):
            search.tell(d, score, seed=seed)
    assert search.verdict().runs == 1


def test_one_dimension_as_the_range():
    _, verdict = run(make_search("posterior", **(SETTING | {"d_min": 100, "d_max": 100})), logistic(6.0))
    assert verdict.d90 is None


def test_an_unknown_search_is_refused():
    with pytest.raises(UserError, match="bisection"):
        make_search("bisecton", **SETTING)
