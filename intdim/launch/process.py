"""One worker process, seen from the driver: its pipes, its log, and how it died.

Jobs go in as JSON lines on its standard input and events come back as JSON lines on a pipe of their own, so that
nothing it prints can be taken for an event. It lives in its own session: Ctrl-C in the driver's terminal does not
reach it. When the driver is gone its standard input ends, and it ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LOG_TAIL = 4000  # bytes of a dead worker's log that are looked at
LOG_LINES = 15
GRACE = 5.0  # seconds that a worker has to end before it is killed


class WorkerProcess:
    """A worker and the key of the job it holds (None: idle).

    Args:
        command: what starts it.
        environment: its whole environment.
        log: where its output is appended.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log, self.ready, self.job = log, False, None
        self.job: str | None
        log.parent.mkdir(parents=True, exist_ok=True)
        self.events, write_end = os.pipe()
        try:
            with log.open("ab") as sink:
                self._log_start = sink.tell()
                self.process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.PIPE,
                    stdout=sink,
                    stderr=sink,
                    env={**environment, "INTDIM_EVENT_FD": str(write_end)},
                    pass_fds=(write_end,),
                    start_new_session=True,
                )
        except BaseException:
            os.close(self.events)
            raise
        finally:
            os.close(write_end)
        os.set_blocking(self.events, False)
        self._torn = b""

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its session and of its process group."""
        return self.process.pid

    def send(self, line: bytes) -> None:
        """Hand over one line; a worker that died meanwhile is found by the next ``receive``.

        Only for a worker that is ready: its listening thread then empties the pipe, however long the line is.
        """
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def receive(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the events that have arrived and whether the worker is gone.

        The exit of the process counts as well as the end of the pipe: a process that the job forked may outlive the
        worker and hold the pipe open.
        """
        gone = self.process.poll() is not None  # asked first: what it wrote before it ended is then read below
        while True:
            try:
                chunk = os.read(self.events, 1 << 20)
            except BlockingIOError:
                break
            if not chunk:
                gone = True
                break
            self._torn += chunk
        *lines, self._torn = self._torn.split(b"\n")
        return [json.loads(line) for line in lines], gone

    def ask_to_end(self, now: bool) -> None:
        """Close its input, which ends it; ``now`` terminates whatever its job started too."""
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        if now:
            self._signal(signal.SIGTERM)

    def wait_for_end(self, patience: float) -> int:
        """Wait ``patience`` seconds for the process, then kill it; return its exit status (negative: the signal).

        What its job started and did not end is killed in either case.
        """
        try:
            self.process.wait(max(0.0, patience))
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
        status = self.process.wait()
        self._signal(signal.SIGKILL)
        self.ask_to_end(now=False)
        os.close(self.events)
        return status

    def last_lines(self) -> str:
        """Return the end of what this process printed."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._log_start, size - LOG_TAIL))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-LOG_LINES:])

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def log_name() -> str:
    """Name this driver's log so that ``remove_old_logs`` can tell whether the driver lives."""
    return f"{platform.node()}-{os.getpid()}.log"


def remove_old_logs(folder: Path) -> None:
    """Remove the logs of workers whose driver is gone: it was killed, or left a log about a failure.

    Only logs of this machine are looked at; ``folder`` may be shared with others.
    """
    ours = re.compile(rf"{re.escape(platform.node())}-(\d+)-\d+\.log")
    for file in folder.glob("*.log"):
        named = ours.fullmatch(file.name)
        if named and not _lives(int(named[1])):
            file.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # someone else's, but alive
    return True


def how_it_ended(status: int, last_lines: str) -> str:
    """Say in one line how a process ended: its signal, or its exit status and the last line it printed."""
    if status == -signal.SIGKILL:
        return "killed by SIGKILL (by someone, or by the system when memory runs out)"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    last = last_lines.splitlines()[-1][:300] if last_lines else ""
    return f"exit status {status}: {last}" if last else f"exit status {status}"


def end_all(workers: Sequence[WorkerProcess], now: bool) -> None:
    """End idle workers (or, ``now``, busy ones too), side by side; kill those that take longer than ``GRACE``."""
    for worker in workers:
        worker.ask_to_end(now)
    deadline = time.monotonic() + GRACE
    for worker in workers:
        worker.wait_for_end(deadline - time.monotonic())
