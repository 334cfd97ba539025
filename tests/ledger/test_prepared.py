"""What preparation found, remembered: which changes make it another request."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from intdim import durable, seals
from intdim.ledger import prepared
from intdim.request import CellRequest
from intdim.spec import Prepared, to_dict
from tests import cells
from tests.ledger.damage import WAYS

WEIGHTS = str((prepared.ASSETS / cells.cell().model.reference).resolve())


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's assets that may be changed."""
    made = tmp_path / "intdim"
    shutil.copytree(prepared.ASSETS, made / "assets")
    monkeypatch.setattr(prepared, "ASSETS", made / "assets")
    return made / "assets"


def test_built_in_data_and_weights_count_by_content(package: Path) -> None:
    cell = cells.cell()
    assert (cell.model.source, cell.task.source) == ("builtin", "builtin")
    before = prepared.key(cell)
    assert prepared.key(cell) == before
    (package / "tasks" / "README.md").write_text("in other words")
    assert prepared.key(cell) == before
    seen = {before}
    for file in (package / "tasks" / cell.task.name / "train.parquet", package / cell.model.reference / "config.json"):
        file.write_bytes(file.read_bytes() + b" ")
        seen.add(prepared.key(cell))
    assert len(seen) == 3


def test_a_checkout_needs_no_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an image for GPUs: what it is named after asks only its dependencies for their versions."""
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "intdim":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    cell = cells.cell()
    before = prepared.key(cell)
    monkeypatch.setattr(importlib.metadata, "version", version)
    assert prepared.key(cell) == before


@pytest.mark.parametrize("source", ["local", "hub"])
def test_rows_in_subfolders_count_by_content(tmp_path: Path, source: str) -> None:
    file = tmp_path / "data" / "train" / "data-00000-of-00001.arrow"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"some rows")
    (file.parent / "state.json").write_text("{}")
    place = {"path" if source == "local" else "reference": str(tmp_path / "data")}
    cell = cells.cell(task=replace(cells.cell().task, source=source, **place))
    before = prepared.key(cell)
    assert prepared.key(cell) == before
    file.write_bytes(b"other rows")
    assert prepared.key(cell) != before


def test_of_a_models_folder_its_files_count_by_content_and_others_by_name(tmp_path: Path) -> None:
    cell = cells.cell(model=replace(cells.cell().model, source="local", path=str(tmp_path / "model")))
    seen = {prepared.key(cell)}
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "photo.png").write_bytes(b"1")
    seen.add(prepared.key(cell))
    (tmp_path / "model" / "photo.png").write_bytes(b"2")
    seen.add(prepared.key(cell))
    assert len(seen) == 2
    for name in ("config.json", "adapter_model.bin"):
        (tmp_path / "model" / name).write_bytes(b"1")
        seen.add(prepared.key(cell))
    assert len(seen) == 4


def test_a_built_in_task_that_there_is_not_has_a_key_too(package: Path) -> None:
    shutil.rmtree(package / "tasks" / cells.cell().task.name)
    assert prepared.key(cells.cell())
    assert prepared.lookup(cells.cell()) is None


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def stored(cache: Path, seed: int = 0) -> tuple[CellRequest, Prepared]:
    """Remember a cell whose prepared task lies in the cache."""
    cell, made = cells.cell(task=replace(cells.cell().task, max_train=200 + seed)), cells.prepared()
    folder = cache / "tasks" / f"{seed:016x}"
    durable.write_bytes(folder / "data.safetensors", bytes(range(99)) + bytes([seed]))
    seals.complete(folder, "manifest.json", {"seed": seed, "spec": to_dict(made.task)}, ["data.safetensors"])
    made = replace(made, facts=replace(made.facts, task_folder=str(folder.resolve()), model_folder=WEIGHTS))
    prepared.store(cell, made)
    return cell, made


def test_built_in_weights_are_those_of_this_package(cache: Path, tmp_path: Path) -> None:
    """Also where another copy of the package prepared the cell, whose files may have changed since."""
    cell, made = stored(cache)
    (tmp_path / "copy").mkdir()
    prepared.store(cell, replace(made, facts=replace(made.facts, model_folder=str(tmp_path / "copy"))))
    assert prepared.lookup(cell) == made


@pytest.mark.parametrize("how", WAYS)
def test_a_damaged_record_is_set_aside_and_made_again(cache: Path, how: str) -> None:
    (cell, made), (other, _) = stored(cache), stored(cache, 1)
    file = cache / "prepared" / f"{prepared.key(cell)}.json"
    assert prepared.lookup(cell) == made
    told: list[str] = []
    WAYS[how](file, cache / "prepared" / f"{prepared.key(other)}.json")
    assert prepared.lookup(cell, told.append) is None
    assert bool(told) == (how != "missing")
    assert all(str(file) in line for line in told)
    prepared.store(cell, made)
    assert prepared.lookup(cell, told.append) == made


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", ["manifest.json", "data.safetensors", "hashes.json"])
def test_a_damaged_task_is_set_aside(cache: Path, name: str, how: str) -> None:
    (cell, made), (_, other) = stored(cache), stored(cache, 1)
    file = Path(made.facts.task_folder) / name
    told: list[str] = []
    WAYS[how](file, Path(other.facts.task_folder) / name)
    assert prepared.lookup(cell, told.append) is None
    (line,) = told
    assert str(file) in line
    assert not file.parent.exists()
    assert (cache / "damaged" / "tasks" / file.parent.name).is_dir()
    assert prepared.lookup(cell, told.append) is None
    assert len(told) == 1


def test_a_task_elsewhere_is_left_alone(cache: Path, tmp_path: Path) -> None:
    """Only what lies in the cache is ours to move."""
    (tmp_path / "mine").mkdir()
    facts = replace(cells.prepared().facts, task_folder=str(tmp_path / "mine"), model_folder=WEIGHTS)
    made = replace(cells.prepared(), facts=facts)
    prepared.store(cells.cell(), made)
    assert prepared.lookup(cells.cell()) == made


def test_a_cache_that_cannot_be_written_is_no_obstacle(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, _ = stored(cache)
    (cache / "prepared" / f"{prepared.key(cell)}.json").write_text("{torn")

    def refuse(*arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "rename", refuse)
    assert prepared.lookup(cell) is None
