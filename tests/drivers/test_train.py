"""A single run, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.drivers.train import train_one
from intdim.errors import Interrupted, RunFailed, UserError
from tests import cells


def test_one_run_and_the_same_run_again(out: Path) -> None:
    world = cells.Simulated()
    settings = (cells.cell(), 1000, 3.0, 1e-3, cells.runtime(out))
    result = train_one(*settings, launcher=world.launcher())
    assert result.d == 1000
    assert train_one(*settings, launcher=world.launcher()) == result
    assert len(world.made) == 1
    with pytest.raises(UserError, match="does not fit"):
        train_one(cells.cell(), 2_000_000, 3.0, 1e-3, cells.runtime(out), launcher=world.launcher())


def test_a_run_that_breaks_says_why(out: Path) -> None:
    world = cells.Simulated()
    world.fail = {"did"}
    with pytest.raises(RunFailed, match="out of memory"):
        train_one(cells.cell(), 1000, 3.0, 1e-3, cells.runtime(out), launcher=world.launcher())


def test_an_interrupt_says_that_the_run_resumes(out: Path) -> None:
    world = cells.Simulated()
    world.stop_after = 0
    with pytest.raises(Interrupted, match="resumes from its checkpoint"):
        train_one(cells.cell(), 1000, 3.0, 1e-3, cells.runtime(out), launcher=world.launcher())
