"""``intdim plan`` over simulated runs."""

from __future__ import annotations

from pathlib import Path

from intdim.launch.jobs import RunCost
from tests import cells
from tests.cli.command import SHORT, call


def test_plan_writes_nothing(world: cells.Simulated) -> None:
    world.cost = RunCost(0.1, 1.0, 2, 0.5, 60, 10)
    ended = call("plan", *SHORT)
    assert ended.status == 0, ended.err
    for words in ("1,000,000", "13 baseline", "at most 24", "d from 8 to 65,536", "1 of 1 cells to measure"):
        assert words in ended.out
    assert not Path("outputs").exists()
