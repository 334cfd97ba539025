"""A command says that it is there, how far it is and how it ended; what it cannot say stops nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from intdim.drivers.presence import present
from intdim.drivers.sweep import run_cells
from intdim.drivers.train import train_one
from intdim.drivers.view import Silent
from intdim.errors import Interrupted, RunFailed
from intdim.ledger import commands
from intdim.ledger.commands import Command, life, read_all
from intdim.ledger.origin import typed
from intdim.ledger.overview import overview
from intdim.ledger.store import Ledger
from intdim.spec import SubspaceSpec
from tests import cells, small_ledger

ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from pathlib import Path
from intdim.drivers.presence import present
from intdim.drivers.view import Silent
from intdim.ledger.store import Ledger
from intdim.spec import RunSpec
from tests.small_ledger import spec_of
cell = spec_of()
view, _ = present(Silent(), Ledger(Path(sys.argv[1])))
view.run_started(RunSpec(cell.model, cell.task, cell.subspace, cell.train, 16, 3.0, 0.0, 0))
os.kill(os.getpid(), signal.SIGKILL)
"""


def only(out: Path) -> Command:
    found, damaged = read_all(out)
    assert not damaged
    ((command, _),) = found
    return command


def sweep(out: Path, world: cells.Simulated, *asked: object) -> None:
    with typed(["intdim", "sweep", "seed=0"]):
        run_cells(list(asked) or [cells.cell()], cells.runtime(out), launcher=world.launcher())  # type: ignore[arg-type]


def test_a_sweep_leaves_what_was_typed_and_how_it_ended(out: Path) -> None:
    world = cells.Simulated()
    sweep(out, world)
    command = only(out)
    (progress,) = command.sweeps.values()
    assert (command.state, command.message, command.running) == ("finished", "", ())
    assert command.origin.words == ("intdim", "sweep", "seed=0")
    assert command.runs == tuple(spec.run_id for spec in world.made)
    assert (command.measured, command.seconds) == (len(world.made), pytest.approx(len(world.made)))
    assert (progress.state, progress.done) == ("finished", len(world.made))
    sweep(out, cells.Simulated())
    assert only(out) == command, "a command that found everything leaves nothing"


def test_interrupted_it_is_stopped_with_what_it_had(out: Path) -> None:
    world = cells.Simulated()
    world.stop_after = 7
    with pytest.raises(Interrupted):
        sweep(out, world)
    (line,) = overview(out).sweeps
    assert (line.state, line.verdict) == ("stopped", None)
    assert line.progress is not None
    assert (line.progress.done, line.progress.expected > 7) == (7, True)
    assert line.drivers[0].life == commands.Life("stopped")


def test_the_cell_that_failed_says_why_and_the_other_is_finished(out: Path) -> None:
    world = cells.Simulated()
    world.fail = {"said"}
    with pytest.raises(RunFailed):
        sweep(out, world, cells.cell(subspace=SubspaceSpec("said", "one_hot", "global", "layer", ())), cells.cell())
    states = {line.progress.method: line for line in overview(out).sweeps if line.progress}
    assert (states["said"].state, states["did"].state) == ("failed", "finished")
    assert "out of memory, say" in states["said"].progress.message  # type: ignore[union-attr]


def test_runs_that_were_there_are_noted_for_as_long_as_they_are_needed(out: Path) -> None:
    train_one(cells.cell(), 100, 3.0, 0.0, cells.runtime(out), launcher=cells.Simulated().launcher())
    world = cells.Simulated()
    world.stop_after = 4
    with pytest.raises(Interrupted):
        sweep(out, world)
    sweep(out, world := cells.Simulated())
    found = [command for command, _ in read_all(out)[0]]
    assert [len(command.found) for command in found] == [0, 0, 4]
    assert set(found[2].found) == set(found[1].runs[:4])


def test_a_single_run_is_noted(out: Path) -> None:
    train_one(cells.cell(), 100, 3.0, 0.0, cells.runtime(out), launcher=cells.Simulated().launcher())
    command = only(out)
    assert command.sweeps == {}
    assert len(command.runs) == 1
    assert command.state == "finished"


def test_a_killed_command_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    line = [sys.executable, "-c", KILLED, str(tmp_path)]
    ended = subprocess.run(line, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    command = only(tmp_path)
    assert (command.ended, command.state) == (None, "running"), "it could not say that it ended"
    assert life(command, time.time()).state == "stopped"


def test_it_gives_signs_of_life_while_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "BEAT_SECONDS", 0.01)
    cell = small_ledger.spec_of()
    view, presence = present(Silent(), Ledger(tmp_path))
    view.cells([cell], {})
    presence._sweep(cell.sweep_id, stage="search")
    (file,) = (tmp_path / "commands").glob("*.json")
    first, patience = file.stat().st_mtime_ns, time.monotonic() + 10
    while file.stat().st_mtime_ns == first:
        assert time.monotonic() < patience
        time.sleep(0.01)
    presence.over(None)
    assert only(tmp_path).state == "finished"


def test_a_record_that_cannot_be_written_stops_nothing(out: Path) -> None:
    out.mkdir()
    (out / "commands").write_text("in the way")
    world = cells.Simulated()
    sweep(out, world)
    (line,) = overview(out).sweeps
    assert line.state == "finished"
    assert (out / "commands").read_text() == "in the way"
