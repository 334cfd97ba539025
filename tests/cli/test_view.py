"""What one sees while cells are measured, and what is printed as a number."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from intdim.cli import view
from intdim.drivers.sweep import run_cells, sweep_spec
from intdim.measurement.program import Measurement
from intdim.search import make_search
from tests import cells


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
    event = screen.event

    def watched(kind: str, **facts: Any) -> None:
        event(kind, **facts)
        seen.append(rendered(screen))

    screen.event = watched
    (verdict,) = run_cells([cells.cell()], cells.runtime(tmp_path / "out"), screen, world.launcher())
    text = "\n".join(seen)
    for stage in ("baseline", "step lengths", "search", "done"):
        assert stage in text
    assert re.search(r"bar 0\.8\d\d; \d+ < d90 < \d+", text), "the bracket so far"
    assert re.search(r"about \d+ (s|min) to go", text)
    assert "starting" in text
    assert view.answer(verdict) in seen[-1]


def test_a_long_grid_leaves_room_for_what_is_under_way(screen: view.Screen) -> None:
    specs = [sweep_spec(cells.cell(seed=seed), cells.prepared()) for seed in range(30)]
    screen.event("cells", specs=specs, known={})
    screen.event("progress", cell=specs[7], measurement=Measurement(specs[7], cells.prepared().facts), waiting=3)
    text = rendered(screen)
    assert "0 of 30 cells are done" in text
    assert "baseline" in text
    assert len(text.splitlines()) < 24


def test_a_run_on_the_way_is_seen(screen: view.Screen) -> None:
    found = cells.prepared()
    spec = Measurement(sweep_spec(cells.cell(), found), found.facts).full_run(1e-3, 0)
    screen.event("run_started", key="a", spec=spec)
    assert "starting" in rendered(screen)
    screen.event("run_progress", key="a", spec=spec, step=30, steps=60, loss=0.5)
    assert "step 30/60  loss 0.500" in rendered(screen)
    screen.event("run_failed", key="a", spec=spec, message="no memory")
    assert "step 30/60" not in rendered(screen)


@pytest.mark.parametrize(
    ("level", "shown"), [(lambda d: 0.9, "≤ 8 below_range"), (lambda d: 0.5, "> 65,536 above_range")]
)
def test_only_a_measured_answer_is_printed_as_a_number(level, shown: str) -> None:
    search = make_search("bisection", d_min=8, d_max=65536, threshold=0.81, baseline=0.9, chance=0.5, seeds=1)
    while asked := search.ask():
        for d in asked:
            search.tell(d, level(d))
    found = search.verdict()
    verdict = {"status": found.status, "d90": None, "d90_low": None, "d90_high": None, "d_min": 8, "d_max": 65536}
    assert view.answer(verdict) == shown


def test_durations() -> None:
    assert [view.duration(seconds) for seconds in (3, 600, 7200)] == ["3 s", "10 min", "2.0 h"]
