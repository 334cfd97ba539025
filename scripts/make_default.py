"""Measure the default sweep and keep what the README quotes of it.

    python scripts/make_default.py --out outputs/default

Runs ``intdim sweep`` and ``intdim report`` in a folder that must not hold a sweep yet, and copies into
``scripts/results``: ``default-verdict.json`` and ``default-points.csv`` (the sweep's files as they are),
``default-curve.csv`` and ``default-curve.png`` (the picture and the rows it shows), ``default-machine.json`` (where it
was measured, and how long it took). Then run ``python scripts/make_tables.py``, which writes them into the documents.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from intdim.durable import write_json

RESULTS = Path(__file__).parent / "results"


def intdim(*words: str) -> None:
    """Run a command of intdim; end with its status if it fails."""
    done = subprocess.run([sys.executable, "-m", "intdim", *words], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def keep(out: Path) -> None:
    """Copy the files of the only sweep in ``out`` and of its picture."""
    (sweep,) = (out / "sweeps").iterdir()
    shutil.copyfile(sweep / "verdict.json", RESULTS / "default-verdict.json")
    shutil.copyfile(sweep / "points.csv", RESULTS / "default-points.csv")
    shutil.copyfile(sweep / "curve.png", RESULTS / "default-curve.png")
    (rows,) = (out / "reports" / "default" / "figures").glob("*.csv")
    shutil.copyfile(rows, RESULTS / "default-curve.csv")


def vectors() -> str:
    """Return the widest vector instructions of the processor, which decide how sums are rounded."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return "unknown"
    known = {"avx512f": "AVX-512", "avx2": "AVX2"}
    return next((name for flag, name in known.items() if flag in flags), "unknown")


def main() -> int:
    """Measure, copy, and note the machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("outputs/default"), help="a folder without a sweep")
    options = parser.parse_args()
    if (options.out / "sweeps").exists():
        parser.error(f"{options.out} holds a sweep: its time cannot be measured again")
    begun = time.monotonic()
    intdim("sweep", f"out={options.out}", "offline=true")
    seconds = time.monotonic() - begun
    intdim("report", f"out={options.out}", "name=default")
    keep(options.out)
    facts = {"processor": platform.machine(), "vectors": vectors(), "cores": os.cpu_count()}
    facts |= {"python": platform.python_version(), "wall_seconds": round(seconds, 1)}
    write_json(RESULTS / "default-machine.json", facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
