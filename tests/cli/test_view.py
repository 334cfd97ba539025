"""What one sees while cells are measured."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from intdim.cli import view, words
from intdim.drivers.cells import sweep_spec
from intdim.drivers.sweep import run_cells
from intdim.errors import Interrupted, RunFailed
from intdim.launch.jobs import RunProgress
from intdim.measurement.program import Measurement
from intdim.spec import SubspaceSpec
from tests import cells
from tests.records import verdict


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> view.Screen:
    shown = view.Screen("outputs")
    shown.console.width = 200
    return shown


def rendered(screen: view.Screen) -> str:
    console = Console(width=screen.console.width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
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
    assert re.search(r"\d+ < d90 < \d+; bar 0\.8\d\d", text), "the bracket so far"
    assert re.search(r"about \d+ (s|min) to go", text)
    assert "starting" in text
    assert words.verdict_answer(found) in seen[-1]


def test_a_long_grid_leaves_room_for_what_is_under_way(screen: view.Screen) -> None:
    specs = [sweep_spec(cells.cell(seed=seed), cells.prepared()) for seed in range(30)]
    screen.cells(specs, {})
    screen.cell_progress(specs[7], Measurement(specs[7], cells.prepared().facts))
    text = rendered(screen)
    assert "0 of 30 cells done" in text
    assert "and 18 more" in text
    assert "baseline" in text
    assert len(text.splitlines()) < 24


def test_a_known_cell_does_not_say_that_it_has_no_runs(screen: view.Screen) -> None:
    spec = sweep_spec(cells.cell(), cells.prepared())
    screen.cells([spec], {spec.sweep_id: verdict()})
    assert re.search(r"done +– ", rendered(screen))
    assert "0/~" not in rendered(screen)


def test_a_run_on_the_way_is_seen(screen: view.Screen) -> None:
    found = cells.prepared()
    spec = Measurement(cells.sweep(), found.facts).full_run(1e-3, 0)
    screen.run_started(spec)
    assert "starting" in rendered(screen)
    screen.run_progress(spec, RunProgress(30, 60, 0.5))
    assert re.search(r"step 30/60\s+0\.500", rendered(screen))
    assert f"{spec.run_id[:8]}  full lr=0.001  {spec.seed}" in rendered(screen)
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
    ended = r"\] ([0-9a-f]{8}) full lr=0.001 seed \d+: eval 0\.\d{4}, train 0\.\d{4} in 1\.0 s"
    found = re.search(ended, said)
    assert found
    assert f"] {found[1]} full lr=0.001 seed" in said.partition(": begun")[0], "the first runs are said to begin"
    assert "failed: out of memory, say" in said
    world.fail = set()
    (found,) = run_cells([cells.cell()], cells.runtime(tmp_path / "out"), lines, world.launcher())
    run_cells([cells.cell()], cells.runtime(tmp_path / "out"), lines, world.launcher())
    said = capsys.readouterr().out
    assert f"global: {words.verdict_answer(found)}" in said
    assert f"global: known, {words.verdict_answer(found)}" in said


SUBSPACES = tuple(itertools.product(("did", "said"), ("fastfood", "one_hot", "dense"), ("global", "tensor")))


def test_a_grid_of_twelve_cells_fits_eighty_columns(screen: view.Screen) -> None:
    screen.console.width = 80
    task = "a-task-with-a-rather-long-name-of-sixty-letters-and-some-more"
    plain = sweep_spec(cells.cell(), cells.prepared())
    specs = [
        replace(plain, subspace=SubspaceSpec(*where, "layer", ()), task=replace(plain.task, name=task))
        for where in SUBSPACES
    ]
    screen.cells(specs, {})
    measurement = Measurement(specs[3], cells.prepared().facts)
    screen.cell_progress(specs[3], measurement)
    for seed in range(3):
        run = measurement.inside_run(65_536, 0.333, seed)
        screen.run_started(run)
        screen.run_progress(run, RunProgress(100, 600, 0.5))
    lines = rendered(screen).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 24
    for spec in specs:
        where = spec.subspace
        (line,) = [one for one in lines if one.startswith(spec.sweep_id[:8])]
        assert f"{where.method} · {where.projection} · {where.scope}" in line, "each is told from the others"
        assert re.search(r"(waiting|baseline) +0/~\d+", line)
    for run, _, _ in screen.running.values():
        (line,) = [one for one in lines if one.startswith(run.run_id[:8])]
        assert str(run.seed) in line
        assert re.search(r"step 100/600 +0\.500$", line)


def test_the_first_seconds_are_not_empty(screen: view.Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    screen.console.width = 80
    assert "starting a worker, reading models and tasks" in rendered(screen)
    screen.note("preparing tiny on docstrings-package")
    assert "preparing tiny on docstrings-package" in rendered(screen)
    spec = cells.sweep()
    screen.cells([spec], {})
    assert "starting workers" in rendered(screen)
    run = Measurement(spec, cells.prepared().facts).full_run(1e-3, 0)
    screen.run_started(run)
    assert "starting, 0 s" in rendered(screen)
    now = view.time.monotonic()
    monkeypatch.setattr(view.time, "monotonic", lambda: now + 7)
    assert "starting, 7 s" in rendered(screen), "the time goes on while nothing else does"
    assert "7 s so far" in rendered(screen)


@pytest.mark.parametrize("kind", [view.Lines, view.Screen])
def test_an_interrupted_sweep_says_what_it_has(
    world: cells.Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: type[view.Lines]
) -> None:
    world.stop_after = 9
    with pytest.raises(Interrupted), kind(str(tmp_path / "out")) as shown:
        run_cells([cells.cell(), cells.cell(seed=1)], cells.runtime(tmp_path / "out"), shown, world.launcher())
    said = capsys.readouterr().out
    assert re.search(r"interrupted after \d+ s: 0 of 2 cells done, 9 runs ended, \d under way", said)
    (first, _) = shown.specs
    assert re.search(
        rf"^  {first[:8]} seed 0: (baseline|step lengths|search), \d+ of about \d+ runs", said, re.MULTILINE
    )
    capsys.readouterr()
    with pytest.raises(Interrupted), view.Hushed(str(tmp_path / "out")) as hushed:
        run_cells([cells.cell(seed=2)], cells.runtime(tmp_path / "out"), hushed, world.launcher())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", [view.Lines, view.Screen])
def test_an_interrupted_sweep_counts_the_runs_of_an_unfinished_batch(
    world: cells.Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: type[view.Lines]
) -> None:
    for ended in (1, 2):
        world.stop_after = ended
        with pytest.raises(Interrupted), kind(str(tmp_path / "out")) as shown:
            run_cells([cells.cell()], cells.runtime(tmp_path / "out"), shown, world.launcher())
        assert f"baseline, {ended} of about " in capsys.readouterr().out, "found ones too"


def test_lines_fold_between_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    view.Lines("out").say("  a warning: " + "words of six " * 12)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith("  a warning")
    assert all(line.startswith("    ") for line in lines[1:])
