"""Slots on this machine: long-lived worker processes that import once and serve many jobs.

A worker that dies costs its job alone, and dies with the driver. One whose job broke is replaced before the next job:
what broke the job (an error of the CUDA runtime, say) may have broken the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from intdim.errors import RunFailed
from intdim.launch.base import Event
from intdim.launch.process import GRACE, WorkerProcess, end_all, how_it_ended

STARTS_LIMIT = 3  # workers in a row that may die before they are ready
TICK = 0.2  # seconds between looks at processes whose pipe a child of theirs holds open

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ROOT = Path(__file__).resolve().parents[2]  # of the package
# -P: what lies in the folder in which a command is typed is data, also where it is called random.py
WORKER = (sys.executable, "-P", "-m", "intdim.launch.worker")
QUIET = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONOPTIMIZE": "",  # transformers reads its docstrings, and assertions are checks
    "PYTHONFAULTHANDLER": "1",  # a crash leaves its Python frames in the log
}


class LocalSlots:
    """A fixed number of supervised worker processes, each started when a job first needs it.

    Args:
        slots: how many jobs run at once.
        threads: threads for each worker's arithmetic.
        environment: variables added to the workers' environment.
        command: what starts a worker.
        log: where the workers' output goes; slot k writes to ``<stem>-<k><suffix>``. Default: in a temporary folder.
            ``close`` removes the files of slots where no worker died and no job broke.
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
        self.command = list(command or WORKER)
        self.devices = list(devices)
        self.environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads)), **QUIET, **_import_path()}
        self.environment.update(environment or {})
        self._scratch = Path(tempfile.mkdtemp(prefix="intdim-workers-")) if log is None else None
        self.log = log if log is not None else Path(str(self._scratch)) / "worker.log"
        self._workers: dict[int, WorkerProcess] = {}
        self._queue: deque[tuple[str, bytes]] = deque()
        self._events: list[Event] = []
        self._failed_starts = 0  # in a row
        self._started: set[int] = set()  # slots that ever had a worker, hence a log
        self._kept_logs: set[int] = set()  # slots whose log says something about a death or a failure
        self._selector = selectors.DefaultSelector()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.pid for worker in self._workers.values()]

    def log_of(self, slot: int) -> Path:
        """Where the workers of a slot print."""
        return self.log.with_name(f"{self.log.stem}-{slot}{self.log.suffix}")

    def place(self, slots: int, devices: Sequence[str] = (), threads: int = 0) -> None:
        """Change the number of slots, their devices and their threads (0: as before), once a first job has found out
        what there is.

        No job may be running. Workers are replaced where their device changes, and all if their threads do.
        """
        assert slots >= 1
        assert all(worker.job is None for worker in self._workers.values())
        before = {slot: self._device(slot) for slot in self._workers}
        self.slots, self.devices = slots, list(devices)
        wanted = dict.fromkeys(THREAD_VARIABLES, str(threads)) if threads else {}
        rethreaded = bool(wanted) and not wanted.items() <= self.environment.items()
        self.environment |= wanted
        misplaced = [slot for slot in before if rethreaded or slot >= slots or before[slot] != self._device(slot)]
        end_all([self._remove(slot) for slot in misplaced], now=True)

    def submit(self, key: str, job: str, payload: dict[str, Any]) -> None:
        assert not self._closed
        held = {worker.job for worker in self._workers.values()} | {item[0] for item in self._queue}
        assert key not in held, f"{key} is in use"
        line = json.dumps({"key": key, "job": job, "payload": payload}).encode() + b"\n"
        self._queue.append((key, line))
        self._assign()

    def poll(self, timeout: float) -> list[Event]:
        deadline = time.monotonic() + timeout
        while True:
            for slot in list(self._workers):
                self._listen(slot)
            self._assign()
            remaining = deadline - time.monotonic()
            if self._events or not self._workers or remaining <= 0:
                events, self._events = self._events, []
                return events
            self._selector.select(min(remaining, TICK))

    def cancel(self, key: str) -> None:
        self._queue = deque(item for item in self._queue if item[0] != key)
        self._events = [event for event in self._events if event.key != key]
        for slot, worker in list(self._workers.items()):
            if worker.job == key:
                self._remove(slot).wait_for_end(0.0)

    def close(self, drain: bool) -> None:
        self._queue.clear()
        try:
            while drain and any(worker.job is not None for worker in self._workers.values()):
                self.poll(TICK)
        finally:
            end_all([self._remove(slot) for slot in list(self._workers)], now=not drain)
            self._events.clear()
            self._selector.close()
            self._closed = True
            for slot in self._started - self._kept_logs:
                self.log_of(slot).unlink(missing_ok=True)
            if self._scratch is not None and not self._kept_logs:
                shutil.rmtree(self._scratch, ignore_errors=True)

    def _assign(self) -> None:
        """Give waiting jobs to workers that are ready; start workers while jobs wait and slots are free.

        A worker gets its first job when it says that it is ready, so that one that dies at its start costs no job.
        """
        idle = [slot for slot in sorted(self._workers) if self._workers[slot].job is None]
        for slot in idle:
            if self._queue and self._workers[slot].ready:
                key, line = self._queue.popleft()
                self._workers[slot].job = key
                self._workers[slot].send(line)
        coming = sum(not worker.ready for worker in self._workers.values())
        free = [slot for slot in range(self.slots) if slot not in self._workers]
        for slot in free[: max(0, len(self._queue) - coming)]:
            self._start(slot)

    def _start(self, slot: int) -> None:
        device = self._device(slot)
        environment = self.environment if device is None else {**self.environment, "CUDA_VISIBLE_DEVICES": device}
        self._started.add(slot)
        try:
            worker = WorkerProcess(self.command, environment, self.log_of(slot))
        except OSError as error:
            raise RunFailed(f"a worker cannot be started: {error}") from error
        self._workers[slot] = worker
        self._selector.register(worker.events, selectors.EVENT_READ)

    def _device(self, slot: int) -> str | None:
        """Return the device of a slot; None: whatever the environment says."""
        return self.devices[slot % len(self.devices)] if self.devices else None

    def _listen(self, slot: int) -> None:
        """Take in what a slot's worker has sent, and its death."""
        worker = self._workers[slot]
        lines, gone = worker.receive()
        broken = False
        for line in lines:
            if line["kind"] == "ready":
                worker.ready, self._failed_starts = True, 0
                continue
            event = Event(line["key"], line["kind"], line["data"])
            self._events.append(event)
            if event.kind in ("done", "failed"):
                worker.job = None
            broken = broken or (event.kind == "failed" and event.data["kind"] != "user")
        if gone:
            self._lose(slot)
        elif broken:
            self._kept_logs.add(slot)
            end_all([self._remove(slot)], now=True)

    def _lose(self, slot: int) -> None:
        """Handle the death of a slot's worker."""
        worker = self._remove(slot)
        # the pipe ends a moment before the process does; one that lives on without its pipe is of no use
        status = worker.wait_for_end(GRACE)
        self._kept_logs.add(slot)
        tail = worker.last_lines()
        how = how_it_ended(status, tail)
        if worker.job is not None:
            self._events.append(Event(worker.job, "lost", {"message": how, "log": tail, "log_file": str(worker.log)}))
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= STARTS_LIMIT:
                raise RunFailed(f"a worker does not start ({how}); its output is in {worker.log}:\n{tail}".strip())

    def _remove(self, slot: int) -> WorkerProcess:
        worker = self._workers.pop(slot)
        with contextlib.suppress(KeyError):
            self._selector.unregister(worker.events)
        return worker


def _import_path() -> dict[str, str]:
    """Return the variable by which a worker finds this package where it is not installed, but run in its checkout."""
    if ROOT.name in ("site-packages", "dist-packages"):
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(ROOT)]))}
