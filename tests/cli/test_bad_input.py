"""What makes no sense: exit status 2, at most three lines on stderr, no traceback, nothing written, nothing begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.launch import InProcess
from intdim.launch.jobs import JOBS
from tests.cli.command import call

BAD = [
    # commands and flags
    ("swep", "did you mean 'sweep'"),
    ("bond", "did you mean 'bound'"),
    ("sweep --grid", "unrecognized arguments: --grid"),
    ("sweep --cfg", "expected one argument"),
    ("sweep --experimental-rerun=x.pickle", "is no flag of intdim"),
    ("train --experim x.pickle d=1", "is no flag of intdim"),
    ("sweep --cfg=work", "invalid choice"),
    ("sweep --config-dir=nowhere", "nowhere' not found"),
    ("sweep --config-name=nothing", "Cannot find primary config 'nothing'"),
    ("sweep sweep", "neither a flag nor key=value"),
    ("sweep search.d_min", "neither a flag nor key=value"),
    # keys
    ("sweep serch.d_min=3", "did you mean search.d_min"),
    ("sweep search.dmin=3", "did you mean search.d_min"),
    ("sweep d_min=3", "did you mean search.d_min"),
    ("sweep step_length=3", "did you mean train.step_length"),
    ("sweep zzz=3", "Known at the top: device,"),
    ("sweep d=100", "unknown key 'd'"),
    ("train D=100", "unknown key 'D'"),
    ("report model=tiny", "unknown key 'model'"),
    ("doctor search.d_min=3", "unknown key"),
    ("pretrain step=3", "did you mean steps"),
    ("sweep +zzz=3", "cannot be added or removed"),
    ("sweep +search.d_min=3", "Write search.d_min=3"),
    ("sweep ++search.d_min=3", "Write search.d_min=3"),
    ("sweep ~search.d_min", "cannot be added or removed"),
    ("sweep +model.overrides.num_hidden_layers=2", "Write model.overrides.num_hidden_layers=2"),
    ("sweep hydra.launcher=joblib", "Write hydra/launcher=joblib"),
    ("sweep -m hydra.sweeper=ax", "Write hydra/sweeper=ax"),
    ("sweep -m hydra/launcher=nothing", "unknown hydra/launcher 'nothing'"),
    ("sweep hydra.nothing=1", "'hydra.nothing' cannot be set"),
    ("sweep search={zzz:3}", "'search' cannot be set"),
    ("plan task.path = reviews", "blanks around = after 'task.path'"),
    ("plan task.path = reviews", "Write task.path=reviews"),
    ("plan task.path =reviews", "Write task.path=reviews"),
    ("plan task.path= reviews", "Write task.path=reviews"),
    ("bound d = 5", "Write d=5"),
    ("plan --task.path reviews", "Write task.path=reviews"),
    ("plan --task.path=reviews", "Write task.path=reviews"),
    ("bound --out results", "keys have no dashes"),
    ("sweep --seed", "Write seed=..."),
    # choices
    ("plan model=/some/path", "names no folder that is there, and"),
    ("plan task=../reviews", "names no folder that is there, and"),
    ("plan model=/", "is a folder, and model= takes a name"),
    ("sweep model=roberta-bas", "did you mean 'roberta-base'"),
    ("sweep model=roberta-bas", "model=hub model.reference=owner/name"),
    ("sweep task=mrpcc", "did you mean 'mrpc'"),
    ("sweep task=mrpcc task.path=somewhere", "unknown task 'mrpcc'"),
    ("sweep -m model=tiny,nothing", "unknown model 'nothing'"),
    ("sweep model=", "names no model"),
    ("sweep task=null", "names no task"),
    ("sweep model=tiny,tiny-random", "Add -m for a grid"),
    ("sweep projection=fastfod", "did you mean 'fastfood'"),
    ("sweep subspace=sad", "Known: did, full, said"),
    ("sweep search=binary", "Known: bisection, grid, posterior"),
    ("sweep train=large", "Known: paper, small"),
    ("sweep launch=slurm", "Known: local, ray"),
    ("sweep experiment=smok", "did you mean 'smoke'"),
    ("sweep -m experiment=smoke,smoke2", "did you mean 'smoke'"),
    ("sweep subspace=full", "intdim train subspace=full"),
    ("plan subspace=full", "intdim train subspace=full"),
    # values
    ("sweep search.d_min=1e3 search.d_max=10", "search.d_min=1000 exceeds search.d_max=10"),
    ("sweep search.fraction=0 search.seeds=0 train.step_length=[-1]", "search.seeds=0; "),
    ("sweep search.d_min=[1", "cannot be read"),
    ("sweep search.d_min=${zzz}", "Interpolation key 'zzz' not found"),
    ("sweep model=${zzz}", "${zzz}"),
    ("sweep -m out=a,b", "differ in out"),
    ("plan -m device=auto,cpu", "differ in out, device"),
    ("fetch -m device=auto,cpu", "differ in out, device"),
    ("sweep out=", "out is empty"),
    ("pretrain out=", "out is empty"),
    ("report out=", "out is empty"),
    ("train d=0", "d=0"),
    ("train d=none", "d=none"),
    ("doctor d=10 D=5", "d=10 exceeds D=5"),
    ("doctor device=gpu", "did you mean 'cpu'"),
    ("pretrain model.heads=3", "a multiple of model.heads=3"),
    ("pretrain window=500", "at most model.max_positions"),
    ("pretrain corpus.unit=page", "Known: file, line, paragraph"),
    ("pretrain corpus.path=nothing.txt", "is no file"),
    ("pretrain model.config=nothing.json", "does not exist"),
    ("pretrain model.path=nothing", "is not a folder with a config.json"),
    ("pretrain model.path=nothing model.layers=2", "model.layers together with model.path"),
    ("pretrain model.config=roberta model.path=.", "model.config together with model.path"),
    ("pretrain model.config=roberta embedding_scale=3", "embedding_scale applies to BERT's recipe only"),
    ("pretrain -m seed=0,1", "would write into outputs/pretrain"),
    ("report sweeps=[nothing]", "is no sweep in"),
    ("report name=../elsewhere", "cannot name a report"),
    ("sweep launch=ray launch.slots=null", "launch.slots=N"),
]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(*arguments: object, **named: object) -> None:
        raise AssertionError("the command began to work")

    for where in ("sweep.run_cells", "fetch.fetch_cells", "plan.plan_cells", "train.train_one"):
        monkeypatch.setattr(f"intdim.drivers.{where}", begun)
    monkeypatch.setattr("intdim.pretrain.job.run", begun)
    monkeypatch.setattr("intdim.launch.pool.LocalSlots", lambda *arguments, **named: InProcess(JOBS))


@pytest.mark.parametrize(("line", "words"), BAD, ids=[line for line, _ in BAD])
def test_bad_input(line: str, words: str, tmp_path: Path) -> None:
    ended = call(*line.split(" "))
    assert ended.status == 2, ended.err
    assert words in ended.err
    assert 1 <= len(ended.err.splitlines()) <= 3
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_a_traceback_is_shown_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTDIM_DEBUG", "1")
    ended = call("sweep", "search.seeds=0")
    assert ended.status == 2
    assert "Traceback" in ended.err


class TestUsersFolder:
    """Configuration files of the user's own are checked like what is typed."""

    @pytest.fixture
    def write(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        mine = tmp_path / "mine"
        mine.mkdir()
        monkeypatch.setenv("INTDIM_CONFIG_PATH", str(mine))

        def put(name: str, text: str) -> None:
            (mine / name).parent.mkdir(exist_ok=True)
            (mine / name).write_text(text, encoding="utf-8")

        return put

    def refused(self, *arguments: str) -> str:
        ended = call("sweep", *arguments)
        assert ended.status == 2, ended.err
        assert len(ended.err.splitlines()) <= 3
        return ended.err

    def test_an_unknown_key(self, write) -> None:
        write("model/mine.yaml", "defaults: [local]\npath: /tmp/x\nnmae: 3\n")
        err = self.refused("model=mine")
        assert "'model.nmae'" in err
        assert "did you mean model.name" in err

    def test_an_experiment_without_its_package(self, write) -> None:
        write("experiment/mine.yaml", "search:\n  d_min: 3\n")
        assert "# @package _global_" in self.refused("experiment=mine")

    def test_a_broken_file(self, write) -> None:
        write("task/mine.yaml", "name: [\n")
        assert "mine.yaml" in self.refused("task=mine")

    def test_no_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("INTDIM_CONFIG_PATH", "/nowhere")
        assert "INTDIM_CONFIG_PATH=/nowhere is not a folder" in self.refused()
