"""A trajectory: which models are made and measured, what is refused, and that a killed one resumes.

Pre-training itself is played by a few lines of Python, except in the slow test.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from intdim.cli.trajectory import recipe
from intdim.drivers import trajectory
from intdim.drivers.trajectory import TrajectoryRequest, cells_along, made_models, pretrainings
from intdim.errors import Interrupted, RunFailed, UserError
from intdim.launch import Event, LocalSlots
from tests import cells
from tests.cli.command import requests
from tests.drivers.played import Noting, Played, made_in, miniature, real_slots
from tests.ledger.damage import WAYS

ROOT = Path(__file__).parents[2]
LABELS = ("mini-s", "mini-m", "mini-l", "mini-m-untrained")


@pytest.fixture(scope="module")
def mini() -> TrajectoryRequest:
    return miniature()


@pytest.fixture
def played() -> Played:
    return Played()


def test_the_miniature_asks_for_what_the_paper_did(mini: TrajectoryRequest) -> None:
    assert len(mini.sizes) == 3
    assert len(mini.checkpoints) + 1 >= 6
    tasks = {cell.task.reference for cell in requests("experiment=mini")}
    assert len(tasks) >= 2
    assert {cell.task.source for cell in requests("experiment=mini")} == {"builtin"}
    names = [model.name for model in made_models(mini, Path("out"))]
    assert len(set(names)) == len(names) == len(mini.checkpoints) + 4
    assert f"mini-m@{mini.steps}" in names
    assert "mini-m@0" in names, "the untrained weights"


def test_all_sizes_take_the_same_updates_and_the_untrained_model_none(mini: TrajectoryRequest) -> None:
    jobs = pretrainings(mini, recipe(), Path("out"))
    by_name = {Path(job.out).name: job for job in jobs}
    assert set(by_name) == set(LABELS)
    steps = {name: job.config.steps for name, job in by_name.items()}
    assert steps == dict.fromkeys(("mini-s", "mini-m", "mini-l"), mini.steps) | {"mini-m-untrained": 1}
    untrained, trained = by_name["mini-m-untrained"].config, by_name["mini-m"].config
    assert untrained.learning_rate < 1e-20
    own = {"steps": trained.steps, "checkpoint_every": trained.checkpoint_every, "learning_rate": trained.learning_rate}
    assert dataclasses.replace(untrained, **own) == trained
    assert all(step % trained.checkpoint_every == 0 for step in mini.checkpoints)
    assert {(job.store, job.config.threads, job.start) for job in jobs} == {("float16", 1, None)}


def test_cells_take_the_models_of_the_trajectory(mini: TrajectoryRequest, tmp_path: Path, played: Played) -> None:
    folders = made_in(tmp_path, mini, played.launcher())
    assert sorted(folder.name for folder in folders) == sorted(LABELS)
    along = cells_along(mini, [cells.cell(), cells.cell(seed=1)], tmp_path)
    assert len(along) == 2 * len(made_models(mini, tmp_path))
    for cell in along:
        series, _, updates = cell.model.name.partition("@")
        weights = int((Path(cell.model.path) / "model.safetensors").read_text())
        assert weights == (int(updates) or 1), "step 1 of no length is the model before the first"
        assert series in cell.model.path
        assert (cell.model.source, cell.model.reference, cell.model.random_init) == ("local", "", False)
    record = json.loads((tmp_path / "pretrain" / "mini.json").read_text())
    assert len(record["cells"]) == len(made_models(mini, tmp_path))


def test_what_is_there_is_not_made_again(mini: TrajectoryRequest, tmp_path: Path, played: Played) -> None:
    made_in(tmp_path, mini, played.launcher())
    assert len(played.jobs) == len(LABELS)
    made_in(tmp_path, mini, played.launcher())
    assert len(played.jobs) == len(LABELS)


def test_another_trajectory_of_the_name_is_refused(mini: TrajectoryRequest, tmp_path: Path, played: Played) -> None:
    made_in(tmp_path, mini, played.launcher())
    with pytest.raises(UserError, match="holds another trajectory named 'mini'; it differs in steps"):
        made_in(tmp_path, dataclasses.replace(mini, steps=8000), played.launcher())
    (tmp_path / "pretrain" / "mini.json").write_text("{")
    with pytest.raises(UserError, match="holds another trajectory"):
        made_in(tmp_path, mini, played.launcher())


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_checkpoint_without_weights_is_one_clear_error(
    mini: TrajectoryRequest, tmp_path: Path, played: Played, file: str
) -> None:
    made_in(tmp_path, mini, played.launcher())
    (tmp_path / "pretrain" / "mini-m" / f"step-{mini.checkpoints[0]}" / file).unlink()
    with pytest.raises(UserError, match=r"step-\d+ holds no complete model") as raised:
        cells_along(mini, [cells.cell()], tmp_path)
    assert "pretrain/mini-m and repeat the command" in raised.value.parts[2]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_damaged_checkpoint_is_named_and_pre_trained_again(
    mini: TrajectoryRequest, tmp_path: Path, played: Played, file: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged model is another model: its d90 would be another number, under a name of its own."""
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    made_in(tmp_path, mini, played.launcher())
    folder = tmp_path / "pretrain" / "mini-m" / f"step-{mini.checkpoints[0]}"
    before, view = (folder / file).read_bytes(), Noting()
    WAYS[how](folder / file, tmp_path / "pretrain" / "mini-l" / "final" / file)
    if (folder / file).is_file() and (folder / file).read_bytes() == before:
        return  # it says the same
    made_in(tmp_path, mini, played.launcher(), view)
    assert (folder / file).read_bytes() == before
    assert any(str(folder / file) in note for note in view.notes)
    assert [Path(job.out).name for job in played.jobs[len(LABELS) :]] == ["mini-m"]
    assert all(model.complete for model in made_models(mini, tmp_path))


def test_a_damaged_record_of_a_trajectory_is_written_again_if_its_models_say_so(
    mini: TrajectoryRequest, tmp_path: Path, played: Played
) -> None:
    made_in(tmp_path, mini, played.launcher())
    for job in played.jobs:
        config = json.loads(json.dumps(dataclasses.asdict(job.config)))
        (Path(job.out) / "pretrain.json").write_text(json.dumps({"config": config | {"threads": 7}}))
    record = tmp_path / "pretrain" / "mini.json"
    before = record.read_text()
    for damage in ("{", "", before.replace("6000", "6001")):
        record.write_text(damage)
        view = Noting()
        made_in(tmp_path, mini, played.launcher(), view)
        assert record.read_text() == before
        assert any(str(record) in note for note in view.notes)
    with pytest.raises(UserError, match="holds another trajectory named 'mini'; it differs in seed"):
        made_in(tmp_path, dataclasses.replace(mini, seed=8), played.launcher())


def test_progress_is_noted(mini: TrajectoryRequest, tmp_path: Path, played: Played, monkeypatch) -> None:
    monkeypatch.setattr(trajectory, "NOTE_EVERY", 0.0)
    view = Noting()
    made_in(tmp_path, mini, played.launcher(), view)
    assert view.notes[0] == "pre-training mini-l, mini-m, mini-m-untrained, mini-s"
    assert "mini-m at 300 of 6,000, masked-word loss 2.50" in view.notes
    assert "mini-m: pre-trained, 6,000 updates at 6,000 of 6,000, masked-word loss 2.50" in view.notes


def test_what_pretraining_refuses_is_passed_on(mini: TrajectoryRequest, tmp_path: Path, played: Played) -> None:
    played.error = UserError("mini holds another pre-training", "the same", "Choose")
    with pytest.raises(UserError, match=r"pre-training of mini-.: mini holds another pre-training") as raised:
        made_in(tmp_path, mini, played.launcher())
    assert len(str(raised.value).splitlines()) == 3


def test_a_pretraining_that_fails_is_said_to_have(mini: TrajectoryRequest, tmp_path: Path, played: Played) -> None:
    played.error = ZeroDivisionError("division by zero")
    with pytest.raises(RunFailed, match=r"pre-training of mini-. failed: division by zero"):
        made_in(tmp_path, mini, played.launcher())
    played.error = None
    made_in(tmp_path, mini, played.launcher())
    assert all(model.complete for model in made_models(mini, tmp_path)), "the same command resumes"


# -- real workers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def slots(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], LocalSlots]]:
    """Two real workers whose pre-trainings ``die`` or ``sleep``."""
    made: list[LocalSlots] = []
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")

    def start(pretrain: str) -> LocalSlots:
        made.append(real_slots(pretrain))
        return made[-1]

    yield start
    for launcher in made:
        launcher.close(drain=False)


def test_a_pretraining_that_dies_is_begun_again_and_given_up_in_the_end(
    mini: TrajectoryRequest, tmp_path: Path, slots: Callable[[str], LocalSlots]
) -> None:
    view = Noting()
    with pytest.raises(RunFailed, match=r"the worker of the pre-training of mini-. died 3 times \(killed by SIGKILL"):
        made_in(tmp_path, mini, slots("die"), view)
    assert any("died (killed by SIGKILL" in note and "starting it again" in note for note in view.notes)


def test_an_interrupt_stops_the_pretrainings(
    mini: TrajectoryRequest, tmp_path: Path, slots: Callable[[str], LocalSlots]
) -> None:
    launcher = slots("sleep")
    poll = launcher.poll

    def interrupted(timeout: float) -> list[Event]:
        events = poll(timeout)
        if len(list(tmp_path.glob("pretrain/*.pid"))) == 2:
            raise KeyboardInterrupt
        return events

    launcher.poll = interrupted
    with pytest.raises(Interrupted, match="pre-training resumes from its last state"):
        made_in(tmp_path, mini, launcher)
    pids = [int(file.read_text()) for file in tmp_path.glob("pretrain/*.pid")]
    assert len(pids) == 2, "side by side"
    assert not any(alive(pid) for pid in pids)


def test_a_killed_driver_leaves_no_pretraining_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.drivers.played", str(tmp_path)]
    driver = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 60
    try:
        while len(list(tmp_path.glob("pretrain/*.pid"))) < 2:
            assert time.monotonic() < deadline
            assert driver.poll() is None
            time.sleep(0.02)
        pids = [int(file.read_text()) for file in tmp_path.glob("pretrain/*.pid")]
        assert all(alive(pid) for pid in pids)
    finally:
        driver.kill()
        driver.wait()
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_the_whole_miniature_killed_on_the_way(tmp_path: Path) -> None:
    """Pre-training, sweeps and report with a handful of updates, through the command line; killed twice."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    out = tmp_path / "out"
    words = "trajectory.steps=6 trajectory.checkpoints=[2,4] train.max_steps=3 train.step_length=3 search.max_runs=3"
    words += " train.learning_rate=1e-3 task.max_train=100 task.max_eval=60 train.baseline_seeds=1 device=cpu"
    command = [sys.executable, "-m", "intdim", "sweep", "experiment=mini", f"out={out}", *words.split()]
    for wait in (20, 60):
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verdicts = [json.loads(file.read_text()) for file in (out / "sweeps").glob("*/verdict.json")]
    assert len(verdicts) == 12
    assert {verdict["model"] for verdict in verdicts} == {f"mini-m@{k}" for k in (0, 2, 4, 6)} | {
        "mini-s@6",
        "mini-l@6",
    }
    assert all(re.fullmatch(r"mini-[sml]@\d+", verdict["model"]) for verdict in verdicts)
