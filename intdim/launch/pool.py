"""The slots of a command: how many there are, on which devices, with how many threads, and what memory holds.

With ``launch.slots=auto`` there is one slot per core on a CPU, at most eight, and one per GPU on CUDA; where memory may
be short, a probe of the largest run (a few steps of full fine-tuning) lowers that. ``scripts/bench_slots.py`` measures
what k slots finish in the time of one.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from intdim.caches import cache_folder
from intdim.launch.base import Launcher
from intdim.launch.jobs import Device
from intdim.launch.local import LocalSlots
from intdim.launch.process import log_name, remove_old_logs
from intdim.request import RuntimeRequest
from intdim.spec import Prepared, Runtime

MOST_SLOTS = 8
BYTES_PER_WEIGHT = 24  # weights, gradient, AdamW's two moments, a copy of the best, and theta_0 or a checkpoint
PROGRAM = 1 << 30  # Python, torch, transformers and the data, with room to spare
SHARE = 0.8  # of the free memory is given to runs


def _log() -> Path | None:
    """Return where workers print: into the cache, or, where that cannot be written, into a temporary folder."""
    folder = cache_folder() / "workers"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK | os.X_OK):
        return None
    with contextlib.suppress(OSError):  # files of someone else; a log that stays does no harm
        remove_old_logs(folder)
    return folder / log_name()


def uses_cuda(device: str) -> bool:
    """Tell whether a device asked for is CUDA; for ``auto`` by what this machine shows, since torch is far too slow to
    ask."""
    if device != "auto":
        return device == "cuda"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    return not hidden and any(Path("/dev").glob("nvidia[0-9]*"))


class Pool:
    """Slots that start when the first job needs them.

    Args:
        request: where and how the command runs.
        launcher: slots that exist already; without them, slots of this machine.

    Attributes:
        device: ``cpu`` or ``cuda``; what was asked for (perhaps ``auto``) until ``use`` is told what there is.
        slots: how many jobs run at once.
        threads: threads of each slot. Their number decides how sums round on a CPU, so that it is part of what a run
            is: it depends on the request and the number of cores, never on what memory holds.
    """

    def __init__(self, request: RuntimeRequest, launcher: Launcher | None = None) -> None:
        self.request, self._launcher = request, launcher
        self.device, self._devices, self._memory = request.device, 0, 0
        self.cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.slots = request.slots or min(self.cores, MOST_SLOTS)
        self.threads = request.threads or max(1, self.cores // self.slots)

    @property
    def launcher(self) -> Launcher:
        """The slots, started on first use."""
        if self._launcher is None:
            environment = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"} if self.request.offline else {}
            self._launcher = LocalSlots(self.slots, self.threads, environment=environment, log=_log())
        return self._launcher

    @property
    def run_threads(self) -> int:
        """The threads that runs are named after: those of a slot, 0 where runs are on a GPU."""
        return 0 if uses_cuda(self.request.device) else self.threads

    @property
    def knows_device(self) -> bool:
        """True once ``use`` was called."""
        return self._devices > 0

    def use(self, found: Device) -> None:
        """Put the slots on the device that was found; no job may be running."""
        self.device, self._devices, self._memory = found.device, max(1, found.count), found.memory
        if self.device != "cuda":
            return

        if not self.request.slots:
            # one run at a time on each GPU until a measurement says that more pay
            self.slots = min(self.slots, self._devices)
        if isinstance(self._launcher, LocalSlots):
            visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
            names = visible.split(",") if visible else [str(number) for number in range(self._devices)]
            self._launcher.place(self.slots, names if len(names) > 1 else ())

    def is_roomy(self, D: int) -> bool:
        """Return whether the slots' memory needs no probe: the user chose them, there is one for each device, or what
        D weights take, with the program and as much again for activations, is far below what is free."""
        if self.request.slots or self.slots <= self._devices or not self._memory:
            return True
        return 2 * self.slots * (BYTES_PER_WEIGHT * D + PROGRAM) <= self._memory

    def fit(self, peak: int) -> int:
        """Lower the slots to what memory holds if a run takes ``peak`` bytes; return how many there are now."""
        slots = max(1, min(self.slots, int(SHARE * self._memory / max(peak, 1))))
        if slots < self.slots:
            self.slots = slots
            if isinstance(self._launcher, LocalSlots):
                self._launcher.place(slots, self._launcher.devices)
        return self.slots

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
            compile=self.request.compile,
        )

    def close(self, drain: bool) -> None:
        """Stop the slots; ``drain`` lets running jobs end."""
        if self._launcher is not None:
            self._launcher.close(drain)
