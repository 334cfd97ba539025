"""The process behind a slot: reads jobs, runs them one after another, reports. Started as ``python -m intdim.worker``."""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from typing import Any

from intdim.launch.inprocess import describe

JOBS = {
    "run": "intdim.execute:run_job",
    "time": "intdim.execute:time_job",
    "prepare": "intdim.prepare:prepare_job",
    "device": "intdim.prepare:device_job",
}


class Reporter:
    """Writes events to the pipe that the launcher reads."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._pipe = os.fdopen(descriptor, "wb")
        self._lock = threading.Lock()

    def send(self, kind: str, key: str = "", data: dict[str, Any] | None = None) -> None:
        """Write one event; a launcher that is gone ends the process."""
        line = json.dumps({"kind": kind, "key": key, "data": data or {}}).encode() + b"\n"
        with self._lock:
            try:
                self._pipe.write(line)
                self._pipe.flush()
            except BrokenPipeError:
                os._exit(1)


def serve(jobs: Mapping[str, str], descriptor: int | None = None) -> None:
    """Serve jobs (name -> ``module:function``) until the input ends; a job under way then ends with the process."""
    reporter = Reporter(int(os.environ["INTDIM_EVENT_FD"]) if descriptor is None else descriptor)
    requests: queue.Queue[dict[str, Any] | None] = queue.Queue()
    busy = threading.Event()

    def listen() -> None:
        for line in sys.stdin.buffer:
            requests.put(json.loads(line))
        if busy.is_set():
            os._exit(1)  # the driver is gone; the run's checkpoint stays
        requests.put(None)

    threading.Thread(target=listen, daemon=True).start()
    reporter.send("ready")
    while (request := requests.get()) is not None:
        busy.set()
        key = request["key"]
        reporter.send("started", key)
        try:
            module, _, name = jobs[request["job"]].partition(":")
            function = getattr(importlib.import_module(module), name)
            answer = function(request["payload"], lambda facts, key=key: reporter.send("progress", key, facts))
            reporter.send("done", key, answer)
        except Exception as error:  # whatever a job raises goes back to the driver
            reporter.send("failed", key, describe(error))
        busy.clear()


if __name__ == "__main__":
    serve(JOBS)
