"""A results folder and a cache of its own for every test of a driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.ledger import prepared as remembered


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remembered, "_assets", lambda reference: "fixed")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
