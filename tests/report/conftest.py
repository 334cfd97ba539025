from __future__ import annotations

from pathlib import Path

import pytest

from intdim.ledger.store import Ledger


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty results folder; waiting for the disk would take most of the time of these tests."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    folder = tmp_path / "out"
    Ledger(folder).open()
    return folder


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of the time of a report; tests that do not look at them do without."""
    monkeypatch.setattr("intdim.report.style.render", lambda draw, kind, look=None: kind.encode())
