"""The program of one sweep: which runs it asks for, in which order, and what it makes of their results."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from intdim.measurement.program import Measurement, check_dimensions, expected_runs
from intdim.spec import SubspaceSpec
from tests import cells
from tests.measurement.simulated import drive, logistic, measured, sweep_spec


def test_baseline_then_step_lengths_then_the_search():
    made = Measurement(sweep_spec(), cells.prepared().facts)
    batches = drive(made)
    kinds = ["full" if run.subspace.method == "full" else "inside" for batch in batches for run in batch]
    first = kinds.index("inside")
    assert "full" not in kinds[first:]
    assert made.baseline is not None
    assert len(made.baseline.scores) == 3
    located = batches[sum(batch[0].subspace.method == "full" for batch in batches)]
    assert {run.step_length for run in located} >= {1.0, 3.0, 10.0}
    assert len({run.d for run in located}) == 2
    assert len(made.observed) <= 12
    assert made.search is not None


def test_the_same_results_give_the_same_questions():
    first, second = (Measurement(sweep_spec(), cells.prepared().facts) for _ in range(2))
    assert drive(first) == drive(second)
    assert drive(Measurement(sweep_spec(seed=1), cells.prepared().facts)) != drive(
        Measurement(sweep_spec(), cells.prepared().facts)
    )


def test_every_run_has_a_seed_of_its_own():
    made = Measurement(sweep_spec(), cells.prepared().facts)
    runs = {run.run_id: run for batch in drive(made) for run in batch}
    observed = [runs[result.run_id] for result in made.observed]
    assert len({run.seed for run in observed}) == len(observed)


def test_a_run_at_chance_is_made_again_with_other_lengths():
    """Only s = 1 works at small d; the interpolated length does not."""

    def narrow(spec):
        if spec.subspace.method == "full" or abs(math.log(spec.step_length)) < 0.1:
            return logistic(replace(spec, d=max(spec.d, 1)))
        return 0.5

    made = measured(narrow, step_lengths=(3.0, 9.0))
    assert {result.step_length for result in made.observed if result.score > 0.6} == {1.0}


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
    assert (expected.baseline, expected.locating, expected.search) == (5, 6, 12)
    assert expected.total == 23


def test_thresholds():
    made = measured()
    assert made.threshold("absolute", 0.8) == pytest.approx(0.72)
    assert made.threshold("above_chance", 0.8) == pytest.approx(0.5 + 0.9 * 0.3)
