"""``intdim report`` of a sweep over simulated runs."""

from __future__ import annotations

from pathlib import Path

from tests import cells
from tests.cli.command import call, sweep


def test_report_reads_what_sweep_wrote(world: cells.Simulated) -> None:
    sweep()
    ended = call("report", "--verbose")
    assert ended.status == 0, ended.err
    page, summary, *printed = ended.out.splitlines()
    files = [Path(line) for line in printed]
    assert all(path.is_file() for path in files)
    assert {"d90.csv", "d90.tex", "points.csv", "runs.csv", "d90.parquet", "index.html"} <= {
        path.name for path in files
    }
    assert page == "outputs/reports/latest/index.html"
    assert summary == f"1 sweep, {len(world.made)} runs, {len(files)} files"
    ended = call("report")
    assert ended.out.splitlines() == [page, f"{summary}; --verbose names them"]
