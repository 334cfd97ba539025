"""Everything with a CUDA device, in some minutes: the ``gpu`` tests, the benchmarks, a real sweep.

    python scripts/gpu.py
    python scripts/gpu.py --parts products,steps --stretch 2

The parts run one after the other, each with a limit of its own (``--stretch`` multiplies them); one that fails or runs
out of time does not stop the others. At the end each has a line: how it ended, its seconds, and how many of its bars
were met. The exit status is 0 if every part did its work; a bar that is missed is a result. Needs no virtual
environment and no installation: children find the package in this checkout, in whatever Python runs this file. Each
part writes its own record into the folder of ``--results``, and this script gpu.json with card, driver, versions and
the lines.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
GRACE = 5.0  # seconds between asking a part to end and killing it
SLOTS = "1,2,4,8"
SWEEP_SLOTS = 8
SWEEP = ("model=tiny", "task=docstrings-kind", "device=cuda", "offline=true", f"launch.slots={SWEEP_SLOTS}")
FACTS = """
import json, torch
assert torch.cuda.is_available(), "torch sees no CUDA device"
import card
print(json.dumps(card.machine()))
"""


@dataclass
class Line:
    """How a part ended: ``status`` is ``passed``, ``failed`` or ``out of time``."""

    part: str
    status: str
    seconds: float
    bars: int = 0
    bars_met: int = 0

    def __str__(self) -> str:
        bars = f", {self.bars_met} of {self.bars} bars met" if self.bars else ""
        return f"{self.part:10s} {self.status:12s} {self.seconds:6.1f} s{bars}"


def environment() -> dict[str, str]:
    """Return the variables of the parts: the package is that of this checkout."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}


def machine() -> dict[str, Any] | None:
    """Return card, driver and versions, from a process that leaves nothing on the card; None, and why, without one."""
    command = [sys.executable, "-c", FACTS]
    found = subprocess.run(command, cwd=SCRIPTS, env=environment(), capture_output=True, text=True, check=False)
    if found.returncode:
        print(found.stderr.strip().splitlines()[-1], file=sys.stderr)
        return None
    return json.loads(found.stdout.splitlines()[-1])


def tests() -> list[str]:
    """Return the command of the ``gpu`` tests, side by side where pytest-xdist is installed."""
    files = [str(file) for file in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.gpu" in file.read_text("utf-8")]
    side_by_side = ["-n", str(min(12, os.cpu_count() or 1))] if importlib.util.find_spec("xdist") else []
    return [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", *side_by_side, *files]


def script(name: str, *words: str) -> list[str]:
    """Return the command of a script."""
    return [sys.executable, str(SCRIPTS / name), *words]


def run(command: list[str], limit: float) -> str:
    """Run a command in a process group of its own; return how it ended."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), start_new_session=True)
    try:
        return "failed" if process.wait(limit) else "passed"
    except subprocess.TimeoutExpired:
        return "out of time"
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a process group."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(GRACE)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def sweep(results: Path, limit: float) -> str:
    """Make a real sweep of the built-in model; keep what its verdict says, or how far it came."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        status = run([sys.executable, "-m", "intdim", "sweep", *SWEEP, f"out={folder}"], limit)
        seconds = time.monotonic() - begun
        runs = len(list(Path(folder).glob("runs/*/result.json")))
        record: dict[str, Any] = {"command": f"intdim sweep {' '.join(SWEEP)}", "slots": SWEEP_SLOTS}
        record |= {"ended": status, "seconds": seconds, "finished_runs": runs}
        for file in Path(folder).glob("sweeps/*/verdict.json"):
            verdict = json.loads(file.read_text(encoding="utf-8"))
            kept = ("status", "d90", "d90_low", "d90_high", "baseline_mean", "threshold", "D", "runs", "message")
            record |= {name: verdict[name] for name in kept}
    (results / "gpu-sweep.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return status


def parts(results: Path) -> dict[str, tuple[float, Callable[[float], str]]]:
    """Return for each part its limit in seconds, and what runs it within a limit."""

    def commanded(command: list[str]) -> Callable[[float], str]:
        return lambda limit: run(command, limit)

    def record(name: str) -> str:
        return str(results / f"gpu-{name}.json")

    slots = ["--slots", SLOTS, "--runs", "8", "--rounds", "1", "--results", record("slots"), "device=cuda"]
    return {
        "tests": (120.0, commanded(tests())),
        "products": (120.0, commanded(script("bench_gpu_products.py", "--out", record("products")))),
        "steps": (120.0, commanded(script("bench_gpu_steps.py", "--out", record("steps")))),
        "slots": (60.0, commanded(script("bench_slots.py", *slots))),
        "sweep": (90.0, lambda limit: sweep(results, limit)),
    }


def bars_of(file: Path, since: float) -> list[dict[str, Any]]:
    """Return the bars in a record that was written since a time."""
    if not file.exists() or file.stat().st_mtime < since:
        return []
    return json.loads(file.read_text(encoding="utf-8")).get("bars", [])


def main() -> int:
    """Run the parts; print and write their lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="tests,products,steps,slots,sweep", help="with commas")
    parser.add_argument("--stretch", type=float, default=1.0, help="multiplies the limits")
    parser.add_argument("--results", type=Path, default=SCRIPTS / "results", help="the folder of the records")
    options = parser.parse_args()

    results = options.results.resolve()
    results.mkdir(parents=True, exist_ok=True)
    known = parts(results)
    chosen = options.parts.split(",")
    if not set(chosen) <= set(known):
        parser.error(f"--parts={options.parts}: known are {', '.join(known)}")
    facts = machine()
    if facts is None:
        return 1
    print(f"{facts['card']}, driver {facts['driver'] or 'unknown'}, {facts['versions']}", flush=True)

    lines: list[Line] = []
    for name in chosen:
        limit, action = known[name]
        print(f"\n== {name}, at most {limit * options.stretch:.0f} s", flush=True)
        wall, begun = time.time(), time.monotonic()
        status = action(limit * options.stretch)
        bars = bars_of(results / f"gpu-{name}.json", wall)
        met = sum(bar["met"] for bar in bars)
        lines.append(Line(name, status, round(time.monotonic() - begun, 1), len(bars), met))
        record = {"machine": facts, "parts": [asdict(line) for line in lines]}
        (results / "gpu.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    print("\n" + "\n".join(str(line) for line in lines))
    return any(line.status != "passed" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
