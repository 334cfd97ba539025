"""A program is given its results when all are there, and stopped where a run cannot be made."""

from __future__ import annotations

from intdim.drivers.programs import Failure, Program, UnderWay, advance
from intdim.errors import RunFailed
from intdim.measurement.program import Measurement
from tests import cells
from tests.records import result_of

RUNS = [Measurement(cells.sweep(), cells.prepared().facts).inside_run(d, 3.0, 0) for d in (16, 64)]
RESULTS = {run.run_id: result_of(run) for run in RUNS}


def two_steps() -> Program[list[int]]:
    first = yield RUNS
    yield []
    return [result.d for result in first]


def test_a_program_steps_when_all_its_results_are_there() -> None:
    one = UnderWay(two_steps(), cells.prepared())
    assert one.can_step({}, {})
    assert one.step({}, {}) == RUNS
    assert not one.can_step({RUNS[0].run_id: RESULTS[RUNS[0].run_id]}, {})
    assert one.can_step(RESULTS, {})
    assert one.step(RESULTS, {}) == []
    assert one.can_step(RESULTS, {}), "it needs nothing"
    assert one.step(RESULTS, {}) == []
    assert one.outcome == [[16, 64]]
    assert not one.can_step(RESULTS, {})


def test_a_program_that_waits_for_a_broken_run_is_stopped_at_once() -> None:
    one, error = UnderWay(two_steps(), cells.prepared()), RunFailed("the sky fell")
    one.step({}, {})
    broken = {RUNS[1].run_id: error}
    assert one.can_step({}, broken), "although the other run may still come"
    assert one.step({}, broken) == []
    assert one.outcome == [Failure(RUNS[1], error)]
    assert next(one.program, None) is None


def test_a_program_may_return_nothing() -> None:
    def nothing() -> Program[None]:
        yield []

    one = UnderWay(nothing(), cells.prepared())
    one.step({}, {})
    one.step({}, {})
    assert one.outcome == [None]
    assert not one.can_step({}, {}), "it has ended, with nothing to say"


def test_programs_advance_as_far_as_results_carry_them() -> None:
    """Results that a program's next batch needs may be known already; the others are wanted, each by who needs it."""
    known, wanted = {RUNS[0].run_id: RESULTS[RUNS[0].run_id]}, []

    def one_after_another() -> Program[int]:
        first = yield RUNS[:1]
        second = yield RUNS[1:]
        return first[0].d + second[0].d

    both = [UnderWay(one_after_another(), cells.prepared()) for _ in range(2)]
    assert not advance(both, known, {}, lambda run, prepared: wanted.append(run.d))
    assert wanted == [16, 64, 16, 64]
    assert advance(both, RESULTS, {}, lambda run, prepared: wanted.append(run.d))
    assert [one.outcome for one in both] == [[80], [80]]
