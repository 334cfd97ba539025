"""``intdim report`` of a sweep over simulated runs."""

from __future__ import annotations

from pathlib import Path

from tests import cells
from tests.cli.command import call, refused, sweep


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


def test_a_report_for_a_paper(world: cells.Simulated) -> None:
    sweep()
    ended = call("report", "style=paper", "name=paper")
    assert ended.status == 0, ended.err
    figures = Path("outputs/reports/paper/figures")
    (narrow,) = figures.glob("*-narrow.pdf")
    assert b"STIXGeneral" in narrow.read_bytes()
    assert r"\caption{" in Path("outputs/reports/paper/d90.tex").read_text()


def test_a_style_that_is_none_is_refused(world: cells.Simulated) -> None:
    sweep()
    refused(["report", "style=papers"], "did you mean 'paper'? Known: paper, screen", Path("outputs"))
