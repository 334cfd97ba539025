"""Slots on a Ray cluster: one long-lived actor for each slot, the same events as on one machine.

Optional: ``pip install 'intdim[ray]'``. With ``RAY_ADDRESS`` set the slots are on that cluster, which must see the
same folders; otherwise a cluster of this machine is started and ended with the launcher.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from intdim.errors import RunFailed, UserError
from intdim.launch.base import Event, describe, find_job, heard
from intdim.launch.local import QUIET, STARTS_LIMIT, THREAD_VARIABLES

LONG_POLL = 2.0  # seconds that an actor holds back an empty answer
OBJECT_STORE = 200 << 20  # bytes; payloads and answers are a few kB, the default is a third of the memory


class Actor:
    """A slot: does one job in one thread while another hands out what it reported."""

    def __init__(self, jobs: str) -> None:
        module, _, name = jobs.partition(":")
        self.jobs: Mapping[str, str] = getattr(importlib.import_module(module), name)
        self._changed = threading.Condition()
        self._events: list[tuple[str, str]] = [("ready", "{}")]

    def do(self, job: str, payload: str) -> None:
        """Run a job; everything about it is said by ``take``."""
        self._say("started", {})

        def report(facts: dict[str, Any]) -> None:
            self._say("progress", facts)

        try:
            with heard(report):
                answer = find_job(self.jobs[job])(json.loads(payload), report)
            self._say("done", answer)
        except Exception as error:  # whatever a job raises goes back to the driver
            self._say("failed", describe(error))

    def take(self, seconds: float) -> list[tuple[str, str]]:
        """Return (kind, JSON) of what happened since the last call, waiting up to ``seconds`` for something to."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._events), seconds)
            events, self._events = self._events, []
            return events

    def _say(self, kind: str, data: dict[str, Any]) -> None:
        line = json.dumps(data)
        with self._changed:
            self._events.append((kind, line))
            self._changed.notify()


class Slot:
    """An actor seen from the driver, and the key of the job it holds (None: idle)."""

    def __init__(self, actor: Any) -> None:
        self.actor, self.ready = actor, False
        self.job: str | None = None
        self.news = actor.take.remote(LONG_POLL)


class RaySlots:
    """A fixed number of actors, each started when a job first needs it.

    Args:
        slots: how many jobs run at once.
        threads: threads for each slot's arithmetic, and the cores that Ray sets aside for it.
        gpus: GPUs that Ray sets aside for each slot; a fraction lets slots share one.
        environment: variables added to the actors' environment.
        jobs: where the table of jobs (name -> ``module:function``) is.

    Raises:
        UserError: Ray is not installed.
        RunFailed: the cluster cannot be reached or started.
    """

    def __init__(
        self,
        slots: int,
        threads: int,
        gpus: float = 0.0,
        environment: Mapping[str, str] | None = None,
        jobs: str = "intdim.launch.jobs:JOBS",
    ) -> None:
        assert slots >= 1
        assert threads >= 1
        self.slots = slots
        self._ray = _import_ray()
        self._owner = not self._ray.is_initialized()
        if self._owner:
            _connect(self._ray, cores=slots * threads)
        variables = {**dict.fromkeys(THREAD_VARIABLES, str(threads)), **QUIET, **(environment or {})}
        self._make = (
            self._ray.remote(Actor)
            .options(
                num_cpus=threads,
                num_gpus=gpus,
                max_concurrency=2,  # the job, and ``take`` beside it
                max_restarts=0,
                max_task_retries=0,
                runtime_env={"env_vars": variables},
            )
            .remote
        )
        self._jobs = jobs
        self._living: list[Slot] = []
        self._queue: deque[tuple[str, str, str]] = deque()
        self._events: list[Event] = []
        self._failed_starts = 0

    def submit(self, key: str, job: str, payload: dict[str, Any]) -> None:
        assert key not in {slot.job for slot in self._living} | {item[0] for item in self._queue}, f"{key} is in use"
        self._queue.append((key, job, json.dumps(payload)))
        self._assign()

    def poll(self, timeout: float) -> list[Event]:
        deadline = time.monotonic() + timeout
        while True:
            self._listen(0.0)
            self._assign()
            remaining = deadline - time.monotonic()
            if self._events or not self._living or remaining <= 0:
                events, self._events = self._events, []
                return events
            self._listen(remaining)

    def cancel(self, key: str) -> None:
        self._queue = deque(item for item in self._queue if item[0] != key)
        self._events = [event for event in self._events if event.key != key]
        for slot in [slot for slot in self._living if slot.job == key]:
            self._end(slot)

    def close(self, drain: bool) -> None:
        self._queue.clear()
        try:
            while drain and any(slot.job is not None for slot in self._living):
                self.poll(LONG_POLL)
        finally:
            for slot in list(self._living):
                self._end(slot)
            self._events.clear()
            if self._owner:
                self._ray.shutdown()

    def _assign(self) -> None:
        """Give waiting jobs to slots that are ready; start actors while jobs wait and slots are free."""
        for slot in self._living:
            if self._queue and slot.ready and slot.job is None:
                slot.job, job, payload = self._queue.popleft()
                slot.actor.do.remote(job, payload)
        coming = sum(not slot.ready for slot in self._living)
        wanted = min(len(self._queue) - coming, self.slots - len(self._living))
        self._living += [Slot(self._make(self._jobs)) for _ in range(wanted)]

    def _listen(self, timeout: float) -> None:
        """Take in what has arrived, waiting up to ``timeout`` seconds for the first."""
        if not self._living:
            return
        asked = {slot.news: slot for slot in self._living}
        first, rest = self._ray.wait(list(asked), num_returns=1, timeout=timeout)
        more, _ = self._ray.wait(rest, num_returns=len(rest), timeout=0) if rest else ([], [])
        for news in [*first, *more]:
            slot = asked[news]
            try:
                events = self._ray.get(news)
            except self._ray.exceptions.RayActorError as error:
                self._lose(slot, error)
                continue
            slot.news = slot.actor.take.remote(LONG_POLL)
            for kind, line in events:
                self._hear(slot, kind, json.loads(line))

    def _hear(self, slot: Slot, kind: Any, data: dict[str, Any]) -> None:
        """Take in one event of a slot."""
        if kind == "ready":
            slot.ready, self._failed_starts = True, 0
            return
        assert slot.job is not None
        self._events.append(Event(slot.job, kind, data))
        if kind in ("done", "failed"):
            slot.job = None
        if kind == "failed" and data["kind"] != "user":
            self._end(slot)  # what broke the job may have broken the process

    def _lose(self, slot: Slot, error: Exception) -> None:
        """Handle the death of an actor."""
        how = " ".join(str(error).split())[:300]
        if slot.job is not None:
            self._events.append(Event(slot.job, "lost", {"message": how, "log": str(error)}))
        self._end(slot)
        if not slot.ready:
            self._failed_starts += 1
            if self._failed_starts >= STARTS_LIMIT:
                raise RunFailed(f"a Ray actor does not start: {how}")

    def _end(self, slot: Slot) -> None:
        self._living.remove(slot)
        self._ray.kill(slot.actor)


def _import_ray() -> Any:
    # Ray reads both when it is imported: no tokens for a cluster of our own, nothing is sent to anyone.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if "RAY_ADDRESS" not in os.environ:
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UserError(
            f"launch=ray, but Ray cannot be imported: {error}", "launch=local", "pip install 'intdim[ray]'"
        ) from error


def _connect(ray: Any, cores: int) -> None:
    """Join the cluster of ``RAY_ADDRESS``, or start one here."""
    here = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": cores, "object_store_memory": OBJECT_STORE}
    with _own_signals():
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", include_dashboard=False, **here)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise RunFailed(f"Ray cannot be reached: {error}") from error


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the command's handler of SIGTERM, which Ray replaces."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
