"""A launcher in the caller's own process, for tests and for looking at a failing job in a debugger."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from intdim.errors import UserError
from intdim.launch.base import Event

Job = Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], dict[str, Any]]


class InProcess:
    """Runs each job when ``poll`` is called; one slot."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self.jobs, self.slots = jobs, 1
        self._queue: deque[tuple[str, str, dict[str, Any]]] = deque()

    def submit(self, key: str, job: str, payload: dict[str, Any]) -> None:
        self._queue.append((key, job, payload))

    def poll(self, timeout: float) -> list[Event]:
        if not self._queue:
            return []
        key, job, payload = self._queue.popleft()
        events = [Event(key, "started")]
        try:
            answer = self.jobs[job](payload, lambda facts: events.append(Event(key, "progress", facts)))
            events.append(Event(key, "done", answer))
        except Exception as error:
            events.append(Event(key, "failed", describe(error)))
        return events

    def cancel(self, key: str) -> None:
        self._queue = deque(item for item in self._queue if item[0] != key)

    def close(self, drain: bool) -> None:
        self._queue.clear()


def describe(error: BaseException) -> dict[str, Any]:
    """Return an error as the data of a ``failed`` event."""
    if isinstance(error, UserError):
        return {"kind": "user", "parts": list(error.parts)}
    message = str(error) or type(error).__name__
    return {"kind": "failure", "message": message, "traceback": "".join(traceback.format_exception(error))}
