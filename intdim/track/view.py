"""A view in front of another one that tells a tracker what has happened; and the same for sweeps that are finished."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from intdim.drivers.view import View
from intdim.errors import command, echo
from intdim.launch.jobs import RunProgress
from intdim.ledger.overview import runs_of
from intdim.ledger.results import RunResult
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Verdict
from intdim.request import TrackRequest
from intdim.spec import RunSpec, SweepSpec, to_dict
from intdim.track.base import RUN, SWEEP, check_installed
from intdim.track.feed import BROKEN, ENDED, MOVED
from intdim.track.sender import PATIENCE, POLL_SECONDS, Sender

EVERY = 5.0  # seconds between two looks at the curve of a run
AT_THE_END = 30.0  # seconds that a tracker has when a command is done
AFTER_AN_ERROR = 5.0


class Tracked:
    """A view that hands every event on and tells a tracker.

    Args:
        shown: the view that is shown.
        sender: the tracker's.
    """

    def __init__(self, shown: View, sender: Sender) -> None:
        self.shown, self.sender = shown, sender
        self._said = False
        self._looked: dict[str, float] = {}  # by run, when its curve was last asked for

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shown, name)

    def cells(self, specs: Sequence[SweepSpec], known: Mapping[str, Verdict]) -> None:
        """Tell of the verdicts that exist already, and of their runs."""
        self.shown.cells(specs, known)
        for verdict in known.values():
            for message in messages_of(verdict):
                self.post(*message)

    def verdict(self, cell: SweepSpec, verdict: Verdict) -> None:
        """Tell of a verdict."""
        self.shown.verdict(cell, verdict)
        self.post(ENDED, SWEEP, verdict.sweep_id)

    def run_known(self, spec: RunSpec, result: RunResult) -> None:
        """Tell of a run that was found."""
        self.shown.run_known(spec, result)
        self.post(ENDED, RUN, result.run_id)

    def run_started(self, spec: RunSpec) -> None:
        """Look after the tracker."""
        self.shown.run_started(spec)
        self.look()

    def run_progress(self, spec: RunSpec, progress: RunProgress) -> None:
        """Tell that the curve of a run has grown, every few seconds."""
        self.shown.run_progress(spec, progress)
        now, name = time.monotonic(), spec.run_id
        if now - self._looked.get(name, -EVERY) >= EVERY:
            self._looked[name] = now
            self.post(MOVED, RUN, name)
        else:
            self.look()

    def run_done(self, spec: RunSpec, result: RunResult) -> None:
        """Tell that a run has its result."""
        self.shown.run_done(spec, result)
        self.post(ENDED, RUN, result.run_id)

    def run_failed(self, spec: RunSpec, message: str) -> None:
        """Tell that a run broke."""
        self.shown.run_failed(spec, message)
        self.post(BROKEN, RUN, spec.run_id)

    def post(self, event: str, kind: str, name: str) -> None:
        """Send a message to the tracker."""
        self.sender.post((event, kind, name))
        self.look()

    def look(self) -> None:
        """Send what waits; say once where the tracker was left alone."""
        self.sender.pump()
        if self.sender.trouble and not self._said:
            self._said = True
            self.shown.note(said(self.sender))


@contextlib.contextmanager
def tracked(shown: View, request: TrackRequest, out: str) -> Iterator[View]:
    """Give a view that also tells the tracker of a request; at the end the tracker has a moment to finish.

    Raises:
        UserError: the package of the tracker is not installed.
    """
    if request.name == "none":
        yield shown
        return
    check_installed(request)
    sender = Sender(request, Path(out))
    view = Tracked(shown, sender)
    seconds = AFTER_AN_ERROR
    try:
        yield cast(View, view)
        seconds = AT_THE_END
    finally:
        sender.close(seconds)
        view.look()
        if sender.dropped and not sender.trouble:
            shown.note(f"track={request.name} was too slow for {sender.dropped} of the records. {again(sender)}")


def replay(request: TrackRequest, out: Path, sweeps: Sequence[str], tell: Callable[[str], None]) -> None:
    """Send finished sweeps, and the runs that their verdicts name, to a tracker; wait until it has them.

    Args:
        request: which tracker.
        out: the ledger.
        sweeps: ids; sweeps without a verdict are passed over.
        tell: receives a line where the tracker was left alone.

    Raises:
        UserError: the package of the tracker is not installed.
    """
    check_installed(request)
    sender = Sender(request, out)
    try:
        for sweep_id in sweeps:
            verdict = Ledger(out, tell).verdict(sweep_id)
            for message in messages_of(verdict) if verdict is not None else []:
                while sender.full and not sender.trouble:
                    sender.wait(POLL_SECONDS)
                sender.post(message)
        while not sender.idle:  # a tracker that answers at all is waited for
            sender.wait(PATIENCE)
    finally:
        sender.close(AT_THE_END)
    if sender.trouble:
        tell(said(sender))


def messages_of(verdict: Verdict) -> list[tuple[str, str, str]]:
    """Return what a tracker is told of a finished sweep: its runs, then its verdict."""
    return [*((ENDED, RUN, run_id) for run_id in runs_of(to_dict(verdict))), (ENDED, SWEEP, verdict.sweep_id)]


def said(sender: Sender) -> str:
    """Return in a line why a tracker was left alone, and how it gets what it lacks."""
    return f"track={sender.request.name} is left alone: {echo(sender.trouble, 200)} ({sender.log}). {again(sender)}"


def again(sender: Sender) -> str:
    """Return the command that sends what a tracker lacks."""
    words = [f"track={sender.request.name}", f"out={sender.out}"]
    return f"To send the rest: {command('report', *words)}"
