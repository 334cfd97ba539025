"""A launcher in the caller's own process, for tests and for looking at a failing job in a debugger."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from intdim.launch.base import Event, Job, describe, find_job, heard


class InProcess:
    """Runs a job whenever ``poll`` is called; one slot.

    Args:
        jobs: name of a job -> the function, or where it is (``module:function``).
    """

    def __init__(self, jobs: Mapping[str, Job | str]) -> None:
        self.jobs, self.slots = jobs, 1
        self._queue: deque[tuple[str, str, str]] = deque()

    def submit(self, key: str, job: str, payload: dict[str, Any]) -> None:
        assert key not in {item[0] for item in self._queue}, f"{key} is in use"
        self._queue.append((key, job, json.dumps(payload)))

    def poll(self, timeout: float) -> list[Event]:
        if not self._queue:
            return []
        key, job, payload = self._queue.popleft()
        events = [Event(key, "started")]

        def report(facts: dict[str, Any]) -> None:
            events.append(Event(key, "progress", _plain(facts)))

        try:
            found = self.jobs[job]
            function = find_job(found) if isinstance(found, str) else found
            with heard(report):
                answer = function(json.loads(payload), report)
            events.append(Event(key, "done", _plain(answer)))
        except Exception as error:  # whatever a job raises goes back to the driver
            events.append(Event(key, "failed", describe(error)))
        return events

    def cancel(self, key: str) -> None:
        self._queue = deque(item for item in self._queue if item[0] != key)

    def close(self, drain: bool) -> None:
        self._queue.clear()


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts as they would arrive over a pipe."""
    return json.loads(json.dumps(facts))
