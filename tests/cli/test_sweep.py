"""``intdim sweep`` over simulated runs: what it prints, and that it resumes."""

from __future__ import annotations

import re
from pathlib import Path

from tests import cells
from tests.cli.command import sweep


def test_sweep_prints_a_verdict_and_where_it_is(world: cells.Simulated) -> None:
    ended = sweep("out=results")
    assert ended.status == 0, ended.err
    (folder,) = Path("results/sweeps").iterdir()
    assert {"verdict.json", "points.csv", "curve.png", "curve.pdf"} <= {file.name for file in folder.iterdir()}
    assert str(folder.absolute()) in ended.out
    assert re.search(r"\d+ \[\d+, \d+\]", ended.out), "d90 with its interval"
    assert "by the above_chance threshold" in ended.out
    assert ended.out.count(" in 1.0 s") == len(world.made), "one line for each run"


def test_the_same_sweep_again_runs_nothing(world: cells.Simulated) -> None:
    first = sweep()
    made = len(world.made)
    again = sweep()
    assert len(world.made) == made
    assert "known" in again.out
    assert again.out.splitlines()[-3:] == first.out.splitlines()[-3:]


def test_interrupted_and_gone_on_with(world: cells.Simulated) -> None:
    world.stop_after = 6
    assert sweep().status == 130
    world.stop_after = None
    assert sweep().status == 0
    assert len({spec.run_id for spec in world.made}) == len(world.made)


def test_a_cell_that_fails_is_status_1(world: cells.Simulated) -> None:
    world.fail = {"did"}
    ended = sweep()
    assert ended.status == 1
    assert "out of memory" in ended.err
