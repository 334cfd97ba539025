"""A sweep in processes that can be killed: ``python -m tests.killable drive OUT`` drives it, ``python -m
tests.killable`` is its worker. Runs are simulated, slowly enough to be caught half-way; all else is real."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.errors import IntdimError
from intdim.launch import LocalSlots
from intdim.launch.jobs import RunJob
from intdim.launch.worker import serve
from intdim.ledger.store import Ledger
from intdim.spec import from_dict, to_dict
from tests import cells

STEPS, STEP_SECONDS = 6, float(os.environ.get("STEP_SECONDS", "0.005"))
JOBS = {name: f"tests.killable:{name}" for name in ("run", "prepare", "device")}
WORLD = cells.Simulated()
prepare, device = WORLD.prepare, WORLD.device


def run(payload: dict[str, Any], report: Any) -> dict[str, Any]:
    """Make a run in steps, each of which leaves a line and a checkpoint, as a training does."""
    job = from_dict(RunJob, payload)
    ledger, run_id = Ledger(Path(job.runtime.out)), job.spec.run_id
    folder = ledger.run_folder(run_id)
    with ledger.claim(folder):
        known = ledger.begin(job.spec)
        if known is not None:
            return to_dict(known)
        begun = durable.read_json(folder / "checkpoint.json") or {"step": 0}
        for step in range(begun["step"], STEPS):
            time.sleep(STEP_SECONDS)
            with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step}) + "\n")
            durable.write_json(folder / "checkpoint.json", {"step": step + 1})
            report({"step": step, "steps": STEPS})
        return to_dict(WORLD.make(job.spec, ledger))


def drive(out: Path) -> int:
    """Measure one cell in two slots; return the exit status."""
    from intdim.drivers.sweep import run_cells
    from intdim.ledger import prepared as remembered

    remembered._assets = lambda reference: "fixed"
    launcher = LocalSlots(2, 1, command=[sys.executable, "-m", "tests.killable"])
    try:
        run_cells([cells.cell()], cells.runtime(out, slots=2), launcher=launcher)
    except IntdimError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


def fill_disk(out: Path, results: int) -> None:
    """From now on, refuse files under ``out`` in this process once there are so many results."""
    real = os.fsync

    def full(handle: int) -> None:
        here = Path(f"/proc/self/fd/{handle}").resolve().is_relative_to(out)
        if here and len(list(out.glob("runs/*/result.json"))) >= results:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    os.fsync = full


if __name__ == "__main__":
    if "FULL_AFTER" in os.environ:
        fill_disk(Path(os.environ["FULL_OUT"]), int(os.environ["FULL_AFTER"]))
    if sys.argv[1:2] == ["drive"]:
        sys.exit(drive(Path(sys.argv[2])))
    serve(JOBS)
