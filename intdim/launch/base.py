"""What a launcher is: jobs go in, events come out; nothing here knows what a job does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

EventKind = Literal["started", "progress", "done", "failed", "lost"]


@dataclass(frozen=True)
class Event:
    """Something that happened to the job ``key``.

    ``started`` (no data); ``progress`` (what the job reported); ``done`` (its answer); ``failed`` (kind ``user`` with
    the parts of a ``UserError``, or kind ``failure`` with a message and a traceback); ``lost``: its worker died (how,
    and the end of its log), the job may be submitted again.
    """

    key: str
    kind: EventKind
    data: dict[str, Any] = field(default_factory=dict)


class Launcher(Protocol):
    """Laws: jobs start in the order of submission; each job ends in exactly one of done, failed, lost (unless it is
    cancelled); a lost job does not run any more; no event is reported twice."""

    slots: int

    def submit(self, key: str, job: str, payload: dict[str, Any]) -> None:
        """Queue the job ``job`` with a JSON payload under a key that is not in use."""
        ...

    def poll(self, timeout: float) -> list[Event]:
        """Return what happened, waiting up to ``timeout`` seconds for something to."""
        ...

    def cancel(self, key: str) -> None:
        """Forget a queued job; stop a running one (its worker is replaced)."""
        ...

    def close(self, drain: bool) -> None:
        """End all workers: after their running jobs (``drain``), or now. Queued jobs are dropped."""
        ...
