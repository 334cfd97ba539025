"""Slots on this machine: long-lived worker processes that import once and serve many jobs.

A worker reads jobs as JSON lines from its standard input and writes events as JSON lines to a pipe of its own, so
that nothing it prints can be taken for an event. It lives in its own session (Ctrl-C in the driver's terminal does not
reach it) and dies when the driver does: its standard input then ends. A worker that dies costs its job alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from intdim.errors import RunFailed
from intdim.launch.base import Event

STARTS_LIMIT = 3  # workers in a row that may die before they are ready
GRACE = 5.0  # seconds between asking a worker to end and ending it


class Worker:
    """One process, its pipes, and the job it holds."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        read_end, write_end = os.pipe()
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                env=environment | {"INTDIM_EVENT_FD": str(write_end)},
                pass_fds=(write_end,),
                start_new_session=True,
            )
        os.close(write_end)
        os.set_blocking(read_end, False)
        self.events = read_end
        self.ready = False
        self.job: str | None = None
        self.buffer = b""

    def send(self, message: dict[str, Any]) -> None:
        """Hand over a line; a worker that died meanwhile is found by the next poll."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """Return complete lines that have arrived, and whether the pipe has ended."""
        ended = False
        while True:
            try:
                chunk = os.read(self.events, 1 << 20)
            except BlockingIOError:
                break
            if not chunk:
                ended = True
                break
            self.buffer += chunk
        *lines, self.buffer = self.buffer.split(b"\n")
        return [json.loads(line) for line in lines if line], ended

    def end(self, now: bool) -> None:
        """Close its input (it ends when idle) or kill it."""
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        if now:
            self._signal(signal.SIGKILL)

    def wait(self, seconds: float) -> None:
        """Wait for the process; kill it when it takes longer."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.events)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def how_it_died(self) -> str:
        """Return the exit status or signal and the end of the log."""
        code = self.process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        try:
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:].strip().splitlines()
        except OSError:
            tail = []
        return f"{how}: {tail[-1][:300]}" if tail and code > 0 else how


class LocalSlots:
    """A fixed number of supervised worker processes.

    Args:
        slots: how many jobs run at once.
        threads: threads for each worker's arithmetic.
        environment: variables added to the workers' environment.
        command: what starts a worker.
        log: where the workers' output goes (appended).
        devices: CUDA device numbers, given to slots in turn; empty leaves the environment alone.
    """

    def __init__(
        self,
        slots: int,
        threads: int,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
        log: Path | None = None,
        devices: Sequence[str] = (),
    ) -> None:
        assert slots >= 1
        assert threads >= 1
        self.slots = slots
        self.command = list(command or (sys.executable, "-m", "intdim.worker"))
        self.log = log or Path(tempfile.gettempdir()) / f"intdim-workers-{os.getpid()}.log"
        self.devices = list(devices)
        single = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
        quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONUNBUFFERED": "1"}
        self.environment = {**os.environ, **single, **quiet, **(environment or {})}
        self._workers: dict[int, Worker] = {}
        self._queue: deque[tuple[str, str, dict[str, Any]]] = deque()
        self._unready_deaths = 0
        self._selector = selectors.DefaultSelector()

    @property
    def pids(self) -> list[int]:
        """Process ids of the living workers."""
        return [worker.process.pid for worker in self._workers.values()]

    def submit(self, key: str, job: str, payload: dict[str, Any]) -> None:
        self._queue.append((key, job, payload))
        self._assign()

    def poll(self, timeout: float) -> list[Event]:
        self._assign()
        deadline = time.monotonic() + timeout
        events: list[Event] = []
        while True:
            remaining = max(0.0, deadline - time.monotonic())
            if not self._workers:
                return events
            for ready, _ in self._selector.select(0.0 if events else remaining):
                events += self._listen(ready.data)
            self._assign()
            if events or time.monotonic() >= deadline:
                return events

    def cancel(self, key: str) -> None:
        self._queue = deque(item for item in self._queue if item[0] != key)
        for slot, worker in list(self._workers.items()):
            if worker.job == key:
                worker.end(now=True)
                self._forget(slot)

    def close(self, drain: bool) -> None:
        self._queue.clear()
        for worker in self._workers.values():
            if not drain:
                worker.end(now=True)
            elif worker.job is None:
                worker.end(now=False)
        while drain and any(worker.job for worker in self._workers.values()):
            self.poll(0.2)
        for slot, worker in list(self._workers.items()):
            worker.end(now=False)
            worker.wait(GRACE)
            self._drop(slot)

    def _assign(self) -> None:
        """Give queued jobs to idle workers; start workers as long as jobs wait and slots are free."""
        waiting = len(self._queue)
        idle = [slot for slot, worker in self._workers.items() if worker.job is None]
        for slot in range(self.slots):
            if len(idle) >= waiting:
                break
            if slot not in self._workers:
                self._start(slot)
                idle.append(slot)
        for slot in sorted(idle, key=lambda number: not self._workers[number].ready):
            if not self._queue:
                break
            key, job, payload = self._queue.popleft()
            self._workers[slot].job = key
            self._workers[slot].send({"key": key, "job": job, "payload": payload})

    def _start(self, slot: int) -> None:
        environment = dict(self.environment)
        if self.devices:
            environment["CUDA_VISIBLE_DEVICES"] = self.devices[slot % len(self.devices)]
        worker = Worker(self.command, environment, self.log)
        self._workers[slot] = worker
        self._selector.register(worker.events, selectors.EVENT_READ, slot)

    def _listen(self, slot: int) -> list[Event]:
        worker = self._workers[slot]
        lines, ended = worker.read()
        events = []
        for line in lines:
            if line["kind"] == "ready":
                worker.ready, self._unready_deaths = True, 0
                continue
            event = Event(line["key"], line["kind"], line.get("data", {}))
            events.append(event)
            if event.kind in ("done", "failed"):
                worker.job = None
        if ended:
            events += self._bury(slot)
        return events

    def _bury(self, slot: int) -> list[Event]:
        worker = self._workers[slot]
        how, key, was_ready = worker.how_it_died(), worker.job, worker.ready
        self._forget(slot)
        if not was_ready:
            self._unready_deaths += 1
            if self._unready_deaths >= STARTS_LIMIT:
                raise RunFailed(f"a worker does not start ({how}); its output is in {self.log}")
        return [Event(key, "lost", {"message": how})] if key is not None else []

    def _forget(self, slot: int) -> None:
        self._workers[slot].wait(GRACE)
        self._drop(slot)

    def _drop(self, slot: int) -> None:
        worker = self._workers.pop(slot)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(worker.events)
