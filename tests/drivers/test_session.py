"""The loop that waits for jobs: runs from the ledger or from slots, lost workers, failures, other jobs, interrupts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from intdim.drivers.programs import Failure, Program
from intdim.drivers.session import LOST_LIMIT, Session
from intdim.drivers.view import Silent
from intdim.errors import Interrupted, RunFailed, UserError
from intdim.launch import Event
from intdim.launch.jobs import Device, DeviceJob, PrepareJob, RunCost, RunProgress, TimeJob
from intdim.ledger.results import RunResult
from intdim.ledger.store import Ledger
from intdim.measurement.program import Measurement
from intdim.spec import Prepared, RunSpec, to_dict
from tests import cells
from tests.records import result_of

SPEC = Measurement(cells.sweep(), cells.prepared().facts)
RUNS = [SPEC.inside_run(d, 3.0, 0) for d in (16, 64, 256, 1024)]


class Scripted:
    """A launcher whose jobs end when a test says so: each ``poll`` calls the next step of the script."""

    def __init__(self, *script: Callable[[Scripted], list[Event]]) -> None:
        self.script, self.slots = list(script), 2
        self.submitted: list[tuple[str, str, dict[str, Any]]] = []
        self.closed: bool | None = None  # how: drained or not

    def submit(self, key: str, job: str, payload: dict[str, Any]) -> None:
        self.submitted.append((key, job, payload))

    def poll(self, timeout: float) -> list[Event]:
        if self.submitted and self.submitted[-1][1] == "device":
            return [Event(self.submitted.pop()[0], "done", to_dict(Device("cpu", 0, 0)))]
        return self.script.pop(0)(self)

    def cancel(self, key: str) -> None: ...

    def close(self, drain: bool) -> None:
        self.closed = drain


class Watching(Silent):
    """Remembers what was reported of runs."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def note(self, text: str) -> None:
        self.seen.append(("note", text))

    def run_known(self, spec: RunSpec, result: RunResult) -> None:
        self.seen.append(("known", spec.d))

    def run_started(self, spec: RunSpec) -> None:
        self.seen.append(("started", spec.d))

    def run_progress(self, spec: RunSpec, progress: RunProgress) -> None:
        self.seen.append(("progress", progress))

    def run_done(self, spec: RunSpec, result: RunResult) -> None:
        self.seen.append(("done", spec.d))

    def run_failed(self, spec: RunSpec, message: str) -> None:
        self.seen.append(("failed", message))


def done(*specs: RunSpec) -> list[Event]:
    return [Event(spec.run_id, "done", to_dict(result_of(spec))) for spec in specs]


def failed(spec: RunSpec, message: str = "the sky fell") -> Event:
    return Event(spec.run_id, "failed", {"kind": "failure", "message": message})


def lost(key: str) -> Event:
    return Event(key, "lost", {"message": "killed by SIGKILL", "log": ""})


def session(out: Path, launcher: Any, view: Watching | None = None, **named: Any) -> Session:
    return Session(cells.runtime(out), view, launcher, **named)


def one_batch(specs: list[RunSpec]) -> Program[list[int]]:
    results = yield specs
    return [result.d for result in results]


# -- runs ------------------------------------------------------------------------------------------------------------


def test_results_come_in_the_order_of_the_runs_whichever_ended_first(out: Path) -> None:
    launcher = Scripted(lambda _: done(RUNS[2]), lambda _: done(RUNS[0], RUNS[1]))
    view = Watching()
    with session(out, launcher, view) as work:
        results = work.run(RUNS[:3], cells.prepared())
    assert [result.d for result in results] == [16, 64, 256]
    assert view.seen == [("done", 256), ("done", 16), ("done", 64)]
    assert launcher.closed is True, "drained"
    assert all((out / "runs" / run.run_id / "spec.json").exists() for run in RUNS[:3])


def test_what_is_in_the_ledger_is_not_submitted(out: Path) -> None:
    for run in RUNS[:2]:
        Ledger(out).write_result(result_of(run))
    launcher, view = Scripted(lambda _: done(RUNS[2])), Watching()
    with session(out, launcher, view) as work:
        assert [result.d for result in work.run(RUNS[:2], cells.prepared())] == [16, 64]
        assert launcher.submitted == [], "not even the device was asked for"
        assert [result.d for result in work.run(RUNS[:3], cells.prepared())] == [16, 64, 256]
    assert [key for key, _, _ in launcher.submitted] == [RUNS[2].run_id]
    assert view.seen == [("known", 16), ("known", 64), ("done", 256)]


def test_started_and_progress_are_reported(out: Path) -> None:
    events = [Event(RUNS[0].run_id, "started"), Event(RUNS[0].run_id, "progress", {"step": 3, "steps": 9})]
    view = Watching()
    with session(out, Scripted(lambda _: events, lambda _: done(RUNS[0])), view) as work:
        work.run(RUNS[:1], cells.prepared())
    assert view.seen == [("started", 16), ("progress", RunProgress(3, 9)), ("done", 16)]


def test_a_note_is_said_once_unless_its_own_job_repeats_it(out: Path) -> None:
    notes = [
        Event(RUNS[at].run_id, "progress", {"note": note}) for at, note in ((0, "x"), (1, "x"), (1, "y"), (0, "x"))
    ]
    view = Watching()
    with session(out, Scripted(lambda _: notes, lambda _: done(*RUNS[:2])), view) as work:
        work.run(RUNS[:2], cells.prepared())
    ids = [run.run_id for run in RUNS]
    said = [what for kind, what in view.seen if kind == "note"]
    assert said == [f"run {ids[0]}: x", f"run {ids[1]}: y", f"run {ids[0]}: x"]


def test_a_run_whose_worker_died_is_submitted_again(out: Path) -> None:
    launcher, view = Scripted(lambda _: [lost(RUNS[0].run_id)], lambda _: done(RUNS[0])), Watching()
    with session(out, launcher, view) as work:
        assert work.run(RUNS[:1], cells.prepared())[0].d == 16
    assert [key for key, _, _ in launcher.submitted] == 2 * [RUNS[0].run_id]
    assert launcher.submitted[0] == launcher.submitted[1]
    assert view.seen[0] == (
        "note",
        f"the worker of run {RUNS[0].run_id} died (killed by SIGKILL); starting it again",
    )


def test_a_run_whose_worker_dies_too_often_is_given_up(out: Path) -> None:
    launcher = Scripted(*LOST_LIMIT * [lambda _: [lost(RUNS[0].run_id)]])
    with (
        pytest.raises(RunFailed, match=rf"the worker of run {RUNS[0].run_id} died 3 times \(killed by SIGKILL\)"),
        session(out, launcher) as work,
    ):
        work.run(RUNS[:1], cells.prepared())
    assert len(launcher.submitted) == LOST_LIMIT
    assert launcher.closed is False, "what else was running is stopped"


def test_a_users_error_stays_one(out: Path) -> None:
    refused = Event(RUNS[0].run_id, "failed", {"kind": "user", "parts": ["d=9 exceeds D=4", "1 <= d <= 4", "Lower d."]})
    with pytest.raises(UserError, match="d=9 exceeds D=4"), session(out, Scripted(lambda _: [refused])) as work:
        work.run(RUNS[:1], cells.prepared())


def test_no_runs_are_no_wait(out: Path) -> None:
    with session(out, Scripted()) as work:
        assert work.run([], cells.prepared()) == []
    assert not out.exists()


# -- programs --------------------------------------------------------------------------------------------------------


def test_a_run_that_two_programs_want_is_made_once(out: Path) -> None:
    launcher = Scripted(lambda _: done(RUNS[0]), lambda _: done(*RUNS[1:3]))
    with session(out, launcher) as work:
        wanted = [(one_batch(RUNS[:2]), cells.prepared()), (one_batch([RUNS[0], RUNS[2]]), cells.prepared())]
        assert work.drive(wanted) == [[16, 64], [16, 256]]
    assert [key for key, _, _ in launcher.submitted] == [run.run_id for run in RUNS[:3]]


def test_a_run_that_fails_stops_the_programs_that_wait_for_it_alone(out: Path) -> None:
    launcher = Scripted(lambda _: [failed(RUNS[0])], lambda _: done(*RUNS[1:3]))
    view = Watching()
    programs = [one_batch(RUNS[:2]), one_batch([RUNS[0], RUNS[3]]), one_batch(RUNS[1:3])]
    with session(out, launcher, view) as work:
        first, second, third = work.drive([(program, cells.prepared()) for program in programs])
    for one in (first, second):
        assert isinstance(one, Failure)
        assert one.run == RUNS[0]
        assert str(one.error) == "the sky fell"
    assert third == [64, 256]
    assert view.seen.count(("failed", "the sky fell")) == 1
    assert next(programs[0], None) is None, "it was closed"


def test_a_run_that_failed_is_tried_again_when_it_is_wanted_again(out: Path) -> None:
    launcher = Scripted(lambda _: [failed(RUNS[0])], lambda _: done(RUNS[0]))
    with session(out, launcher) as work:
        with pytest.raises(RunFailed, match="the sky fell"):
            work.run(RUNS[:1], cells.prepared())
        assert work.run(RUNS[:1], cells.prepared())[0].d == 16


def test_a_program_that_is_ahead_does_not_wait_for_another(out: Path) -> None:
    def two_batches() -> Program[str]:
        yield [RUNS[0]]
        yield [RUNS[1]]
        return "both"

    launcher = Scripted(lambda _: done(RUNS[0]), lambda _: done(RUNS[1]), lambda _: done(RUNS[2]))
    with session(out, launcher) as work:
        first, second = work.drive([(two_batches(), cells.prepared()), (one_batch([RUNS[2]]), cells.prepared())])
    assert (first, second) == ("both", [256])
    assert [key for key, _, _ in launcher.submitted] == [RUNS[place].run_id for place in (0, 2, 1)]


# -- other jobs ------------------------------------------------------------------------------------------------------


def test_jobs_are_answered_in_order_by_type(out: Path) -> None:
    costs = [RunCost(1.0, 1.0, 1, 1.0, steps, 0) for steps in (10, 20)]
    reported: list[tuple[int, Any]] = []

    def backwards(launcher: Scripted) -> list[Event]:
        keys = [key for key, job, _ in launcher.submitted if job == "time"]
        return [
            Event(keys[1], "progress", {"step": 1}),
            Event(keys[1], "done", to_dict(costs[1])),
            Event(keys[0], "done", to_dict(costs[0])),
        ]

    with session(out, Scripted(backwards)) as work:
        runtime = work.pool.runtime_for(cells.prepared())
        jobs = [TimeJob(run, runtime, 8) for run in RUNS[:2]]
        answers = work.ask(
            jobs,
            RunCost,
            progress=lambda number, data: reported.append((number, data)),
            done=lambda number, cost: reported.append((number, cost)),
        )
    assert answers == costs
    assert reported == [(1, {"step": 1}), (1, costs[1]), (0, costs[0])]


def test_jobs_and_runs_side_by_side(out: Path) -> None:
    """A program asks for another job between its batches, while a run of another program is under way."""
    prepared: list[Prepared] = []

    def asking(work: Session) -> Program[int]:
        yield [RUNS[0]]
        prepared.extend(work.ask([PrepareJob(cells.cell())], Prepared))
        results = yield [RUNS[1]]
        return results[0].d

    def both(launcher: Scripted) -> list[Event]:
        (key,) = [key for key, job, _ in launcher.submitted if job == "prepare"]
        return [*done(RUNS[2]), Event(key, "done", to_dict(cells.prepared()))]

    launcher = Scripted(lambda _: done(RUNS[0]), both, lambda _: done(RUNS[1]))
    with session(out, launcher) as work:
        answers = work.drive([(asking(work), cells.prepared()), (one_batch([RUNS[2]]), cells.prepared())])
    assert answers == [64, [256]]
    assert prepared == [cells.prepared()]


def test_the_device_is_asked_for_once(out: Path) -> None:
    asked = []

    class Asked(Scripted):
        def submit(self, key: str, job: str, payload: dict[str, Any]) -> None:
            asked.append(job)
            super().submit(key, job, payload)

    with session(out, Asked(lambda _: done(RUNS[0]))) as work:
        work.find_device()
        work.find_device()
        work.run(RUNS[:1], cells.prepared())
        assert work.pool.device == "cpu"
    assert asked == ["device", "run"]


def test_a_job_whose_worker_died_is_done_again_and_given_up_in_the_end(out: Path) -> None:
    def die(launcher: Scripted) -> list[Event]:
        return [lost(launcher.submitted[-1][0])]

    launcher = Scripted(*LOST_LIMIT * [die])
    with (
        pytest.raises(RunFailed, match="the worker of job prepare died 3 times"),
        session(out, launcher) as work,
    ):
        work.ask([PrepareJob(cells.cell())], Prepared)
    assert len(launcher.submitted) == LOST_LIMIT


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (
            {"kind": "user", "parts": ["no such file", "a file", "Check."]},
            UserError,
            "^the first: no such file\na file",
        ),
        ({"kind": "failure", "message": "the sky fell"}, RunFailed, "^the first failed: the sky fell$"),
    ],
)
def test_an_error_says_which_job_it_comes_from_where_they_have_names(out: Path, data, kind, words: str) -> None:
    launcher = Scripted(lambda launcher: [Event(launcher.submitted[0][0], "failed", data)])
    jobs = [PrepareJob(cells.cell(seed=seed)) for seed in (0, 1)]
    with pytest.raises(kind, match=words), session(out, launcher) as work:
        work.ask(jobs, Prepared, names=["the first", "the second"])


# -- the end ---------------------------------------------------------------------------------------------------------


def test_an_interrupt_stops_what_runs_and_says_what_is_kept(out: Path) -> None:
    def interrupt(launcher: Scripted) -> list[Event]:
        raise KeyboardInterrupt

    launcher = Scripted(interrupt)
    with pytest.raises(Interrupted, match=r"^interrupted; finished runs are kept$"):  # noqa: SIM117
        with session(out, launcher, kept="finished runs are kept") as work:
            work.run(RUNS[:1], cells.prepared())
    assert launcher.closed is False


def test_slots_start_with_the_first_job(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Scripted] = []

    def start(*arguments: Any, **named: Any) -> Scripted:
        started.append(Scripted())
        return started[-1]

    monkeypatch.setattr("intdim.launch.pool.LocalSlots", start)
    with Session(cells.runtime(out)):
        pass
    assert started == []
    with Session(cells.runtime(out)) as work:
        assert work.ask([DeviceJob("auto")], Device) == [Device("cpu", 0, 0)]
    assert [one.closed for one in started] == [True]
