"""Fetching: every cell is prepared anew, whatever the cache holds, and out is left alone."""

from __future__ import annotations

from pathlib import Path

from intdim.drivers.fetch import fetch_cells
from tests import cells


def test_fetching_prepares_anew_and_leaves_out_alone(out: Path) -> None:
    world, asked = cells.Simulated(), []
    prepare = world.prepare
    world.prepare = lambda payload, report: asked.append(payload) or prepare(payload, report)
    for _ in range(2):
        (fetched,) = fetch_cells([cells.cell()], cells.runtime(out), launcher=world.launcher())
        assert fetched.facts == cells.prepared().facts
        assert fetched.seconds >= 0
    assert len(asked) == 2
    assert not out.exists()
