"""``intdim report`` of a sweep over simulated runs."""

from __future__ import annotations

from pathlib import Path

from tests import cells
from tests.cli.command import call, sweep


def test_report_reads_what_sweep_wrote(world: cells.Simulated) -> None:
    sweep()
    ended = call("report")
    assert ended.status == 0, ended.err
    printed = [Path(line) for line in ended.out.splitlines()]
    assert all(path.is_file() for path in printed)
    assert {"d90.csv", "d90.tex", "points.csv", "runs.csv", "d90.parquet", "index.html"} <= {
        path.name for path in printed
    }
