"""What ``intdim bound`` and ``intdim export`` say, and what they refuse before anything is made or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from intdim.cli.bound import show, statement
from intdim.spec import derive_seed
from tests import finished_runs
from tests.cli.command import call

FOUND: dict[str, Any] = {
    "model": "tiny", "model_source": "builtin", "task": "docstrings-kind", "task_source": "builtin", "method": "did",
    "projection": "fastfood", "scope": "global", "d": 64, "D": 1_326_210, "step_length": 10.0,
    "seed": derive_seed(0, "train", 64), "n": 3142, "delta": 0.05, "bits": 125, "bits_per_coordinate": 125 / 64,
    "account": {"subspace": 1.0, "d": 6.0, "z levels": 116.0, "z end": 2.0}, "quantisation": "uniform, 3 levels",
    "candidates": 25, "train_error": 0.27, "train_error_unquantised": 0.29, "occam_binomial": 0.38, "occam_kl": 0.382,
    "occam_hoeffding": 0.39, "catoni": 0.4, "form": "occam_binomial", "certificate": 0.38, "beats_majority": True,
    "majority_error_train": 0.5, "majority_error_eval": 0.49, "eval_error": 0.28, "eval_examples": 627,
    "selection": "half", "eval_bound": 0.31, "relative_gap": 0.036, "trend": 0.143, "folder": "out/bounds/x",
}  # fmt: skip


def test_a_certificate_says_what_it_is_and_which_form_it_has() -> None:
    said = "\n".join(statement(FOUND))
    assert "With 95 % confidence over the draw of 3,142 training examples" in said
    assert "is at most 0.3800" in said
    for form in ("binomial tail 0.3800 (the certificate)", "kl 0.3820", "Hoeffding 0.3900", "Catoni 0.4000"):
        assert form in said
    assert said.count("(the certificate)") == 1
    assert "is better than always answering the majority class" in said
    assert "relative gap of the coded model 0.036; sqrt(d / n) is 0.143, a trend and no bound" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "from which this task's texts were withheld; docstrings of one module are alike"),
        ({"task_source": "local"}, "pre-trained on docstrings, which may be among the training examples"),
        ({"model_source": "hub", "task_source": "hub"}, "theta_0 MAY have seen the training examples"),
        ({"model_source": "local", "task_source": "local"}, "which only you can know"),
        ({"model_source": "random"}, "it has seen nothing"),
    ],
)
def test_it_says_whether_theta_0_may_have_seen_the_training_sample(changes: dict[str, Any], said: str) -> None:
    lines = statement(FOUND | changes)
    assert said in lines[-1]


def test_it_says_so_when_the_held_out_examples_chose_the_step() -> None:
    assert "which also chose the step" not in "\n".join(statement(FOUND))
    assert "0.2800, which also chose the step" in "\n".join(statement(FOUND | {"selection": "same"}))


def test_it_says_so_when_the_majority_class_is_as_good_and_why() -> None:
    lines = statement(FOUND | {"certificate": 0.55, "beats_majority": False, "bits": 900})
    assert "does NOT beat always answering the majority class" in lines[1]
    assert "could have at most" in lines[2]
    assert "it has 900" in lines[2]
    lines = statement(FOUND | {"train_error": 0.5, "certificate": 0.6, "beats_majority": False})
    assert "is itself not below 0.4900" in lines[2]
    lines = statement(FOUND | {"certificate": 1.0, "beats_majority": False, "relative_gap": None})
    assert "no certificate: the bound is 1" in lines[0]


def test_the_table_of_a_search(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    other = FOUND | {"d": 128, "certificate": 0.41, "seed": 12345}
    show(FOUND | {"tried": [FOUND, other], "table": "t.csv"})
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines() if line.strip().startswith(("64", "128"))]
    assert rows[0] == ["64", "0", "10", "125", "1.95", "0.2900", "0.2700", "0.3800"]
    assert rows[1][:2] == ["128", "10"]  # a seed that is nobody's small number is not shown
    assert "all that was tried: t.csv" in said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


def refused(words: list[str], said: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    ended = call(*words)
    assert ended.status == 2, ended.err
    assert said in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("bound", ["delta=0"], "delta=0"),
        ("bound", ["delta=1"], "above 0 and below 1"),
        ("bound", ["delta=-0.5"], "delta=-0.5"),
        ("bound", ["delta=nan"], "delta=nan"),
        ("bound", ["levels=[1,2]"], "whole numbers from 2 on"),
        ("bound", ["levels=[5000]"], "at most 4096"),
        ("bound", ["codebook=[lloyd]"], "a list of uniform, kmeans"),
        ("bound", ["task=docstrings-pair"], "task=docstrings-pair beside a run"),
        ("bound", ["model.revision=main", "dimensions=[8]"], "model.revision=main, dimensions=[8] beside a run"),
        ("export", ["levels=1"], "at least 2"),
        ("export", ["to=model.bin"], "ends in .safetensors"),
        ("export", ["to=/proc/model.safetensors"], "cannot be written"),
    ],
)
def test_what_makes_no_sense_with_a_run(folder: Path, command: str, words: list[str], said: str) -> None:
    run = finished_runs.make(folder)
    refused([command, run.spec.run_id, f"out={run.out}", *words], said, folder)


@pytest.mark.parametrize("command", ["bound", "export"])
def test_runs_that_are_not_there_or_are_damaged(folder: Path, command: str) -> None:
    run = finished_runs.make(folder)
    refused([command, "0123456789abcdef", f"out={run.out}"], "there is no run", folder)
    refused([command, run.spec.run_id, f"out={folder / 'nowhere'}"], "there is no run", folder)
    refused([command, "one", "two", f"out={run.out}"], "several runs are named", folder)
    result = run.folder / "result.json"
    kept = result.read_text()
    try:
        result.write_text(kept.replace('"done"', '"failed"'))
        refused([command, run.spec.run_id, f"out={run.out}"], "failed", folder)
    finally:
        result.write_text(kept)


def test_export_with_and_without_the_flag(folder: Path, tmp_path: Path) -> None:
    run = finished_runs.make(folder)
    for number, word in enumerate(["--full", "full=true", "full=false"]):
        to = tmp_path / f"{number}.safetensors"
        ended = call("export", word, run.spec.run_id, f"out={run.out}", f"to={to}")
        assert ended.status == 0, ended.err
        assert to.with_suffix("").is_dir() == (number < 2)
        assert f"exact  {to.stat().st_size:,} bytes" in ended.out
        assert f"coded  {to.with_suffix('.coded.safetensors').stat().st_size:,} bytes" in ended.out
    assert "no run is named" in call("export", "--full").err
