"""A worker whose pre-trainings ``die`` or ``sleep``: ``python -m tests.drivers.endless_worker sleep``."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from intdim.launch.base import Report
from intdim.launch.jobs import Device, PretrainJob
from intdim.launch.worker import serve
from intdim.spec import from_dict, to_dict


def device(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    return to_dict(Device("cpu", 0, 0))


def die(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def sleep(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """Say who sleeps, in a file beside the folder that is to be made."""
    folder = Path(from_dict(PretrainJob, payload).out)
    partial = folder.with_suffix(".partial")
    partial.write_text(str(os.getpid()))
    partial.rename(folder.with_suffix(".pid"))
    time.sleep(300)
    raise AssertionError


if __name__ == "__main__":
    name = "tests.drivers.endless_worker"
    serve({"device": f"{name}:device", "pretrain": f"{name}:{sys.argv[1]}"})
