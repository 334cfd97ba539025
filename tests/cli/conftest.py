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
