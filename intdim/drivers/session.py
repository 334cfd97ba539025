"""The one loop that waits for jobs: runs that the ledger does not have, and other jobs that a driver asks for.

A driver says what it needs; a session finds runs in the ledger, submits the others to the slots of the command, submits
a job again when its worker was lost, and reports progress. What a driver gets back does not depend on which job ended
first, nor on how many slots there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from intdim.drivers.presence import present
from intdim.drivers.programs import Failure, Program, UnderWay, advance
from intdim.drivers.submitted import Submitted, named
from intdim.drivers.view import Silent, View
from intdim.errors import IntdimError, Interrupted, RunFailed
from intdim.launch.base import Event, Launcher, error_of
from intdim.launch.jobs import Asked, Device, DeviceJob, RunJob, RunProgress
from intdim.launch.pool import Pool
from intdim.ledger.results import RunResult
from intdim.ledger.store import Ledger
from intdim.request import RuntimeRequest
from intdim.spec import Prepared, RunSpec, from_dict, to_dict

LOST_LIMIT = 3  # a job whose worker died this often is given up
POLL_SECONDS = 0.5

T = TypeVar("T")
A = TypeVar("A")


class Session:
    """The slots and the ledger of one command; a context manager.

    Its end closes the slots. After an error running jobs are stopped, and their checkpoints stay.

    Args:
        request: where and how the command runs; slots start when the first job needs them.
        view: receives progress events.
        launcher: slots to use in place of those of this machine.
        kept: what is said of finished work after an interrupt.
        keep_weights: runs of full fine-tuning leave their weights on disk.

    Raises:
        Interrupted: Ctrl-C within the ``with`` block.
    """

    def __init__(
        self,
        request: RuntimeRequest,
        view: View | None = None,
        launcher: Launcher | None = None,
        kept: str = "what is finished is kept",
        keep_weights: bool = False,
    ) -> None:
        shown = view or Silent()
        self.request, self.kept, self.keep_weights = request, kept, keep_weights
        self.ledger = Ledger(Path(request.out), shown.note)
        self.view, self.presence = present(shown, self.ledger)
        self.pool = Pool(request, launcher)
        self._results: dict[str, RunResult] = {}
        self._broken: dict[str, IntdimError] = {}  # by run id
        self._submitted: dict[str, Submitted] = {}  # by key
        self._notes: dict[str, str] = {}  # the key of the job that said it first: slots share their machine
        self._asked = 0  # jobs other than runs, numbered for their keys

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.pool.close(drain=error is None)
        finally:
            self.presence.over(error)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"interrupted; {self.kept}") from None

    # -- runs --------------------------------------------------------------------------------------------------------

    def run(self, specs: list[RunSpec], prepared: Prepared) -> list[RunResult]:
        """Make runs side by side, or find them in the ledger; return their results in the order of ``specs``.

        Raises:
            UserError: a run cannot be what was asked for.
            RunFailed: a run broke, or lost its worker too often.
        """

        def one_batch() -> Program[list[RunResult]]:
            return (yield specs)

        (results,) = self.drive([(one_batch(), prepared)])
        if isinstance(results, Failure):
            raise results.error
        return results

    def drive(self, programs: Sequence[tuple[Program[T], Prepared]]) -> list[T | Failure]:
        """Run programs side by side until each has returned, or needs a run that cannot be made.

        A run that several programs want is made once; one that fails stops the programs that wait for it, no others.

        Args:
            programs: generators, each with the cell that its runs belong to.

        Returns:
            what each program returned, or why it was stopped, in the order of ``programs``.
        """
        under_way = [UnderWay(program, prepared) for program, prepared in programs]
        self._wait(lambda: advance(under_way, self._results, self._broken, self._want))
        return [one.outcome[0] for one in under_way]

    def _want(self, run: RunSpec, prepared: Prepared) -> None:
        """Find a run in the ledger, or submit it unless it is already under way."""
        run_id = run.run_id
        if run_id in self._results or run_id in self._submitted:
            return

        known = self.ledger.finished(run_id)
        if known is not None:
            self._results[run_id] = known
            self.view.run_known(run, known)
            return

        self.find_device()
        self.ledger.open()
        self.ledger.write_spec(run_id, run)
        self._broken.pop(run_id, None)  # it is tried again

        def done(data: dict[str, Any]) -> None:
            self._results[run_id] = from_dict(RunResult, data)
            self.view.run_done(run, self._results[run_id])

        def failed(error: IntdimError) -> None:
            self._broken[run_id] = error
            self.view.run_failed(run, str(error))

        self._submit(
            run_id,
            Submitted(
                asked=RunJob(run, self.pool.runtime_for(prepared), self.keep_weights),
                label=f"run {run_id}",
                started=lambda: self.view.run_started(run),
                progress=lambda data: self.view.run_progress(run, RunProgress(**data)),
                done=done,
                failed=failed,
            ),
        )

    # -- other jobs --------------------------------------------------------------------------------------------------

    def find_device(self) -> None:
        """Ask a worker, once, what device there is; the slots are placed on it.

        Raises:
            UserError: ``device=cuda`` without a CUDA device.
        """
        if not self.pool.knows_device:
            (found,) = self.ask([DeviceJob(self.request.device)], Device)
            self.pool.use(found)

    def ask(
        self,
        jobs: Sequence[Asked],
        answer: type[A],
        *,
        names: Sequence[str] = (),
        progress: Callable[[int, dict[str, Any]], None] = lambda number, data: None,
        done: Callable[[int, A], None] = lambda number, answer: None,
    ) -> list[A]:
        """Do jobs side by side; return their answers in the order of ``jobs``.

        Args:
            jobs: what is asked.
            answer: the type of the answers.
            names: what each job is called in errors; without it, an error does not say which job it comes from.
            progress: called with the number of a job in ``jobs`` and what it reported.
            done: called with the number of a job and its answer.

        Raises:
            UserError, RunFailed: the first error of a job; a job whose worker died too often.
        """
        answers: dict[int, A] = {}
        errors: list[IntdimError] = []

        def take(number: int, data: dict[str, Any]) -> None:
            answers[number] = from_dict(answer, data)
            done(number, answers[number])

        def fail(number: int, error: IntdimError) -> None:
            errors.append(named(error, names[number]) if names else error)

        for number, asked in enumerate(jobs):
            self._asked += 1
            self._submit(
                f"{asked.job}-{self._asked}",
                Submitted(
                    asked=asked,
                    label=names[number] if names else f"job {asked.job}",
                    started=lambda: None,
                    progress=lambda data, number=number: progress(number, data),
                    done=lambda data, number=number: take(number, data),
                    failed=lambda error, number=number: fail(number, error),
                ),
            )
        self._wait(lambda: bool(errors) or len(answers) == len(jobs))
        if errors:
            raise errors[0]
        return [answers[number] for number in range(len(jobs))]

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _wait(self, ended: Callable[[], bool]) -> None:
        """Take events of the slots until ``ended``."""
        while not ended():
            for event in self.pool.launcher.poll(POLL_SECONDS):
                self._take(event)

    def _submit(self, key: str, job: Submitted) -> None:
        self._submitted[key] = job
        self.pool.launcher.submit(key, job.asked.job, to_dict(job.asked))

    def _take(self, event: Event) -> None:
        """Handle one event of the slots."""
        job = self._submitted.get(event.key)
        if job is None:
            return
        if event.kind == "started":
            job.started()
        elif event.kind == "progress":
            if "note" not in event.data:
                job.progress(event.data)
            elif self._notes.setdefault(event.data["note"], event.key) == event.key:
                self.view.note(f"{job.label}: {event.data['note']}")
        elif event.kind == "lost":
            self._resubmit(event, job)
        else:
            del self._submitted[event.key]
            if event.kind == "done":
                job.done(event.data)
            else:
                job.failed(error_of(event))

    def _resubmit(self, event: Event, job: Submitted) -> None:
        """Submit a job again whose worker died, unless that happened too often."""
        how = event.data["message"]
        job.lost += 1
        if job.lost < LOST_LIMIT:
            self.view.note(f"the worker of {job.label} died ({how}); starting it again")
            self._submit(event.key, job)
        else:
            del self._submitted[event.key]
            job.failed(RunFailed(f"the worker of {job.label} died {LOST_LIMIT} times ({how})"))
