"""What preparation found, remembered: which changes make it another request."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from intdim.ledger import prepared
from tests import cells


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's assets that may be changed."""
    made = tmp_path / "intdim"
    shutil.copytree(Path(prepared.__file__).parents[1] / "assets", made / "assets")
    monkeypatch.setattr(prepared, "__file__", str(made / "ledger" / "prepared.py"))
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


def test_a_built_in_task_that_there_is_not_has_a_key_too(package: Path) -> None:
    shutil.rmtree(package / "tasks" / cells.cell().task.name)
    assert prepared.key(cells.cell())
    assert prepared.lookup(cells.cell()) is None
