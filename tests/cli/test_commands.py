"""Each command, thin over its room: simulated runs behind the real driver, real output, real exit statuses."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from intdim import __version__
from intdim.cli import main as command_line
from intdim.cli.overrides import split
from intdim.cli.slots import make_launcher
from intdim.config import runtime_request
from intdim.drivers.sweep import run_cells
from intdim.errors import Interrupted, RunFailed
from intdim.ledger import prepared as remembered
from tests import cells
from tests.cli.command import call, composed, request, requests

ROOT = Path(__file__).parents[2]
SHORT = ("train.max_steps=20", "search.d_min=8", "search.d_max=65536", "train.step_length=[1,3,10]")
QUICK = ("search=bisection", "search.seeds=1", "search.max_runs=6")
RATES = "train.learning_rate=[1e-3,3e-3,1e-2]"


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the curves out where nobody looks at them."""
    monkeypatch.setattr("intdim.report.write_curve", lambda out, sweep_id: [])


def sweep(*arguments: str):
    return call("sweep", *SHORT, RATES, *arguments)


# -- the command word --------------------------------------------------------------------------------------------------


def test_the_commands_are_these() -> None:
    words = "sweep train report plan fetch doctor bound export pretrain"
    assert " ".join(command_line.COMMANDS) == words
    for name in command_line.COMMANDS:
        assert (ROOT / "intdim" / "cli" / f"{name}.py").exists()
        assert (ROOT / "conf" / f"{name}.yaml").exists()


def test_help_and_version() -> None:
    for word in ("--help", "-h"):
        ended = call(word)
        assert ended.status == 0
        assert all(f"\n  {name} " in ended.out for name in command_line.COMMANDS)
    assert (call("--version").status, call("--version").out) == (0, f"intdim {__version__}\n")
    bare = call()
    assert bare.status == 2
    assert bare.out == call("--help").out


def test_help_is_quick_and_light() -> None:
    code = (
        "import sys; from intdim.cli.main import run; run(['--help'])\n"
        "heavy = {'torch', 'hydra', 'omegaconf', 'pandas', 'numpy', 'scipy', 'rich', 'yaml'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(took) < 0.3


@pytest.mark.parametrize("command", command_line.COMMANDS)
def test_help_of_a_command_lists_its_keys(command: str) -> None:
    ended = call(command, "--help")
    assert ended.status == 0
    assert ended.out.startswith(f"intdim {command}: ")
    assert "\nout: " in ended.out
    assert call(command, "--cfg", "job").status == 0


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


# -- completion --------------------------------------------------------------------------------------------------------


def complete(line: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    ended = call("-sc", "query=bash")
    assert ended.status == 0
    assert ended.err == ""
    return set(ended.out.split())


def test_tab_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    assert complete("intdim ", monkeypatch) == set(command_line.COMMANDS)
    assert complete("intdim p", monkeypatch) == {"plan", "pretrain"}
    assert complete("intdim sweep model=roberta", monkeypatch) == {"model=roberta-base", "model=roberta-large"}
    assert {"search.d_min=", "search.d_max="} <= complete("intdim sweep task=mrpc search.", monkeypatch)
    assert complete("intdim sweep -m projection=one", monkeypatch) == {"projection=one_hot"}
    assert {"out=", "name=", "sweeps."} <= complete("intdim report ", monkeypatch)
    for unreadable in ("intdim sweep --c", "intdim sweep zzz=", "intdim sweep +"):
        complete(unreadable, monkeypatch)


@pytest.mark.parametrize("where", [["-sc", "install=bash"], ["sweep", "--shell-completion", "install=bash"]])
def test_the_completion_script_is_for_intdim(where: list[str]) -> None:
    ended = call(*where)
    assert ended.status == 0
    assert ended.out.rstrip().endswith("hydra_bash_completion intdim")


# -- sweep -------------------------------------------------------------------------------------------------------------


def test_sweep_prints_a_verdict_and_where_it_is(world: cells.Simulated) -> None:
    ended = sweep("out=results")
    assert ended.status == 0, ended.err
    (folder,) = Path("results/sweeps").iterdir()
    assert {"verdict.json", "points.csv", "curve.png", "curve.pdf"} <= {file.name for file in folder.iterdir()}
    assert str(folder.absolute()) in ended.out
    assert re.search(r"\d+ \[\d+, \d+\]", ended.out), "d90 with its interval"
    assert "by the above_chance bar" in ended.out
    assert ended.out.count(" in 1.0 s") == len(world.made), "one line for each run"


def test_the_same_sweep_again_runs_nothing(world: cells.Simulated) -> None:
    first = sweep()
    made = len(world.made)
    again = sweep()
    assert len(world.made) == made
    assert "known" in again.out
    assert again.out.splitlines()[-3:] == first.out.splitlines()[-3:]


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
    assert {path.name for path in Path("outputs").iterdir()} == {"intdim.json", "runs", "sweeps"}


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


def test_ray_gets_the_slots_that_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def slots(number: int, threads: int, **named: Any) -> str:
        asked.update(number=number, threads=threads, **named)
        return "the slots"

    monkeypatch.setattr("intdim.launch.ray.RaySlots", slots)
    for device, gpus in (("cpu", 0.0), ("cuda", 1.0)):
        made = composed("launch=ray", "launch.slots=3", f"device={device}")
        assert make_launcher(made, runtime_request(made)) == "the slots"
        assert (asked["number"], asked["threads"], asked["gpus"]) == (3, 1, gpus)
    made = composed()
    assert make_launcher(made, runtime_request(made)) is None


# -- exit statuses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RunFailed("run 17 failed. Kept: outputs"), 1, "Kept: outputs"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 1, "No space left on device. Finished runs are kept"),
        (TypeError("a slip of ours"), 1, "internal error, TypeError: a slip of ours"),
        (Interrupted("interrupted"), 130, "To go on: intdim sweep"),
        (KeyboardInterrupt(), 130, "To go on: intdim sweep"),
    ],
)
def test_exit_statuses(world, monkeypatch, error: BaseException, status: int, words: str) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("intdim.drivers.sweep.run_cells", fail)
    ended = call("sweep")
    assert ended.status == status
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_the_command_that_goes_on(world, monkeypatch, number: int) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    monkeypatch.setattr("intdim.drivers.sweep.run_cells", lambda *arguments: signal.raise_signal(number))
    ended = call("sweep", "model.overrides={num_hidden_layers: 2}", "out=a b")
    signal.signal(signal.SIGINT, before)
    assert ended.status == 130
    assert ended.err.endswith("To go on: intdim sweep 'model.overrides={num_hidden_layers: 2}' 'out=a b'\n")


def test_interrupted_and_gone_on_with(world: cells.Simulated) -> None:
    world.stop_after = 6
    assert sweep().status == 130
    world.stop_after = None
    assert sweep().status == 0
    assert len({spec.run_id for spec in world.made}) == len(world.made)


def test_a_cell_that_fails_is_status_1(world: cells.Simulated) -> None:
    world.fail = {"did"}
    ended = sweep()
    assert ended.status == 1
    assert "out of memory" in ended.err


# -- the other commands ------------------------------------------------------------------------------------------------


def test_train(world: cells.Simulated) -> None:
    ended = call("train", "d=1e3", *SHORT)
    assert ended.status == 0, ended.err
    assert re.search(r"^done: d=1000 of D=1000000, train score 0\.\d{4}, .*\(accuracy\)$", ended.out, re.MULTILINE)
    assert (world.made[0].d, world.made[0].step_length) == (1000, 3.0), "the middle of the list"
    assert call("train", "subspace=full", *SHORT).status == 0
    assert world.made[1].subspace.method == "full"
    assert "m=4 scales" in call("train", "subspace=said", "d=4", *SHORT).err


def test_plan_writes_nothing(world: cells.Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = {
        "step_seconds": 0.1, "evaluate_seconds": 1.0, "evaluations": 2, "start_seconds": 0.5, "total_steps": 60,
        "peak_memory_bytes": 10,
    }  # fmt: skip
    launcher = world.launcher()
    launcher.jobs["time"] = lambda payload, report: cost
    monkeypatch.setattr("intdim.launch.pool.LocalSlots", lambda *arguments, **named: launcher)
    ended = call("plan", *SHORT)
    assert ended.status == 0, ended.err
    for words in ("1,000,000", "5 baseline", "at most 12", "d from 8 to 65,536", "1 of 1 cells to measure"):
        assert words in ended.out
    assert not Path("outputs").exists()


def test_fetch(world: cells.Simulated) -> None:
    ended = call("fetch", "-m", "subspace=did,said")
    assert ended.status == 0, ended.err
    assert ended.out.count("tiny (D=1,000,000): /tmp") == 2
    assert not Path("outputs").exists()


def test_report_reads_what_sweep_wrote(world: cells.Simulated) -> None:
    sweep()
    ended = call("report")
    assert ended.status == 0, ended.err
    printed = [Path(line) for line in ended.out.splitlines()]
    assert all(path.is_file() for path in printed)
    assert {"d90.csv", "d90.tex", "points.csv", "runs.csv", "d90.parquet", "index.html"} <= {
        path.name for path in printed
    }


def test_doctor_tests_every_projection() -> None:
    from intdim.projections import PROJECTIONS

    ended = call("doctor", "D=20000", "d=100", "device=cpu")
    assert ended.status == 0, ended.err
    for name in PROJECTIONS:
        assert re.search(rf"{name} +[|│] ok", ended.out), name
    assert __version__ in ended.out
    assert str(remembered.cache_folder()) in ended.out.replace("\n", "")


def test_doctor_fails_with_a_projection_that_is_no_adjoint(monkeypatch: pytest.MonkeyPatch) -> None:
    from intdim.projections import PROJECTIONS

    right = PROJECTIONS["one_hot"].rmatvec
    monkeypatch.setattr(PROJECTIONS["one_hot"], "rmatvec", lambda self, g: 1.001 * right(self, g))
    ended = call("doctor", "D=20000", "d=100", "device=cpu")
    assert ended.status == 1
    assert "FAILS" in ended.out


def test_pretrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nouns = ["array", "index", "value", "shape", "result", "column", "label", "number"]
    verbs = ["Return", "Close", "Open", "Scale", "Draw", "Read", "Write", "Sort"]
    lines = [
        f"{verb} the {one} of each {two}. The {two} must have a {one}."
        for verb in verbs
        for one in nouns
        for two in nouns
    ]
    Path("corpus.txt").write_text("\n".join(lines))
    model = ("model.vocab_size=100", "model.hidden_size=8", "model.heads=2", "model.layers=1")
    short = ("steps=3", "window=16", "batch_size=4", "checkpoint_every=2", "threads=1")
    ended = call("pretrain", "out=made", "corpus.path=corpus.txt", *model, *short)
    assert ended.status == 0, ended.err
    assert "step 3/3" in ended.out
    assert "of the places padding" in ended.out
    assert (tmp_path / "made" / "final" / "model.safetensors").exists()
    assert (tmp_path / "made" / "loss.csv").read_text().startswith("step,masked_loss,next_loss,")
    assert (tmp_path / "made" / "loss.png").stat().st_size > 5000
    again = call("pretrain", "out=made", "corpus.path=corpus.txt", *model, *short)
    assert again.out == ended.out.partition("\n")[2], "a finished one is not made again"
    other = call("pretrain", "out=other", "corpus.path=corpus.txt", "model.config=roberta", *model, *short)
    assert other.status == 0, other.err
    assert "next" not in other.out
    assert "tokens,padding" in (tmp_path / "other" / "loss.csv").read_text()
