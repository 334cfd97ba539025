"""Verdicts without a number, the second threshold, failed runs, and input that is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from intdim.errors import UserError
from intdim.search import SEARCHES, estimate, make_search
from intdim.search.isotonic import contradiction, crossing_by_isotonic_fit, dips
from tests.search.made import BUDGET, SETTING, crossing, drive, logistic, noisy


@pytest.fixture(params=sorted(SEARCHES))
def name(request):
    return request.param


def answer(name, curve, noise=0.005, seed=0, **settings):
    search = make_search(name, **(SETTING | {"max_runs": BUDGET[name]} | settings))
    observed = drive(search, noisy(curve, seed, noise))
    return observed, search.verdict()


def test_a_d90_beyond_the_range_is_no_number(name):
    low_runs, low = answer(name, lambda d: 0.89)
    high_runs, high = answer(name, lambda d: 0.52)
    assert (low.status, low.d90, low.low, low.high) == ("below_range", None, None, 8.0)
    assert (high.status, high.d90, high.low, high.high) == ("above_range", None, 65_536.0, None)
    assert sum(d <= 3 * 8 for d, _, _ in low_runs) >= 3
    assert sum(d >= 65_536 / 3 for d, _, _ in high_runs) >= 3
    assert "8" in low.message
    assert "65,536" in high.message


def test_a_plateau_just_below_the_threshold_is_not_found(name):
    """30 curves that end 1.5 points below the threshold, 1 point of noise: at most one is called found."""
    found = 0
    for seed in range(10 if name == "posterior" else 3):
        plateau = lambda d: 0.5 + 0.295 / (1 + math.exp(-(math.log(d) - 5) / 0.7))  # noqa: E731
        found += answer(name, plateau, noise=0.01, seed=seed)[1].status == "found"
    assert found <= 1


def test_no_baseline_asks_nothing(name):
    search = make_search(name, **(SETTING | {"baseline": 0.505, "threshold": 0.45}), baseline_std=0.01)
    assert search.ask(n=4) == []
    assert (search.verdict().status, search.verdict().d90) == ("no_baseline", None)
    below = make_search(name, **(SETTING | {"baseline": 0.45, "threshold": 0.4}))
    assert below.ask() == []
    assert below.verdict().status == "no_baseline"


def test_one_dimension_as_the_range(name):
    _, verdict = answer(name, logistic(6.0), d_min=100, d_max=100)
    assert (verdict.status, verdict.d90) == ("above_range", None)
    _, verdict = answer(name, logistic(6.0), d_min=5000, d_max=5000)
    assert (verdict.status, verdict.d90) == ("below_range", None)


def test_failed_runs_are_no_evidence_of_a_high_d90():
    search = make_search("posterior", **SETTING)
    score, count = noisy(logistic(6.0), 5), 0
    while ds := search.ask(n=2):
        for d in ds:
            search.tell(d, math.nan if count % 5 == 2 else score(d, count), seed=count)
            count += 1
    verdict = search.verdict()
    assert verdict.status == "found"
    assert abs(math.log(verdict.d90 / crossing(logistic(6.0)))) < math.log(1.3)
    assert verdict.runs == count


def test_only_failed_runs_give_no_number(name):
    search = make_search(name, **SETTING, max_runs=12)
    drive(search, lambda d, k: math.nan)
    verdict = search.verdict()
    assert (verdict.status, verdict.d90, verdict.low, verdict.high) == ("budget_spent", None, None, None)
    assert "gave a score" in verdict.message


@pytest.mark.parametrize("value", [0.0, 0.5, 0.81, 0.9, 1.0, -0.3])
def test_constant_scores_give_no_number(name, value):
    _, verdict = answer(name, lambda d: value, noise=0.0)
    assert verdict.d90 is None
    assert verdict.status in ("below_range", "above_range", "budget_spent")


def test_decreasing_scores_are_not_found(name):
    _, verdict = answer(name, lambda d: 0.5 + 0.4 / (1 + math.exp(math.log(d) - 6)))
    assert verdict.d90 is None
    assert verdict.status in ("not_monotone", "budget_spent")


def test_a_curve_that_falls_again_is_not_monotone():
    def dip(d):
        return 0.88 if 50 < d < 1000 else 0.6

    _, verdict = answer("grid", dip)
    assert (verdict.status, verdict.d90) == ("not_monotone", None)
    _, verdict = answer("posterior", dip, noise=0.01)
    assert (verdict.status, verdict.d90) == ("not_monotone", None)
    points = [(d, dip(d)) for d in (10, 100, 100, 5000, 5000, 5000)]
    assert dips(points, 0.81)
    assert not dips(points[:-1], 0.81)  # two runs may both have collapsed
    assert not dips([(d, logistic(6.0)(d)) for d in (10, 10, 400, 400, 5000, 5000, 5000)], 0.81)


def test_another_run_where_a_larger_d_scored_lower():
    points = [(100, 0.88), (100, 0.87), (5000, 0.5)]
    assert contradiction(points, 0.81) == 5000
    assert contradiction([*points, (5000, 0.89)], 0.81) is None  # one of two: that run had collapsed
    assert contradiction([(100, 0.88), (5000, 0.5), (5000, 0.5), (5000, 0.51)], 0.81) == 100
    assert contradiction([(100, 0.5), (5000, 0.88)], 0.81) is None
    assert contradiction([(100, 0.82), (5000, 0.80)], 0.81) is None  # within the noise


def test_the_second_threshold_from_the_same_runs():
    search = make_search("posterior", **SETTING, seed=7)
    drive(search, noisy(logistic(6.0), 0))
    same = estimate(search.points, **SETTING, seed=7, seeds=3)
    assert same == search.verdict()
    other = estimate(search.points, **(SETTING | {"threshold": 0.7}), seed=7)
    assert other.threshold == 0.7
    assert other.high < search.verdict().high
    assert search.verdict(threshold=0.7).low == other.low


def test_a_blurred_threshold_widens_the_interval():
    sharp, blurred = (answer("grid", logistic(6.0), baseline_std=se)[1] for se in (0.0, 0.02))
    assert blurred.high / blurred.low > 1.1 * sharp.high / sharp.low


def test_evaluation_noise_widens_the_interval_and_never_moves_d90():
    """Shifts of the threshold by s move log d90 by s over the curve's slope there: the two errors add in squares."""
    search = make_search("grid", **SETTING, max_runs=39)
    drive(search, noisy(logistic(6.0), 0))
    alone = search.verdict()
    shifts = 0.02 * np.random.default_rng(0).standard_normal(400)
    whole = search.verdict(shifts=shifts)
    assert (whole.status, whole.d90, whole.isotonic) == ("found", alone.d90, alone.isotonic)
    assert (whole.low_seeds, whole.high_seeds) == (alone.low, alone.high) == (alone.low_seeds, alone.high_seeds)
    share = (0.81 - 0.5) / 0.4
    slope = 0.4 * share * (1 - share) / 0.7
    expected = math.hypot(math.log(alone.high / alone.low), 2 * 1.645 * 0.02 / slope)
    assert math.log(whole.high / whole.low) == pytest.approx(expected, rel=0.15)
    assert search.verdict(shifts=np.zeros(3)).low == alone.low
    lost = search.verdict(shifts=10 * shifts)
    assert (lost.status, lost.d90) == ("budget_spent", None)
    assert "evaluation" in lost.message


def test_scores_that_are_lower_bounds_are_never_taken_as_exact():
    """Of runs above the threshold only that is known: taken as exact scores they would make a plateau at it."""
    curve, search = noisy(logistic(6.0), 0), make_search("bisection", **SETTING, max_runs=42)
    counts = {}
    while asked := search.ask(n=3):
        for d in asked:
            counts[d] = counts.get(d, 0) + 1
            score = curve(d, counts[d])
            search.tell(d, min(score, 0.812), seed=counts[d], at_least=score > 0.812)
    verdict = search.verdict()
    assert verdict.status == "found"
    assert verdict.low <= crossing(logistic(6.0)) <= verdict.high
    assert verdict.curve["median"][-1] > 0.85
    assert verdict.isotonic is None
    exact = make_search("bisection", **SETTING, max_runs=42)
    for (d, score), bound in zip(search.points, search.evidence.bounds, strict=True):
        exact.tell(d, score, seed=exact.verdict().runs) if not bound else exact.tell(d, 0.812, seed=len(exact.points))
    assert exact.verdict().curve["median"][-1] < verdict.curve["median"][-1]
    flagged = [(d, score, bound) for (d, score), bound in zip(search.points, search.evidence.bounds, strict=True)]
    assert estimate(flagged, **SETTING, seeds=3).d90 == verdict.d90


def test_a_crossed_run_counts_as_above_the_threshold_and_not_as_a_dip():
    search = make_search("bisection", **SETTING, seeds=1)
    (middle,) = search.ask()
    search.tell(middle, 0.80, at_least=True)  # its other half of the examples crossed
    assert search.ask() < [middle]
    early, late = [(100, 0.9)] * 3, [(5000, 0.7)] * 3
    assert dips(early + late, 0.81)
    assert not dips(early + late, 0.81, upper_points=early + [(5000, math.inf)] * 3)
    with pytest.raises(UserError, match=r"0\.8"):
        search.tell(middle, 0.80, at_least=False)


def test_isotonic_crossing_is_log_linear():
    assert crossing_by_isotonic_fit([(10, 0.5), (1000, 0.7)], 0.6) == pytest.approx(100.0)
    assert crossing_by_isotonic_fit([(10, 0.5), (10, 0.5), (100, 0.65), (1000, 0.55)], 0.6) == pytest.approx(100.0)
    assert crossing_by_isotonic_fit([(10, 0.9), (1000, 0.95)], 0.6) is None
    assert crossing_by_isotonic_fit([(10, 0.5)], 0.6) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"d_min": 10, "d_max": 9}, "d_min"),
        ({"d_min": 0}, "d_min"),
        ({"d_min": 8.5}, "whole"),
        ({"d_max": math.inf}, "d_max"),
        ({"max_runs": 0}, "max_runs"),
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


def test_users_may_decide_on_one_seed_on_each_side(name):
    _, verdict = answer(name, logistic(6.0), seeds=1)
    assert verdict.status == "found"
    assert verdict.low < crossing(logistic(6.0)) * 1.1
    assert verdict.high > crossing(logistic(6.0)) / 1.1


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


def test_an_unknown_search_is_refused():
    with pytest.raises(UserError, match="bisection"):
        make_search("bisecton", **SETTING)
