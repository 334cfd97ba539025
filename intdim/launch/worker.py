"""The process behind a slot: reads jobs, runs them one after another, reports. Started by ``intdim.launch.local``."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from typing import Any

from intdim.launch.base import describe, find_job, heard
from intdim.launch.jobs import JOBS


class Reporter:
    """Writes events to the pipe that the launcher reads."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # programs that a job starts must not hold it open
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


def listen() -> queue.Queue[dict[str, Any]]:
    """Return a queue that a thread fills with the jobs from standard input.

    When the input ends the driver is gone or has closed this slot: the thread then ends the process, also in the
    middle of a job, whose checkpoint stays. Jobs themselves find an empty standard input.
    """
    source = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    requests: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        for line in source:
            if line.endswith(b"\n"):  # else the driver died while it wrote
                requests.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return requests


def serve(jobs: Mapping[str, str]) -> None:
    """Serve jobs (name -> ``module:function``) for as long as the driver lives; each is imported when first asked for.

    A job that raises is reported as failed; one that ends the process is found missing by the driver.
    """
    descriptor = os.environ.pop("INTDIM_EVENT_FD", "")
    if not descriptor:
        sys.exit("intdim.launch.worker is started by the commands that need it, not by hand")
    reporter = Reporter(int(descriptor))
    requests = listen()
    reporter.send("ready")
    while True:
        request = requests.get()
        key = request["key"]
        reporter.send("started", key)

        def report(facts: dict[str, Any], key: str = key) -> None:
            reporter.send("progress", key, facts)

        try:
            with heard(report):
                answer = find_job(jobs[request["job"]])(request["payload"], report)
            reporter.send("done", key, answer)
        except Exception as error:  # whatever a job raises goes back to the driver
            reporter.send("failed", key, describe(error))


if __name__ == "__main__":
    serve(JOBS)
