"""Simulated runs behind the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.ledger import prepared as remembered
from tests import cells


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> cells.Simulated:
    """Simulated runs instead of workers, for every command that has slots."""
    simulated = cells.Simulated()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(remembered, "_assets", lambda reference: "fixed")
    monkeypatch.setattr("intdim.launch.pool.LocalSlots", lambda *arguments, **named: simulated.launcher())
    return simulated


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the curves out where nobody looks at them."""
    monkeypatch.setattr("intdim.report.write_curve", lambda out, sweep_id: [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a finished run that the tests of a file share."""
    return tmp_path_factory.mktemp("commands")


@pytest.fixture
def nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a command that is to be refused begins to work."""

    def begun(*arguments: object, **named: object) -> None:
        raise AssertionError("the command began to work")

    for where in ("sweep.run_cells", "fetch.fetch_cells", "plan.plan_cells", "train.train_one"):
        monkeypatch.setattr(f"intdim.drivers.{where}", begun)
    monkeypatch.setattr("intdim.pretrain.job.run", begun)
    monkeypatch.setattr("intdim.launch.pool.LocalSlots", begun)
