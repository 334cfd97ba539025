"""The program of one sweep: which runs it asks for, in which order, and what it makes of their results."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from intdim.measurement.program import Measurement, check_dimensions, expected_runs
from intdim.measurement.record import make_verdict
from intdim.spec import SubspaceSpec
from tests import cells
from tests.measurement.simulated import answer, drive, logistic, measured, sweep_spec


def test_the_baseline_then_the_points_the_first_of_which_tunes_the_length():
    made = Measurement(sweep_spec(), cells.prepared().facts)
    batches = drive(made)
    kinds = ["full" if run.subspace.method == "full" else "inside" for batch in batches for run in batch]
    first = kinds.index("inside")
    assert "full" not in kinds[first:]
    assert made.baseline is not None
    assert len(made.baseline.scores) == 3
    tuned = batches[sum(batch[0].subspace.method == "full" for batch in batches)]
    assert {run.step_length for run in tuned} == {1.0, 3.0, 10.0}
    assert len({(run.d, run.seed) for run in tuned}) == 1
    assert len(made.observed) <= 12
    assert made.search is not None


def test_the_same_results_give_the_same_questions():
    first, second = (Measurement(sweep_spec(), cells.prepared().facts) for _ in range(2))
    assert drive(first) == drive(second)
    assert drive(Measurement(sweep_spec(seed=1), cells.prepared().facts)) != drive(
        Measurement(sweep_spec(), cells.prepared().facts)
    )


def test_every_run_that_counts_has_a_seed_of_its_own():
    made = Measurement(sweep_spec(), cells.prepared().facts)
    runs = {run.run_id: run for batch in drive(made) for run in batch}
    observed = [runs[result.run_id] for result in made.observed]
    assert len({run.seed for run in observed}) == len(observed)


def narrow(spec):
    """Only lengths near one that falls with d work; the grid has none of them at most d."""
    if spec.subspace.method == "full":
        return logistic(replace(spec, d=max(spec.d, 1)))
    away = math.log(spec.step_length) - math.log(12.0) + 0.2 * (math.log(spec.d) - math.log(64))
    return 0.5 + (logistic(spec) - 0.5) * math.exp(-0.5 * (away / 0.7) ** 2)


def test_a_length_that_moves_with_d_is_followed():
    made = measured(narrow, step_lengths=(3.0, 10.0, 30.0))
    assert make_verdict(made).status == "found"
    lost = [1 - narrow_share(result) for result in made.observed]
    assert sorted(lost)[len(lost) // 2] < 0.05


def narrow_share(result):
    away = math.log(result.step_length) - math.log(12.0) + 0.2 * (math.log(result.d) - math.log(64))
    return math.exp(-0.5 * (away / 0.7) ** 2)


def test_both_thresholds_get_runs_of_their_own():
    wanted = replace(cells.SEARCH, threshold="both")
    one, both = measured(), measured(search=wanted)
    assert both.second is not None
    assert len(both.observed) >= len(one.observed)
    assert [r.run_id for r in both.observed[: len(one.observed)]] == [r.run_id for r in one.observed]
    verdict = make_verdict(both)
    assert verdict.threshold_kind == "absolute"
    assert (verdict.status, verdict.other.status) == ("found", "found")
    assert both.kind != both.other_kind


def test_while_it_runs_it_says_how_many_more_runs_are_likely():
    made = Measurement(sweep_spec(), cells.prepared().facts)
    said, program, results = [], made.program(), None
    while True:
        try:
            batch = next(program) if results is None else program.send(results)
        except StopIteration:
            break
        said.append(made.likely_more)
        results = [answer(spec, logistic(spec)) for spec in batch]
    assert said[0] is None
    assert any(more is not None and more >= 1 for more in said)
    assert made.likely_more is None


def test_a_single_length_is_a_decision():
    made = Measurement(sweep_spec(step_lengths=(3.0,)), cells.prepared().facts)
    batches = drive(made)
    assert {run.step_length for batch in batches for run in batch if run.subspace.method != "full"} == {3.0}
    assert expected_runs(made.spec).locating == 0


def test_a_failed_baseline_seed_counts_as_chance_and_a_failed_rate_as_worst():
    def failing(spec):
        return math.nan if spec.learning_rate == 1e-2 else logistic(spec)

    made = measured(failing)
    assert made.baseline is not None
    assert made.baseline.learning_rate != 1e-2
    assert math.isnan(made.baseline.tried[1e-2])


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"d_max": 2_000_000}, "d_max=2000000 exceeds D=1000000"),
        ({"d_min": 500, "d_max": 100}, "d_min=500 exceeds 100"),
    ],
)
def test_dimensions_that_cannot_be_measured(search, words):
    spec = sweep_spec(search=replace(cells.SEARCH, **search))
    assert words in " ".join(check_dimensions(spec, cells.prepared().facts))
    assert check_dimensions(sweep_spec(), cells.prepared().facts) == []


def test_the_scales_of_said_need_room():
    said = SubspaceSpec("said", "one_hot", "global", "tensor", ())
    (fault,) = check_dimensions(sweep_spec(subspace=said), cells.prepared().facts)
    assert "m=41 scales" in fault


def test_expected_runs_add_up():
    expected = expected_runs(sweep_spec())
    assert (expected.baseline, expected.locating, expected.search) == (8, 10, 12)
    assert expected.total == 30


def test_thresholds():
    made = measured()
    assert made.threshold("absolute", 0.8) == pytest.approx(0.72)
    assert made.threshold("above_chance", 0.8) == pytest.approx(0.5 + 0.9 * 0.3)
