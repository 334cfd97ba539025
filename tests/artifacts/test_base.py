"""The base: found where it is said to be, and refused when it is another model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import intdim
from intdim.artifacts.base import base_of
from intdim.artifacts.export import export
from intdim.errors import UserError
from intdim.run.checkpoint import load_tensors, save_tensors
from tests import finished_runs, tiny


def test_another_base_is_refused_by_the_hash(one, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder / "base", other)
    weights, metadata = load_tensors(other / "model.safetensors")
    name = next(name for name in sorted(weights) if name.endswith("query.weight"))
    weights[name].view(-1)[0] += 1e-6  # one weight, by a little
    save_tensors(other / "model.safetensors", weights, metadata)
    for path in (one.artifact, one.coded):
        with pytest.raises(UserError, match="is not the model the run started from"):
            intdim.load(path, base=other)


def test_a_base_of_another_architecture_is_refused(one, tmp_path: Path) -> None:
    tiny.save_tokenizer(tiny.save("distilbert", tmp_path / "d"), pad_token="<pad>")
    with pytest.raises(UserError, match="is not the model the run started from"):
        intdim.load(one.artifact, base=tmp_path / "d")


def test_a_local_base_must_be_given_and_be_there(one, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="started from a local folder"):
        intdim.load(one.artifact)
    with pytest.raises(UserError, match="is not a folder"):
        intdim.load(one.artifact, base=str(tmp_path / "gone"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"config\.json"):
        intdim.load(one.artifact, base=tmp_path / "empty")


def test_a_base_that_changed_since_the_run_is_refused(tmp_path: Path) -> None:
    run = finished_runs.make(tmp_path)
    assert base_of(run).folder == tmp_path / "base"
    (tmp_path / "base" / "config.json").write_text((tmp_path / "base" / "config.json").read_text() + " ")
    with pytest.raises(UserError, match="has changed since"):
        export(run, None, full=False, levels=16)
