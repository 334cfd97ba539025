"""What every search must do, whichever it is."""

from __future__ import annotations

import json
import math

import pytest

from intdim.search import SEARCHES, make_search
from intdim.spec import STATUSES
from tests.search.made import BUDGET, SETTING, crossing, drive, logistic, noisy


@pytest.fixture(params=sorted(SEARCHES))
def name(request):
    return request.param


@pytest.mark.parametrize("batch", [1, 4])
def test_finds_a_logistic_within_its_budget(name, batch):
    search = make_search(name, **SETTING, max_runs=BUDGET[name])
    observed = drive(search, noisy(logistic(6.0), 3), batch)
    verdict = search.verdict()
    assert len(observed) == verdict.runs <= BUDGET[name]
    assert verdict.status == "found"
    assert verdict.low <= verdict.d90 <= verdict.high
    assert abs(math.log(verdict.d90 / crossing(logistic(6.0)))) < math.log(1.2)
    assert abs(math.log(verdict.isotonic / verdict.d90)) < math.log(1.6)
    assert all(type(d) is int and 8 <= d <= 65_536 for d, _, _ in observed)
    below = [d for d, _, _ in observed if verdict.d90 / 10 <= d < verdict.d90]
    above = [d for d, _, _ in observed if verdict.d90 <= d <= verdict.d90 * 10]
    assert min(len(below), len(above)) >= 3


def test_a_verdict_is_plain_data_with_a_sentence_and_a_curve(name):
    search = make_search(name, **SETTING, max_runs=BUDGET[name])
    drive(search, noisy(logistic(6.0), 3))
    verdict = search.verdict()
    assert json.loads(json.dumps(verdict.to_dict(), allow_nan=False)) == verdict.to_dict()
    assert verdict.status in STATUSES
    assert f"{round(verdict.d90):,}" in verdict.message
    assert verdict.message.endswith(".")
    curve = verdict.curve
    assert {len(values) for values in curve.values()} == {len(curve["d"])}
    assert curve["d"][0] == pytest.approx(8)
    assert curve["d"][-1] == pytest.approx(65_536)
    assert all(
        low <= middle <= high for low, middle, high in zip(curve["low"], curve["median"], curve["high"], strict=True)
    )
    assert curve["median"][0] < 0.6
    assert curve["median"][-1] == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("batch", [1, 3])
def test_given_its_runs_again_it_asks_the_same_and_says_the_same(name, batch):
    """A search that is killed and fed its runs again, in any number of them, goes on bit for bit."""
    score = noisy(logistic(5.0), 1, noise=0.02, collapse=0.1)
    whole = make_search(name, **SETTING, max_runs=14, seed=4)
    observed = drive(whole, score, batch)
    for known in (batch, 2 * batch, 3 * batch):
        again = make_search(name, **SETTING, max_runs=14, seed=4)
        for d, value, k in observed[:known]:
            again.tell(d, value, seed=k)
        counts = {d: sum(at == d for at, _, _ in observed[:known]) for d, _, _ in observed}
        rest = []
        while asked := again.ask(n=batch):
            for d in asked:
                counts[d] = counts.get(d, 0) + 1
                rest.append((d, score(d, counts[d]), counts[d]))
                again.tell(d, rest[-1][1], seed=counts[d])
        assert observed[:known] + rest == observed
        assert again.verdict() == whole.verdict()


def test_looking_at_the_verdict_on_the_way_changes_nothing(name):
    score = noisy(logistic(5.0), 2, noise=0.01)
    calm, curious = (make_search(name, **SETTING, max_runs=10) for _ in range(2))
    drive(calm, score)
    while asked := curious.ask():
        for d in asked:
            curious.tell(d, score(d, 1 + sum(at == d for at, _ in curious.points)), seed=len(curious.points))
            curious.verdict(threshold=0.7)
    assert curious.points == calm.points
    assert curious.verdict() == calm.verdict()


def test_the_documented_loop_ends_when_every_seed_is_zero(name):
    search = make_search(name, **SETTING, max_runs=9)
    observed = 0
    while ds := search.ask(n=1):
        for d in ds:
            search.tell(d, logistic(5.0)(d), seed=0)
            observed += 1
    assert 1 <= observed <= 9
    assert search.verdict().runs == observed


def test_asking_without_telling_stays_within_the_budget(name):
    search = make_search(name, **SETTING, max_runs=5)
    asked = [d for _ in range(20) for d in search.ask(n=2)]
    assert len(asked) <= 5
    assert search.ask() == []


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_a_budget_smaller_than_the_bracket_needs_gives_no_number(name, runs):
    search = make_search(name, **SETTING, max_runs=runs)
    assert len(drive(search, noisy(logistic(6.0), 0))) == runs
    verdict = search.verdict()
    assert (verdict.status, verdict.d90) == ("budget_spent", None)


def test_no_runs_no_answer(name):
    verdict = make_search(name, **SETTING).verdict()
    assert (verdict.status, verdict.d90, verdict.low, verdict.high, verdict.runs) == (
        "budget_spent",
        None,
        None,
        None,
        0,
    )


def test_another_seed_asks_elsewhere_but_answers_alike():
    one, two = (make_search("posterior", **SETTING, seed=seed) for seed in (0, 1))
    for search in (one, two):
        drive(search, noisy(logistic(6.0), 0))
    assert one.verdict() != two.verdict()
    assert abs(math.log(one.verdict().d90 / two.verdict().d90)) < math.log(1.1)
