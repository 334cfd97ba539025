"""A worker whose jobs are the ones below; started as ``python -m tests.launch.fake_worker``."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from intdim.errors import UserError
from intdim.launch.worker import serve

Payload = dict[str, Any]
Report = Callable[[dict[str, Any]], None]
NAMES = (
    "echo",
    "count",
    "misspelt",
    "doubtful",
    "broken",
    "unwritable",
    "chatty",
    "nap",
    "die",
    "crash",
    "leave",
    "orphan",
    "facts",
)
JOBS = {name: f"tests.launch.fake_worker:{name}" for name in NAMES}


def echo(payload: Payload, report: Report) -> Payload:
    return payload


def count(payload: Payload, report: Report) -> Payload:
    for number in range(payload["to"]):
        report({"number": number})
    return {"sum": sum(range(payload["to"]))}


def misspelt(payload: Payload, report: Report) -> Payload:
    raise UserError("d=9 exceeds D=4", "1 <= d <= 4", "Lower d.")


def doubtful(payload: Payload, report: Report) -> Payload:
    logging.getLogger("intdim.kernels.compiler").warning("no %s", "compiler")
    logging.getLogger("intdim.models.load").warning("not of this machine")
    return {}


def broken(payload: Payload, report: Report) -> Payload:
    raise ArithmeticError("the sky fell")


def unwritable(payload: Payload, report: Report) -> Payload:
    return {"answer": {1, 2}}  # a set is not JSON


def chatty(payload: Payload, report: Report) -> Payload:
    line = '{"kind": "done", "key": "other", "data": {}}'
    print(line, flush=True)
    os.write(1, b"\xff\x00 not text\n")
    os.write(2, line.encode() + b"\n")
    subprocess.run(["echo", line], check=True)
    return {"read": sys.stdin.read()}


def nap(payload: Payload, report: Report) -> Payload:
    Path(payload["mark"]).write_text(str(os.getpid()))
    time.sleep(payload["seconds"])
    return {}


def die(payload: Payload, report: Report) -> Payload:
    """Die by SIGKILL the first time, answer the second time (``mark`` remembers)."""
    mark = Path(payload["mark"])
    if mark.exists():
        return {"survived": True}
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def crash(payload: Payload, report: Report) -> Payload:
    print("about to crash", flush=True)
    os.abort()


def leave(payload: Payload, report: Report) -> Payload:
    print("no space left in this town", flush=True)
    sys.exit(7)


def orphan(payload: Payload, report: Report) -> Payload:
    """Fork a child that keeps every pipe open, then die."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    Path(payload["mark"]).write_text(str(child))
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def facts(payload: Payload, report: Report) -> Payload:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM", "CUDA_VISIBLE_DEVICES", "MINE")
    flags = {"optimised": sys.flags.optimize}
    return {"pid": os.getpid(), "session": os.getsid(0)} | flags | {name: os.environ.get(name) for name in names}


if __name__ == "__main__":
    serve(JOBS)
