"""Which runs something can be made of, and what is said about the others."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from intdim.drivers.train import train_one
from intdim.errors import UserError
from intdim.ledger.finished import find_run
from intdim.spec import SubspaceSpec
from tests import finished_runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(folder: Path):
    return finished_runs.make(folder)


@pytest.fixture
def copy(run, tmp_path: Path) -> Path:
    """A run's folder in a ledger of its own, free to be spoilt."""
    there = tmp_path / "out" / "runs" / run.spec.run_id
    shutil.copytree(run.folder, there)
    return there


def test_a_run_is_found_by_id_by_its_beginning_and_by_folder(run) -> None:
    out = str(run.out)
    for name in (run.spec.run_id, run.spec.run_id[:6], str(run.folder)):
        found = find_run(name, out)
        assert (found.spec, found.result, found.folder) == (run.spec, run.result, run.folder)
    assert find_run(str(run.folder), "elsewhere").out == run.out
    assert run.z_file.exists()


@pytest.mark.parametrize("name", ["", "0123456789abcdef", "no/such/folder", "x" * 3000, "~nobody-of-this-name", "\0"])
def test_an_unknown_run_is_refused_with_those_there_are(run, name: str) -> None:
    with pytest.raises(UserError, match=r"no run") as caught:
        find_run(name, str(run.out))
    assert not name or run.spec.run_id in str(caught.value)


def test_a_run_that_trained_all_weights_is_refused(folder: Path) -> None:
    full = finished_runs.cell(folder, subspace=SubspaceSpec("full", "none", "none", "none", ()))
    result = train_one(full, 0, 0.0, 1e-3, finished_runs.runtime(folder), launcher=finished_runs.launcher())
    with pytest.raises(UserError, match="trained all weights"):
        find_run(result.run_id, str(folder / "out"))


def test_a_run_that_failed_is_refused_with_its_reason(copy: Path) -> None:
    result = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps(result | {"status": "failed", "reason": "the loss is not finite"}))
    with pytest.raises(UserError, match="failed: the loss is not finite"):
        find_run(copy.name, str(copy.parent.parent))


def test_a_run_that_broke_or_has_not_ended_is_refused(copy: Path) -> None:
    (copy / "result.json").unlink()
    with pytest.raises(UserError, match="has not ended"):
        find_run(str(copy), "")
    (copy / "error.txt").write_text("Traceback")
    with pytest.raises(UserError, match=r"error\.txt says why"):
        find_run(str(copy), "")


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("spec.json", "{", "cannot be read"),
        ("spec.json", "{}", "cannot be read"),
        ("result.json", "{", "is damaged"),
        ("result.json", "[]", "is not the result"),
        ("result.json", '{"run_id": "another"}', "is not the result"),
        ("environment.json", "{", "cannot be read"),
        ("environment.json", "{}", "cannot be read"),
        ("environment.json", None, "cannot be read"),
        ("z.safetensors", None, r"holds no z\.safetensors"),
    ],
)
def test_damaged_folders(copy: Path, file: str, content: str | None, said: str) -> None:
    (copy / file).unlink()
    if content is not None:
        (copy / file).write_text(content)
    with pytest.raises(UserError, match=said):
        find_run(str(copy), "")


def test_a_changed_spec_is_another_run(copy: Path) -> None:
    spec = json.loads((copy / "spec.json").read_text())
    (copy / "spec.json").write_text(json.dumps(spec | {"seed": spec["seed"] + 1}))
    with pytest.raises(UserError, match=f"not of {copy.name}"):
        find_run(str(copy), "")


@pytest.mark.parametrize("file", ["spec.json", "result.json", "environment.json"])
def test_a_pipe_in_the_place_of_a_file_is_said_in_words(copy: Path, file: str) -> None:
    (copy / file).unlink()
    os.mkfifo(copy / file)
    with pytest.raises(UserError, match=rf"{file} .*\(it is not a plain file\)"):
        find_run(str(copy), "")
