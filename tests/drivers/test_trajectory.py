"""A trajectory: which models are made and measured, what is refused, and that a killed one goes on.

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
from pathlib import Path

import pytest

from intdim.cli.trajectory import trajectory_request
from intdim.drivers import trajectory
from intdim.drivers.sweep import Silent
from intdim.drivers.trajectory import TrajectoryRequest, cells_along, made_models, pretrain_models, pretrainings
from intdim.errors import Interrupted, RunFailed, UserError
from tests import cells
from tests.cli.command import call, composed, requests

ROOT = Path(__file__).parents[2]
# Writes what a pre-training would: every checkpoint whole, the last one under the name final.
PLAYED = """
import os, pathlib, sys
said = dict(word.split("=", 1) for word in sys.argv[2:])
out, steps, every = pathlib.Path(said["out"]), int(said["steps"]), int(said["checkpoint_every"])
for step in range(every, steps + 1, every):
    folder = out / ("final" if step == steps else f"step-{step}")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text(str(step))
"""


@pytest.fixture(scope="module")
def mini() -> TrajectoryRequest:
    made = {trajectory_request(cfg) for cfg in composed("experiment=mini")}
    (only,) = made
    assert only is not None
    return only


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectory, "CHILD", PLAYED)


def made_in(out: Path, request: TrajectoryRequest) -> None:
    pretrain_models(request, [cells.cell()], cells.runtime(out, slots=2), Silent())


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


def test_without_a_trajectory_nothing_changes() -> None:
    (cfg,) = composed()
    assert trajectory_request(cfg) is None


def test_all_sizes_take_the_same_updates_and_the_untrained_model_none(mini: TrajectoryRequest) -> None:
    by_name = {one.label: one for one in pretrainings(mini, Path("out"))}
    assert set(by_name) == {"mini-s", "mini-m", "mini-l", "mini-m-untrained"}
    steps = {name: one.settings["steps"] for name, one in by_name.items()}
    assert steps == dict.fromkeys(("mini-s", "mini-m", "mini-l"), mini.steps) | {"mini-m-untrained": 1}
    untrained, trained = by_name["mini-m-untrained"].settings, by_name["mini-m"].settings
    assert untrained["learning_rate"] < 1e-20
    same = set(trained) - {"steps", "checkpoint_every", "learning_rate"}
    assert {key: untrained[key] for key in same} == {key: trained[key] for key in same}
    assert all(step % trained["checkpoint_every"] == 0 for step in mini.checkpoints)


def test_cells_take_the_models_of_the_trajectory(mini: TrajectoryRequest, tmp_path: Path, played: None) -> None:
    made_in(tmp_path, mini)
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


def test_what_is_there_is_not_made_again(mini: TrajectoryRequest, tmp_path: Path, played: None, monkeypatch) -> None:
    made_in(tmp_path, mini)
    monkeypatch.setattr(trajectory, "_start", lambda *_: pytest.fail("made again"))
    made_in(tmp_path, mini)


def test_another_trajectory_of_the_name_is_refused(mini: TrajectoryRequest, tmp_path: Path, played: None) -> None:
    made_in(tmp_path, mini)
    with pytest.raises(UserError, match="holds another trajectory named 'mini'; it differs in steps"):
        made_in(tmp_path, dataclasses.replace(mini, steps=8000))
    (tmp_path / "pretrain" / "mini.json").write_text("{")
    with pytest.raises(UserError, match="holds another trajectory"):
        made_in(tmp_path, mini)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_checkpoint_without_weights_is_one_clear_error(
    mini: TrajectoryRequest, tmp_path: Path, played: None, file: str
) -> None:
    made_in(tmp_path, mini)
    (tmp_path / "pretrain" / "mini-m" / f"step-{mini.checkpoints[0]}" / file).unlink()
    made_in(tmp_path, mini)
    with pytest.raises(UserError, match=r"step-\d+ holds no whole model") as raised:
        cells_along(mini, [cells.cell()], tmp_path)
    assert "pretrain/mini-m and give the command again" in raised.value.parts[2]


def test_what_pretraining_refuses_is_passed_on(mini: TrajectoryRequest, tmp_path: Path, monkeypatch) -> None:
    said = "import sys; print('mini holds another pre-training\\nthe same\\nChoose', file=sys.stderr); sys.exit(2)"
    monkeypatch.setattr(trajectory, "CHILD", said)
    with pytest.raises(UserError, match=r"pre-training of mini-.: mini holds another pre-training") as raised:
        made_in(tmp_path, mini)
    assert len(str(raised.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("code", "words"),
    [("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9"), ("1 / 0", "ZeroDivisionError")],
)
def test_a_pretraining_that_dies_is_said_to_have(
    mini: TrajectoryRequest, tmp_path: Path, monkeypatch, code: str, words: str
) -> None:
    monkeypatch.setattr(trajectory, "CHILD", code)
    with pytest.raises(RunFailed, match=words):
        made_in(tmp_path, mini)
    monkeypatch.setattr(trajectory, "CHILD", PLAYED)
    made_in(tmp_path, mini)
    assert all(model.whole for model in made_models(mini, tmp_path)), "the same command goes on"


def test_an_interrupt_stops_the_pretrainings(mini: TrajectoryRequest, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(trajectory, "CHILD", "import time; time.sleep(60)")
    started = []
    start = trajectory._start
    monkeypatch.setattr(trajectory, "_start", lambda *given: started.append(start(*given)) or started[-1])

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trajectory.time, "sleep", stop)
    with pytest.raises(Interrupted):
        made_in(tmp_path, mini)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the parent's death is announced by Linux alone")
def test_a_killed_driver_leaves_no_pretraining_behind(tmp_path: Path) -> None:
    head = trajectory.CHILD.partition("from intdim")[0]
    child = f"{head}\nimport os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    driver = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()"]
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pid = int((tmp_path / "pid").read_text())
    driver.kill()
    driver.wait()
    while os.path.exists(f"/proc/{pid}") and "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trajectory.along=x", "one of trajectory.sizes: s, m, l"),
        ("trajectory.heads=[2]", "1 trajectory.heads for 3 sizes"),
        ("trajectory.heads=[2,4,5]", "hidden_size=128, heads=5"),
        ("trajectory.checkpoints=[5,3]", "rising whole numbers below"),
        ("trajectory.checkpoints=[9000]", "rising whole numbers below"),
        ("trajectory.checkpoints=[2.5]", "are whole numbers"),
        ("trajectory.layers=[1,two,3]", "are whole numbers"),
        ("trajectory.layers=[1,0,3]", "are whole numbers"),
        ("trajectory.hidden_size=[1,inf,3]", "are whole numbers"),
        ("trajectory.sizes=[a,a,b]", "different words"),
        ("trajectory.sizes=[]", "different words"),
        ("trajectory.stepz=3", "did you mean trajectory.steps"),
        ("trajectory.steps=0", "at least 1"),
    ],
)
def test_a_trajectory_that_makes_no_sense_is_refused(tmp_path: Path, override: str, words: str) -> None:
    ended = call("sweep", "experiment=mini", override, f"out={tmp_path / 'out'}")
    assert ended.status == 2
    assert words in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert not (tmp_path / "out").exists()


def test_a_plan_needs_the_models(tmp_path: Path) -> None:
    ended = call("plan", "experiment=mini", f"out={tmp_path / 'out'}")
    assert ended.status == 2
    assert "are not pre-trained" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_command_without_trajectories_says_so() -> None:
    ended = call("train", "experiment=mini")
    assert ended.status == 2
    assert "trajectory" in ended.err


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
