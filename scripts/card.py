"""What the benchmarks on a CUDA device share: device times, the machine, and bars that are met or missed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

PACKAGES = ("torch", "triton", "transformers")
CYCLES_PER_SECOND = 2e9  # of a processor on the card, at most: for how long it must sleep
BF16_FLOPS = {"H100": 989e12, "H200": 989e12, "GH200": 989e12, "A100": 312e12}  # dense, by the data sheets
LONG = 5e-3  # seconds; calls that take longer hide their launches themselves


@dataclass(frozen=True)
class Bar:
    """A figure that must not exceed a limit, or (``at_least``) must reach it."""

    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is so."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign, word = (">=" if self.at_least else "<="), ("met" if self.met else "MISSED")
        return f"{word:6s} {self.name}: {self.value:.3f} ({sign} {self.limit:g})"


def show(bars: list[Bar]) -> list[dict[str, Any]]:
    """Print bars; return them for a record."""
    print(f"bars: {sum(bar.met for bar in bars)} of {len(bars)} met")
    for bar in bars:
        print(f"  {bar}")
    return judge(bars)


def judge(bars: list[Bar]) -> list[dict[str, Any]]:
    """Return bars for a record, with whether each is met."""
    return [asdict(bar) | {"met": bar.met} for bar in bars]


def queued(action: Callable[[], object], calls: int = 10, repeats: int = 5) -> float:
    """Return the device's seconds for a call, in a queue of calls that it finds waiting when it begins: the median.

    The card sleeps while the calls are launched, for as long as launching took before.
    """
    for _ in range(2):
        action()
    torch.cuda.synchronize()
    begun = time.perf_counter()
    action()
    launched = time.perf_counter() - begun
    torch.cuda.synchronize()
    if time.perf_counter() - begun > LONG:
        calls, repeats = 2, 2

    taken = []
    for _ in range(repeats):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda._sleep(int(CYCLES_PER_SECOND * min(0.1, 1e-3 + 1.5 * calls * launched)))
        start.record()
        for _ in range(calls):
            action()
        end.record()
        torch.cuda.synchronize()
        taken.append(start.elapsed_time(end) / 1e3 / calls)
    return statistics.median(taken)


def alone(action: Callable[[], object], repeats: int = 7) -> float:
    """Return the seconds from a call to its end on the device, launches and Python included: the median."""
    action()
    torch.cuda.synchronize()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - begun)
        if taken[0] > LONG:
            break
    return statistics.median(taken)


def bf16_flops() -> float | None:
    """Return the operations in a second that the card's data sheet names for bf16; None if it is not in our table."""
    found = [flops for name, flops in BF16_FLOPS.items() if name in torch.cuda.get_device_name()]
    return found[0] if found else None


def driver() -> str:
    """Return the version of the driver, empty if ``nvidia-smi`` is not there."""
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else ""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages on which times depend; empty: not installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    return found


def machine() -> dict[str, Any]:
    """Return the card, its driver and memory, the processor's cores and load, and versions."""
    facts = torch.cuda.get_device_properties(0)
    about: dict[str, Any] = {"card": facts.name, "capability": f"{facts.major}.{facts.minor}"}
    about |= {"card_memory": facts.total_memory, "driver": driver(), "cuda": torch.version.cuda}
    return about | {"cores": os.cpu_count(), "load": os.getloadavg()[0], "versions": versions()}
