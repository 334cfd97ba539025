"""The rules of a verdict; verdicts without a number, the second threshold, and failed runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from intdim.errors import UserError
from intdim.search import SEARCHES, estimate, make_search
from intdim.search.curve import DIMENSIONS, Setting, unpack
from intdim.search.evidence import Crossing, Evidence
from intdim.search.isotonic import dips
from intdim.search.verdict import MESSAGES, WIDEST, Verdict, _ends, _make, beats_chance, judge, status_of
from intdim.spec import STATUSES
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
    curves = exact.verdict().curve, verdict.curve
    highest = int(np.searchsorted(verdict.curve["d"], max(d for d, _ in search.points)))
    assert curves[0]["median"][highest] < curves[1]["median"][highest]
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


def test_users_may_decide_on_one_seed_on_each_side(name):
    _, verdict = answer(name, logistic(6.0), seeds=1)
    assert verdict.status == "found"
    assert verdict.low < crossing(logistic(6.0)) * 1.1
    assert verdict.high > crossing(logistic(6.0)) / 1.1


def test_an_unknown_search_is_refused():
    with pytest.raises(UserError, match="bisection"):
        make_search("bisecton", **SETTING)


# -- the rules by themselves -----------------------------------------------------------------------------------------

FIXED = Setting(10, 1000, 0.8, 0.9, 0.5, 0.0)


def posterior(low, median, high, below=0.0, above=0.0):
    return Crossing(
        math.log(low),
        math.log(median),
        math.log(high),
        below,
        above,
        np.empty(0),
        unpack(np.empty((0, DIMENSIONS)), FIXED),
    )


def evidence(*points):
    made = Evidence(FIXED, 0)
    for d, score in points:
        made.add(d, score)
    return made


SIX = [(50, 0.6), (60, 0.6), (80, 0.7), (120, 0.85), (150, 0.85), (300, 0.9)]


@pytest.mark.parametrize(
    ("baseline", "error", "beats"), [(0.6, 0.0, True), (0.5, 0.0, False), (0.6, 0.05, False), (0.6, 0.049, True)]
)
def test_a_baseline_is_two_standard_errors_above_chance(baseline, error, beats):
    assert beats_chance(Setting(1, 2, 0.5, baseline, 0.5, error)) is beats


@pytest.mark.parametrize(
    ("points", "crossing", "status"),
    [
        (SIX, posterior(80, 100, 130), "found"),
        (SIX[1:], posterior(80, 100, 130), "budget_spent"),  # two below
        (SIX[:-1], posterior(80, 100, 130), "budget_spent"),  # two above
        (SIX, posterior(50, 100, 50 * WIDEST + 1), "budget_spent"),  # too wide
        (SIX, posterior(80, 100, 130, above=0.06), "budget_spent"),  # its upper end lies beyond the range
        ([(10, 0.9)] * 3, posterior(5, 6, 7, below=0.95), "below_range"),
        ([(31, 0.9)] * 3, posterior(5, 6, 7, below=0.95), "budget_spent"),  # not measured near the end
        ([(400, 0.6)] * 2 + [(1000, 0.6)], posterior(1e4, 2e4, 3e4, above=0.95), "above_range"),
        ([(400, 0.6)] * 3, posterior(1e4, 2e4, 3e4, above=0.95), "budget_spent"),  # not measured at the end itself
        ([(1000, 0.6)] * 3 + [(30, 0.75)] * 2, posterior(1e4, 2e4, 3e4, above=0.95), "budget_spent"),  # falls
        ([(1000, 0.6)] * 3, posterior(1e4, 2e4, 3e4, above=0.85), "budget_spent"),
        ([(20, 0.9)] * 3 + [(500, 0.6)] * 3, posterior(80, 100, 130), "not_monotone"),
    ],
)
def test_the_status_that_runs_support(points, crossing, status):
    assert status_of(evidence(*points), crossing, 3, 0.8) == status


def test_runs_are_wanted_around_the_centre_that_is_given():
    assert status_of(evidence(*SIX), posterior(80, 100, 130), 3, 0.8, centre=math.log(55)) == "budget_spent"


@pytest.mark.parametrize(
    ("status", "crossing", "ends"),
    [
        ("below_range", posterior(1, 2, 3), (None, 10.0)),
        ("above_range", posterior(1, 2, 3), (1000.0, None)),
        ("found", posterior(80, 100, 130), (80.0, 130.0)),
        ("budget_spent", posterior(80, 100, 130, below=0.2), (None, 130.0)),
        ("budget_spent", posterior(80, 100, 130, above=0.2), (80.0, None)),
    ],
)
def test_an_end_outside_the_range_is_none(status, crossing, ends):
    assert _ends(status, FIXED, crossing) == tuple(end if end is None else pytest.approx(end) for end in ends)


def test_every_status_has_its_sentence():
    assert set(STATUSES) <= set(MESSAGES)
    for status in MESSAGES:
        if status in STATUSES:
            assert "{" not in _make(status, FIXED, 0.8, 4, 100.0, (80.0, 130.0), (90.0, 120.0)).message


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((80.0, 1300.0), "; so far it lies between 80 and 1,300."),
        ((80.0, None), "; so far it is above 80."),
        ((None, 1300.0), "; so far it is below 1,300."),
        ((None, None), "4 runs are not enough to determine d90."),
    ],
)
def test_a_spent_budget_says_what_is_known(ends, words):
    made = _make("budget_spent", FIXED, 0.8, 4, ends=ends)
    assert made.message.endswith(words)
    assert made.limit == "runs"


def test_a_limit_belongs_to_a_spent_budget_alone():
    assert _make("found", FIXED, 0.8, 4, 100.0, limit="examples").limit is None
    spent = _make("budget_spent", FIXED, 0.8, 4, evaluation_noise=0.0123, limit="examples")
    assert spent.limit == "examples"
    assert "±0.012" in spent.message


def test_a_found_d90_with_evaluation_noise_names_the_interval_of_the_seeds():
    arguments = (FIXED, 0.8, 4, 100.0, (70.0, 140.0), (80.0, 130.0))
    assert _make("found", *arguments, evaluation_noise=0.01).message.endswith("140 (80 to 130 by the seeds alone).")
    assert "seeds" not in _make("found", *arguments).message


def test_judging_needs_scores():
    assert judge(Evidence(FIXED, 0), 3).message == "0 runs are not enough to determine d90."
    failed = judge(evidence((100, math.nan)), 3)
    assert (failed.status, failed.runs, failed.curve) == ("budget_spent", 1, None)
    assert failed.message.startswith("None of 1 runs gave a score")


def test_a_verdict_as_a_dictionary_has_every_field():
    made = _make("found", FIXED, 0.8, 4, 100.0, (80.0, 130.0))
    assert Verdict(**made.to_dict()) == made
