"""What a worker says of its machine: versions, device, memory; and the job that answers what device there is."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import resource
import time
from pathlib import Path
from typing import Any

import torch

from intdim.errors import UserError
from intdim.kernels import native
from intdim.launch.base import Report
from intdim.launch.jobs import Device, DeviceJob
from intdim.ledger.origin import own_version
from intdim.spec import Runtime, from_dict, to_dict

PACKAGES = ("torch", "transformers", "datasets", "tokenizers", "numpy", "scipy", "scikit-learn", "safetensors")


def versions() -> dict[str, str]:
    """Return the versions that a number may depend on."""
    found = {"python": platform.python_version(), "intdim": own_version()}
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def environment(runtime: Runtime) -> dict[str, Any]:
    """Return the content of environment.json: machine, device, versions and the ``Runtime``."""
    device = torch.cuda.get_device_name() if runtime.device == "cuda" else platform.processor() or platform.machine()
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "device": device,
        "threads": torch.get_num_threads(),
        "products": native.reason(),
        "cores": os.cpu_count(),
        "versions": versions(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "runtime": to_dict(runtime),
    }


class PeakMemory:
    """Bytes at the peak: the device's allocator on CUDA, the process's resident set on a CPU (reset where the
    kernel allows it, so that a long-lived worker reports each run for itself)."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            with contextlib.suppress(OSError):  # elsewhere the peak is that of the whole process
                Path("/proc/self/clear_refs").write_text("5")

    def read(self) -> int:
        """Return the peak since construction, in bytes."""
        if self.cuda:
            return torch.cuda.max_memory_allocated()
        try:
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            pass
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def use_threads(runtime: Runtime, wanted: int = 0) -> None:
    """Give torch as many threads as a run is named after (``wanted``), or else the slot's share of the cores."""
    threads = wanted or runtime.threads
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def device_job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """The job ``device``: payload a ``DeviceJob``, answer a ``Device``.

    Raises:
        UserError: ``cuda`` was asked for and there is none.
    """
    asked = from_dict(DeviceJob, payload).device
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "cuda" and not count:
        built = "built without CUDA" if torch.version.cuda is None else f"built for CUDA {torch.version.cuda}"
        raise UserError(
            f"device=cuda, but torch {torch.__version__} ({built}) sees no CUDA device",
            "device=auto or device=cpu",
            "Use device=cpu, or install a driver and a CUDA build of torch.",
        )

    if count and asked in ("auto", "cuda"):
        return to_dict(Device("cuda", count, min(torch.cuda.mem_get_info(k)[0] for k in range(count))))
    return to_dict(Device("cpu", 0, free_memory()))


def free_memory(system: Path = Path("/")) -> int:
    """Return the bytes that new processes can have (Linux: ``MemAvailable``, and what the control group leaves)."""
    free = []
    try:
        for line in (system / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free.append(int(line.split()[1]) * 1024)
    except OSError:
        return 0

    group = system / "sys/fs/cgroup"
    with contextlib.suppress(OSError, ValueError):  # no control group, or "max"
        used = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        kept = int((group / "memory.current").read_text()) - int(used.get("inactive_file", 0))  # files can go
        free.append(int((group / "memory.max").read_text()) - kept)
    return max(0, min(free, default=0))
