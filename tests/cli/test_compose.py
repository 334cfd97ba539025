"""Hydra behind the command word: flags, a folder of one's own, grids, launchers."""

from __future__ import annotations

import pickle
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from intdim.cli import search_path
from intdim.cli.overrides import split
from intdim.drivers.sweep import run_cells
from tests import cells
from tests.cli.command import QUICK, request, requests, sweep


def test_flags_stand_anywhere() -> None:
    assert split(["a=1", "-m", "b=2", "--config-dir", "x", "-cd=y", "--info", "plugins", "c=3"]) == (
        ["-m", "--config-dir", "x", "-cd=y", "--info", "plugins"],
        ["a=1", "b=2", "c=3"],
    )
    first = requests("projection=one_hot", "-m", "subspace=did,said")
    assert first == requests("-m", "projection=one_hot", "subspace=did,said")
    assert len(first) == 2


def test_a_users_own_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# @package _global_\nsearch:\n  d_min: 77\n"
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    (tmp_path / "experiment" / "smoke.yaml").write_text(text)
    (given,) = requests("--config-dir", str(tmp_path), "experiment=mine")
    assert given.search.d_min == 77
    monkeypatch.setenv("INTDIM_CONFIG_PATH", str(tmp_path))
    (named,) = requests("experiment=smoke")
    assert named.search.d_min == 77
    assert named.train.max_steps == request().train.max_steps, "their smoke, not ours"


def test_a_grid_is_measured_together(world: cells.Simulated, undrawn: None, monkeypatch: pytest.MonkeyPatch) -> None:
    together = []

    def counted(asked: list, *others: Any) -> list:
        together.append(len(asked))
        return run_cells(asked, *others)

    monkeypatch.setattr("intdim.drivers.sweep.run_cells", counted)
    ended = sweep(*QUICK, "-m", "projection=fastfood,one_hot", "subspace=did,said")
    assert ended.status == 0, ended.err
    assert together == [4]
    assert len(list(Path("outputs/sweeps").iterdir())) == 4
    full = {spec.run_id for spec in world.made if spec.subspace.method == "full"}
    assert sum(spec.subspace.method == "full" for spec in world.made) == len(full), "one baseline for all"


def test_hydra_leaves_nothing(world: cells.Simulated, undrawn: None) -> None:
    before = {path for path in Path("/tmp").glob("*") if path.name in ("multirun.yaml", ".hydra", "multirun")}
    sweep(*QUICK, "-m", "seed=0,1")
    assert {path.name for path in Path().iterdir()} <= {"outputs", "cache"}
    assert {path for path in Path("/tmp").glob("*") if path.name in ("multirun.yaml", ".hydra", "multirun")} == before
    assert {path.name for path in Path("outputs").iterdir()} == {"intdim.json", "commands", "runs", "sweeps"}


class Elsewhere(Launcher):
    """A launcher that is not Hydra's own: each cell is worked on by itself."""

    __module__ = "hydra_plugins.elsewhere"  # Hydra takes plugins from that package alone

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Any, initial_job_idx: int) -> list[JobReturn]:
        setup_globals()
        returns = []
        for number, overrides in enumerate(job_overrides):
            loaded = self.context.config_loader.load_sweep_config(self.config, list(overrides))
            with open_dict(loaded):
                loaded.hydra.job.id = loaded.hydra.job.num = initial_job_idx + number
            returns.append(
                run_job(
                    hydra_context=self.context,
                    task_function=self.task,
                    config=loaded,
                    job_dir_key="hydra.sweep.dir",
                    job_subdir_key="hydra.sweep.subdir",
                )
            )
        return returns


def test_another_launcher_gets_whole_cells(
    world: cells.Simulated, undrawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, module = types.ModuleType("hydra_plugins"), types.ModuleType("hydra_plugins.elsewhere")
    package.__path__ = []
    setattr(package, "elsewhere", module)  # noqa: B010
    setattr(module, "Elsewhere", Elsewhere)  # noqa: B010
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    Plugins.instance().register(Elsewhere)
    node = {"_target_": f"{Elsewhere.__module__}.{Elsewhere.__qualname__}"}
    ConfigStore.instance().store(group="hydra/launcher", name="elsewhere", node=node)
    together = []

    def counted(asked: list, *others: Any) -> list:
        together.append(len(asked))
        return run_cells(asked, *others)

    monkeypatch.setattr("intdim.drivers.sweep.run_cells", counted)
    ended = sweep(*QUICK, "-m", "hydra/launcher=elsewhere", "seed=0,1", "out=there")
    assert ended.status == 0, ended.err
    assert together == [1, 1]
    assert len(list(Path("there/sweeps").iterdir())) == 2
    assert (Path("there") / "launcher").is_dir(), "what such a launcher keeps lies beside the results"


def test_the_job_of_a_launcher_can_take_over_what_hydra_knows(tmp_path: Path) -> None:
    # submitit sends Hydra's singletons to its jobs, where the plugins register their sources once more
    with search_path.registered():
        state = pickle.dumps({"instances": Singleton.get_state()["instances"], "omegaconf_resolvers": {}})
    (tmp_path / "state").write_bytes(state)
    script = (
        "import pathlib, pickle, sys; from hydra.core.singleton import Singleton\n"
        "Singleton.set_state(pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()))\n"
        "from hydra._internal.sources_registry import SourcesRegistry\n"
        "print(SourcesRegistry.instance().resolve('file').__qualname__)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "state")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "CheckedFolder", "files are checked in the job too"
