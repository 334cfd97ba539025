"""``intdim.sweep`` and its neighbours: the commands as functions, with the same keys, ids and errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import intdim
from intdim.cli.keywords import words_of
from intdim.errors import Interrupted, UserError
from tests import cells, small_ledger
from tests.cli.command import call, requests

KEYS = {
    "train": {"max_steps": 20, "step_length": [1, 3, 10], "learning_rate": (1e-3, 3e-3, 1e-2)},
    "search": "bisection",
}
MORE = {"search.seeds": 1, "search.max_runs": 6, "search.d_min": 8, "search.d_max": 65536}


def test_a_sweep_is_the_one_of_the_command_line(
    world: cells.Simulated, undrawn: None, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = intdim.sweep(progress=False, **KEYS, **MORE)
    assert capsys.readouterr().out == ""
    made = len(world.made)
    assert verdict.runs == made
    assert intdim.sweep(**KEYS, **MORE) == verdict
    assert "known" in capsys.readouterr().out
    ended = call("sweep", *words_of(KEYS | MORE))
    assert ended.status == 0, ended.err
    assert len(world.made) == made, "the command finds what the function made"

    table = intdim.verdicts()
    assert list(table["sweep_id"]) == [verdict.sweep_id]
    assert len(repr(verdict).splitlines()) == 1
    assert set(intdim.runs("outputs")["run_id"]) == {spec.run_id for spec in world.made}
    assert (intdim.write_report(name="mine") / "d90.csv") == Path("outputs/reports/mine/d90.csv")
    assert "intdim sweep" in call("show", verdict.sweep_id[:8]).out


def test_a_call_that_was_interrupted_goes_on(world: cells.Simulated, undrawn: None) -> None:
    world.stop_after = 4
    with pytest.raises(Interrupted):
        intdim.sweep(progress=False, **KEYS, **MORE)
    world.stop_after = None
    verdict = intdim.sweep(progress=False, **KEYS, **MORE)
    assert len(world.made) == verdict.runs, "no run twice"


def test_a_single_run(world: cells.Simulated) -> None:
    result = intdim.train(d=100, train={"max_steps": 20}, progress=False)
    assert (result.d, result.run_id) == (100, world.made[0].run_id)


def test_values_are_typed_as_hydra_reads_them() -> None:
    keys = {
        "task": "mrpc",
        "seed": 3,
        "offline": True,
        "out": Path("a b"),
        "task.text": ["it's", "b,c"],
        "task.label": "12",
        "task.positive": None,
        "model": {"overrides": {"hidden_act": "gelu"}},
    }
    words = list(words_of(keys))
    assert words[:4] == ["task=mrpc", "seed=3", "offline=true", "out='a b'"]
    (cell,) = requests(*words[:-1], "task.metric=accuracy")
    assert (cell.task.text, cell.task.label, cell.seed) == (("it's", "b,c"), "12", 3)
    (cell,) = requests(words[-1])
    assert cell.model.overrides == {"hidden_act": "gelu"}


def test_a_number_of_numpy_or_torch_is_a_number() -> None:
    keys = {
        "seed": np.int64(3),
        "train.warmup": np.float64(0.25),
        "train.weight_decay": torch.tensor(0.5),
        "offline": np.bool_(True),
        "train.step_grid": [np.float32(2.0), np.int32(4)],
    }
    words = list(words_of(keys))
    assert words[:4] == ["seed=3", "train.warmup=0.25", "train.weight_decay=0.5", "offline=true"]
    assert words[4] == "train.step_grid=[2.0,4]"


@pytest.mark.parametrize("out", [None, object(), "~nobody-of-this-name/out"])
def test_a_table_of_what_is_no_folder(out: Any) -> None:
    for table in (intdim.runs, intdim.verdicts):
        with pytest.raises(UserError, match="out is "):
            table(out)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"serach": "grid"}, "unknown key 'serach'"),
        ({"model": object()}, "a object"),
        ({"task": "mrcp"}, "did you mean 'mrpc'"),
        ({"seed": "several, say"}, "seed="),
    ],
)
def test_errors_are_those_of_the_command_line(
    keys: dict[str, object], words: str, nothing_begins: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        intdim.sweep(**keys)
    assert list(tmp_path.iterdir()) == []


def test_report_is_a_folder_of_the_package_and_a_function(tmp_path: Path) -> None:
    small_ledger.sweep(tmp_path)
    assert (intdim.report(out=tmp_path, name="mine") / "d90.csv").is_file()
    code = "import sys; exec(sys.argv[1]); import intdim; print(callable(intdim.report), intdim.report.report)"
    environment = os.environ | {"PYTHONPATH": str(Path(intdim.__file__).parents[1])}
    for order in ("import intdim.report", "from intdim.report import words", "import intdim"):
        line = [sys.executable, "-c", code, order]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.startswith("True <function report"), order


def test_tables_leave_out_what_is_damaged_and_need_a_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = small_ledger.sweep(tmp_path)
    small_ledger.change(tmp_path / "runs" / made.tried[0] / "result.json", d=7)
    assert set(intdim.runs(tmp_path)["run_id"]) == {*made.observed, *made.baselines}
    assert "result.json is damaged" in caplog.text
    assert len(intdim.verdicts(str(tmp_path))) == 1
    with pytest.raises(UserError, match="is not a folder"):
        intdim.verdicts(tmp_path / "none")
