"""The command line called in this process: what it prints and its exit status."""

from __future__ import annotations

import contextlib
import functools
import io
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from omegaconf import DictConfig

from intdim.cli import compose
from intdim.cli.main import main
from intdim.config import cell_request
from intdim.request import CellRequest

SHORT = ("train.max_steps=20", "search.d_min=8", "search.d_max=65536", "train.step_length=[1,3,10]")
QUICK = ("search=bisection", "search.seeds=1", "search.max_runs=6")


@dataclass
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str


def call(*arguments: str) -> Outcome:
    """Run ``intdim`` with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(list(arguments))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert isinstance(ended.value.code, int)
    return Outcome(ended.value.code, out.getvalue(), err.getvalue())


def composed(*arguments: str, command: str = "sweep") -> list[DictConfig]:
    """Return the configurations that a command's work would get."""
    made: list[DictConfig] = []

    def keep(cfgs: list[DictConfig]) -> int:
        made.extend(cfgs)
        return 0

    assert compose.cells(command, list(arguments), keep) == 0
    return made


def requests(*arguments: str, command: str = "sweep") -> list[CellRequest]:
    """Return the typed requests of a command line's cells."""
    return [cell_request(cfg) for cfg in composed(*arguments, command=command)]


@functools.cache
def request(*arguments: str) -> CellRequest:
    """Return the typed request of a ``sweep`` with one cell; asked again, it is not composed again."""
    (only,) = requests(*arguments)
    return only


def sweep(*arguments: str) -> Outcome:
    """Run ``intdim sweep`` as simulated runs want it."""
    return call("sweep", *SHORT, "train.learning_rate=[1e-3,3e-3,1e-2]", *arguments)


def refused(arguments: list[str], words: str, folder: Path) -> None:
    """Check that a command is refused with these words in at most three lines, and changes nothing in ``folder``."""
    before = sorted(folder.rglob("*"))
    ended = call(*arguments)
    assert ended.status == 2, ended.err
    assert words in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert sorted(folder.rglob("*")) == before
