"""Where runs run: slots that start when the first job needs them, how many there are, and what becomes of lost jobs.

With ``launch.slots=auto`` there is one slot per core on a CPU, at most eight, and one per GPU on CUDA; where memory may
be short, a probe of the largest run (a few steps of full fine-tuning) lowers that. ``scripts/bench_slots.py`` measures
what k slots finish in the time of one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from intdim.errors import RunFailed, UserError
from intdim.fingerprint import cache_folder
from intdim.launch import Event, Launcher, LocalSlots
from intdim.launch.process import log_name, remove_old_logs
from intdim.request import RuntimeRequest
from intdim.spec import Prepared, Runtime

LOST_LIMIT = 3  # a run whose worker died this often is given up
MOST_SLOTS = 8
BYTES_PER_WEIGHT = 24  # weights, gradient, AdamW's two moments, a copy of the best, and theta_0 or a checkpoint
PROGRAM = 1 << 30  # Python, torch, transformers and the data, with room to spare
SHARE = 0.8  # of the free memory is given to runs


class Workers:
    """Slots that start when the first job needs them; jobs are answered by key."""

    def __init__(self, runtime: RuntimeRequest, launcher: Launcher | None = None) -> None:
        self.request, self._launcher = runtime, launcher
        self.device, self.devices, self.memory = runtime.device, 0, 0
        self.cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.slots = runtime.slots or min(self.cores, MOST_SLOTS)
        self.threads = runtime.threads or max(1, self.cores // self.slots)

    @property
    def launcher(self) -> Launcher:
        """The slots, started on first use."""
        if self._launcher is None:
            environment = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"} if self.request.offline else {}
            log = cache_folder() / "workers" / log_name()
            with contextlib.suppress(OSError):  # someone else's files; a log too many hurts nobody
                remove_old_logs(log.parent)
            self._launcher = LocalSlots(self.slots, self.threads, environment=environment, log=log)
        return self._launcher

    @property
    def started(self) -> bool:
        """True once anything has been submitted."""
        return self._launcher is not None

    def find_device(self) -> None:
        """Ask a worker what device there is; raises ``UserError`` for ``device=cuda`` without one."""
        if self.devices:
            return
        answer = self.ask("device", {"device": self.request.device})
        self.device, self.devices, self.memory = answer["device"], max(1, answer["count"]), answer["memory"]
        if self.device == "cuda" and not self.request.slots:
            # one run at a time on each GPU until a measurement says that more pay
            self.slots = min(self.slots, self.devices)
        if self.device == "cuda" and isinstance(self._launcher, LocalSlots):
            visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
            names = visible.split(",") if visible else [str(number) for number in range(self.devices)]
            self._launcher.place(self.slots, names if len(names) > 1 else ())

    def is_roomy(self, D: int) -> bool:
        """Return whether the slots' memory needs no probe: the user chose them, there is one for each device, or what
        D weights take, with the program and as much again for activations, is far below what is free."""
        if self.request.slots or self.slots <= self.devices or not self.memory:
            return True
        return 2 * self.slots * (BYTES_PER_WEIGHT * D + PROGRAM) <= self.memory

    def fit(self, peak: int) -> int:
        """Lower the slots to what memory holds if a run takes ``peak`` bytes; return how many there are now."""
        slots = max(1, min(self.slots, int(SHARE * self.memory / max(peak, 1))))
        if slots < self.slots:
            self.slots = slots
            self.threads = self.request.threads or max(1, self.cores // slots)
            if isinstance(self._launcher, LocalSlots):
                self._launcher.place(slots, self._launcher.devices, self.threads)
        return self.slots

    def ask(self, job: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Run one job and wait for its answer."""
        return self.ask_all({job: (job, payload)})[job]

    def ask_all(self, jobs: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
        """Run jobs side by side; return their answers by key, raise the first error."""
        for key, (job, payload) in jobs.items():
            self.launcher.submit(key, job, payload)
        answers: dict[str, dict[str, Any]] = {}
        lost = dict.fromkeys(jobs, 0)
        while len(answers) < len(jobs):
            for event in self.launcher.poll(0.5):
                if event.kind == "done":
                    answers[event.key] = event.data
                elif event.kind == "failed":
                    raise error_of(event)
                elif event.kind == "lost":
                    lost[event.key] += 1
                    if lost[event.key] >= LOST_LIMIT:
                        raise RunFailed(f"the worker of job {event.key} died {LOST_LIMIT} times: {how_died(event)}")
                    self.launcher.submit(event.key, *jobs[event.key])
        return answers

    def runtime_for(self, prepared: Prepared) -> Runtime:
        """Return how a cell's runs run here."""
        return Runtime(
            out=str(Path(self.request.out).resolve()),
            device=self.device,
            slots=self.slots,
            threads=self.threads,
            model_folder=prepared.facts.model_folder,
            task_folder=prepared.facts.task_folder,
            checkpoint_seconds=self.request.checkpoint_seconds,
        )

    def close(self, drain: bool) -> None:
        """Stop the slots; ``drain`` lets running jobs end."""
        if self._launcher is not None:
            self._launcher.close(drain)


@contextlib.contextmanager
def workers(runtime: RuntimeRequest, launcher: Launcher | None = None) -> Iterator[Workers]:
    """Slots for the length of a command; on any error running jobs are stopped (their checkpoints stay)."""
    pool = Workers(runtime, launcher)
    try:
        yield pool
    except BaseException:
        pool.close(drain=False)
        raise
    pool.close(drain=True)


def error_of(event: Event) -> Exception:
    """Turn a failed job's event back into the error it was."""
    if event.data.get("kind") == "user":
        return UserError(*event.data["parts"])
    return RunFailed(str(event.data.get("message", "a worker failed")))


def how_died(event: Event) -> str:
    """Return how the worker of a lost job ended, in words."""
    return str(event.data.get("message") or event.data.get("reason") or event.data)
