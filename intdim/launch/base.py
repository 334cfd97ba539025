"""What a launcher is: jobs go in, events come out; nothing here knows what a job does."""

from __future__ import annotations

import contextlib
import importlib
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from intdim.errors import IntdimError, RunFailed, UserError

EventKind = Literal["started", "progress", "done", "failed", "lost"]
Report = Callable[[dict[str, Any]], None]  # what a job calls with its progress
Job = Callable[[dict[str, Any], Report], dict[str, Any]]
OF_THE_MACHINE = ("intdim.caches", "intdim.seals", "intdim.kernels")  # loggers that warn of the cache and the compiler


@dataclass(frozen=True)
class Event:
    """Something that happened to the job ``key``.

    ``started`` (no data); ``progress`` (what the job reported); ``done`` (its answer); ``failed`` (kind ``user`` with
    the parts of a ``UserError``, or kind ``failure`` with a message and a traceback); ``lost``: its worker died
    (``message`` says how, ``log`` holds the last lines it printed), the job may be submitted again.
    """

    key: str
    kind: EventKind
    data: dict[str, Any] = field(default_factory=dict)


class Launcher(Protocol):
    """Laws: jobs start in the order of submission; each job ends in exactly one of done, failed, lost (unless it is
    cancelled, or dropped by ``close``); a job that has ended does not run any more; no event is reported twice.
    Payloads, progress and answers are JSON."""

    slots: int

    def submit(self, key: str, job: str, payload: dict[str, Any]) -> None:
        """Queue the job ``job`` with a JSON payload under a key that is not in use; returns at once."""
        ...

    def poll(self, timeout: float) -> list[Event]:
        """Return what happened, waiting up to ``timeout`` seconds for something to.

        Raises:
            RunFailed: no worker can be started.
        """
        ...

    def cancel(self, key: str) -> None:
        """Forget a queued job; stop a running one (its worker is replaced). No event of it comes afterwards."""
        ...

    def close(self, drain: bool) -> None:
        """End all workers: after their running jobs (``drain``), or now. Queued jobs are dropped."""
        ...


def find_job(where: str) -> Job:
    """Import the function that ``module:function`` names."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


@contextlib.contextmanager
def heard(report: Report) -> Iterator[None]:
    """Report as notes what is warned of this machine while a job is done: a worker's log is not read by anyone."""
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: report({"note": record.getMessage()})
    sources = [logging.getLogger(name) for name in OF_THE_MACHINE]
    for source in sources:
        source.addHandler(handler)
    try:
        yield
    finally:
        for source in sources:
            source.removeHandler(handler)


def error_of(event: Event) -> IntdimError:
    """Turn a ``failed`` event back into the error that the job raised."""
    if event.data.get("kind") == "user":
        return UserError(*event.data["parts"])
    return RunFailed(str(event.data.get("message", "a worker failed")))


def describe(error: BaseException) -> dict[str, Any]:
    """Return an error as the data of a ``failed`` event."""
    if isinstance(error, UserError):
        return {"kind": "user", "parts": list(error.parts)}
    message = str(error) or type(error).__name__
    return {"kind": "failure", "message": message, "traceback": "".join(traceback.format_exception(error))}
