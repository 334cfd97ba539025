from __future__ import annotations

from pathlib import Path

import pytest

from intdim.ledger.store import Ledger


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    Ledger(folder).open()
    return folder
