"""``intdim fetch`` over a simulated worker."""

from __future__ import annotations

from pathlib import Path

from intdim.ledger.prepared import ASSETS
from tests import cells
from tests.cli.command import call


def test_fetch(world: cells.Simulated) -> None:
    ended = call("fetch", "-m", "subspace=did,said")
    assert ended.status == 0, ended.err
    assert ended.out.count(f"tiny (D=1,000,000): {(ASSETS / 'tiny').resolve()}") == 2
    assert not Path("outputs").exists()
