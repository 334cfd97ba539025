"""What one sees while cells are measured."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from intdim.cli import view, words
from intdim.drivers.cells import sweep_spec
from intdim.drivers.sweep import run_cells
from intdim.errors import RunFailed
from intdim.launch.jobs import RunProgress
from intdim.measurement.program import Measurement
from tests import cells
from tests.records import verdict


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> view.Screen:
    shown = view.Screen("outputs")
    shown.console.width = 200
    return shown


def rendered(screen: view.Screen) -> str:
    console = Console(width=200, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(screen.table())
    return console.export_text()


def test_the_live_table(world: cells.Simulated, screen: view.Screen, tmp_path: Path) -> None:
    seen: list[str] = []
    refresh = screen.refresh

    def watched() -> None:
        refresh()
        seen.append(rendered(screen))

    screen.refresh = watched
    (found,) = run_cells([cells.cell()], cells.runtime(tmp_path / "out"), screen, world.launcher())
    text = "\n".join(seen)
    for stage in ("baseline", "step lengths", "search", "done"):
        assert stage in text
    assert re.search(r"bar 0\.8\d\d; \d+ < d90 < \d+", text), "the bracket so far"
    assert re.search(r"about \d+ (s|min) to go", text)
    assert "starting" in text
    assert words.verdict_answer(found) in seen[-1]


def test_a_long_grid_leaves_room_for_what_is_under_way(screen: view.Screen) -> None:
    specs = [sweep_spec(cells.cell(seed=seed), cells.prepared()) for seed in range(30)]
    screen.cells(specs, {})
    screen.cell_progress(specs[7], Measurement(specs[7], cells.prepared().facts))
    text = rendered(screen)
    assert "0 of 30 cells are done" in text
    assert "baseline" in text
    assert len(text.splitlines()) < 24


def test_a_run_on_the_way_is_seen(screen: view.Screen) -> None:
    found = cells.prepared()
    spec = Measurement(cells.sweep(), found.facts).full_run(1e-3, 0)
    screen.run_started(spec)
    assert "starting" in rendered(screen)
    screen.run_progress(spec, RunProgress(30, 60, 0.5))
    assert "step 30/60  loss 0.500" in rendered(screen)
    screen.run_failed(spec, "no memory")
    assert "step 30/60" not in rendered(screen)


def test_runs_that_were_removed_are_said_where_a_verdict_is_known(
    screen: view.Screen, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, known = cells.sweep(), verdict()  # on the runs a to d
    for run in "abc":
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "result.json").touch()
    screen.out = str(tmp_path)
    for shown in (view.Lines(str(tmp_path)), screen):
        shown.cells([spec], {spec.sweep_id: known})
        assert "; 1 of its 4 runs were removed" in capsys.readouterr().out
    (tmp_path / "runs" / "d").mkdir()
    (tmp_path / "runs" / "d" / "result.json").touch()
    for shown in (view.Lines(str(tmp_path)), screen):
        shown.cells([spec], {spec.sweep_id: known})
        assert "removed" not in capsys.readouterr().out


def test_plain_lines(world: cells.Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world.fail = {"did"}
    lines = view.Lines(str(tmp_path / "out"))
    with pytest.raises(RunFailed):
        run_cells([cells.cell()], cells.runtime(tmp_path / "out"), lines, world.launcher())
    said = capsys.readouterr().out
    assert "tiny · docstrings-package · did · one_hot · global: to measure" in said
    assert re.search(r"tiny docstrings-package full lr=0.001: eval 0\.\d{4}, train 0\.\d{4} in 1\.0 s", said)
    assert "failed: out of memory, say" in said
    world.fail = set()
    (found,) = run_cells([cells.cell()], cells.runtime(tmp_path / "out"), lines, world.launcher())
    run_cells([cells.cell()], cells.runtime(tmp_path / "out"), lines, world.launcher())
    said = capsys.readouterr().out
    assert f"global: {words.verdict_answer(found)}" in said
    assert f"global: known, {words.verdict_answer(found)}" in said
