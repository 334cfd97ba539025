"""A command says in ``out``/commands that it is there: a view in front of another one, which keeps the record.

It is written when the first run is begun, when a sweep has moved on (every two seconds at most), every twenty seconds
as a sign of life, and at the end. A record that cannot be written is left out.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from intdim.drivers.view import View
from intdim.errors import IntdimError
from intdim.ledger import commands
from intdim.ledger.commands import FAILED, FINISHED, RUNNING, STOPPED, Command, Progress
from intdim.ledger.origin import this_process
from intdim.ledger.results import RunResult
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Verdict
from intdim.spec import RunSpec, SweepSpec

if TYPE_CHECKING:
    from intdim.measurement.program import Measurement  # brings scipy, which not every command needs

EVERY = 2.0  # seconds between two writings while runs come and go
LONGEST = 300  # characters of a message


class Presence:
    """A view that hands every event on and keeps the record of its command.

    Args:
        shown: the view that is shown.
        ledger: where the record goes.
    """

    def __init__(self, shown: View, ledger: Ledger) -> None:
        self.shown, self.ledger = shown, ledger
        self.command: Command | None = None  # None until a run is begun
        self._specs: dict[str, SweepSpec] = {}
        self._written = 0.0
        self._lock, self._over = threading.Lock(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shown, name)

    # -- events ------------------------------------------------------------------------------------------------------

    def cells(self, specs: Sequence[SweepSpec], known: Mapping[str, Verdict]) -> None:
        """Note the cells that are to be measured."""
        self._specs |= {spec.sweep_id: spec for spec in specs if spec.sweep_id not in known}
        self.shown.cells(specs, known)

    def cell_progress(self, cell: SweepSpec, measurement: Measurement) -> None:
        """Note what the cell is at and how many runs it has."""
        self._specs.setdefault(cell.sweep_id, cell)
        self._sweep(cell.sweep_id, stage=stage(measurement), done=len(measurement.results))
        self.shown.cell_progress(cell, measurement)

    def verdict(self, cell: SweepSpec, verdict: Verdict) -> None:
        """Note that the cell is finished."""
        self._sweep(cell.sweep_id, state=FINISHED, stage="done", done=verdict.runs, expected=verdict.runs)
        self.shown.verdict(cell, verdict)

    def run_known(self, spec: RunSpec, result: RunResult) -> None:
        """Note the run, which a removal must leave where it is."""
        if self.command is not None:
            with self._changed() as command:
                self.command = counted(replace(command, found=(*command.found, spec.run_id)))
        self.shown.run_known(spec, result)

    def run_started(self, spec: RunSpec) -> None:
        """Note the run."""
        with self._changed() as command:
            runs, running = (  # once each: a run whose worker died is begun again
                many if spec.run_id in many else (*many, spec.run_id) for many in (command.runs, command.running)
            )
            self.command = replace(command, runs=runs, running=running)
        self.shown.run_started(spec)

    def run_done(self, spec: RunSpec, result: RunResult) -> None:
        """Note how long it took."""
        self._ended(spec, result.seconds)
        self.shown.run_done(spec, result)

    def run_failed(self, spec: RunSpec, message: str) -> None:
        """Note that it is no longer under way."""
        self._ended(spec, None)
        self.shown.run_failed(spec, message)

    def over(self, error: BaseException | None) -> None:
        """Write how the command ended: finished, stopped by the user, or failed with a message."""
        self._over.set()
        if self.command is None:
            return
        state = FINISHED if error is None else STOPPED if _is_stop(error) else FAILED
        message = " ".join(str(error).split())[:LONGEST] if state == FAILED else ""
        if state == FAILED and not isinstance(error, IntdimError):
            message = f"{type(error).__name__}: {message}"[:LONGEST]

        with self._changed(now=True) as command:
            sweeps = {
                sweep_id: one if one.state == FINISHED else replace(one, state=state, message=message)
                for sweep_id, one in command.sweeps.items()
            }
            ended = commands.utc(time.time())
            self.command = replace(command, state=state, message=message, ended=ended, sweeps=sweeps, running=())

    # -- the record --------------------------------------------------------------------------------------------------

    def _ended(self, spec: RunSpec, seconds: float | None) -> None:
        with self._changed() as command:
            running = tuple(one for one in command.running if one != spec.run_id)
            more = 0.0 if seconds is None else seconds
            measured = command.measured + (seconds is not None)
            changed = replace(command, running=running, seconds=command.seconds + more, measured=measured)
            self.command = counted(changed)

    def _sweep(self, sweep_id: str, **changes: Any) -> None:
        with self._changed(now=changes.get("state") == FINISHED) as command:
            before = command.sweeps.get(sweep_id) or _begun(self._specs[sweep_id])
            after = replace(before, **changes)
            changed = replace(command, sweeps=command.sweeps | {sweep_id: after})
            self.command = changed if after.state == FINISHED else counted(changed)

    @contextlib.contextmanager
    def _changed(self, now: bool = False) -> Any:
        """Give the record to be changed, and write it if it is time."""
        with self._lock:
            first = self.command is None
            if first:
                self.command = self._begin()
            yield self.command
            if first or now or time.monotonic() - self._written >= EVERY:
                self._write()

    def _begin(self) -> Command:
        now = time.time()
        sweeps = {sweep_id: _begun(spec) for sweep_id, spec in self._specs.items()}
        origin = this_process()
        threading.Thread(target=self._beat, name="intdim-presence", daemon=True).start()
        return Command(
            version=commands.COMMANDS_VERSION,
            origin=origin,
            started=commands.utc(now, "milliseconds"),
            beat=commands.utc(now),
            ended=None,
            state=RUNNING,
            message="",
            sweeps=sweeps,
        )

    def _beat(self) -> None:
        """Give signs of life until the command is over."""
        while not self._over.wait(commands.BEAT_SECONDS):
            with self._lock:
                self._write()

    def _write(self) -> None:
        if self.command is None:
            return
        self._written = time.monotonic()
        self.command = replace(self.command, beat=commands.utc(time.time()))
        with contextlib.suppress(OSError, IntdimError):  # a full disk is said by whoever writes what counts
            self.ledger.open()
            commands.write(self.ledger.out, self.command)


def present(shown: View, ledger: Ledger) -> tuple[View, Presence]:
    """Return a view that keeps the record of its command, as the view it stands for and as itself."""
    presence = Presence(shown, ledger)
    return cast(View, presence), presence


def counted(command: Command) -> Command:
    """Return a command with the runs that it has by now counted for its sweep, which takes them in batches; of several
    sweeps it is not known which one a run is for."""
    if len(command.sweeps) != 1:
        return command
    ((sweep_id, one),) = command.sweeps.items()
    done = max(one.done, len(command.found) + command.measured)
    return replace(command, sweeps={sweep_id: replace(one, done=done)})


def stage(measurement: Measurement) -> str:
    """Return in a word or two what a cell is at."""
    if measurement.baseline is None:
        return "baseline"
    return "search" if measurement.observed else "step lengths"


def _begun(spec: SweepSpec) -> Progress:
    from intdim.measurement.program import expected_runs

    where = spec.subspace
    return Progress(
        model=spec.model.name,
        task=spec.task.name,
        method=where.method,
        projection=where.projection,
        scope=where.scope,
        groups=where.groups,
        seed=spec.seed,
        state=RUNNING,
        stage="waiting",
        done=0,
        expected=expected_runs(spec).total,
    )


def _is_stop(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt)
