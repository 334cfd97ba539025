"""Cells made ready: prepared once, ranges that the user left open, as many slots as memory holds, single runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.drivers.cells import fit_memory, prepare_cell, prepare_cells, prepare_sweeps, single_run, sweep_spec
from intdim.drivers.session import Session
from intdim.errors import UserError
from intdim.spec import SearchSpec, SubspaceSpec, to_dict
from tests import cells


class Counting(cells.Simulated):
    """Counts the cells that workers prepare."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared = 0

    def prepare(self, payload, report):
        self.prepared += 1
        return super().prepare(payload, report)


def test_cells_that_share_model_and_task_are_prepared_once_and_remembered(out: Path) -> None:
    world = Counting()
    said = cells.cell(subspace=SubspaceSpec("said", "one_hot", "global", "layer", ()))
    for _ in range(2):
        with Session(cells.runtime(out), launcher=world.launcher()) as session:
            first, second = prepare_cells(session, [cells.cell(), said])
        assert first == second == cells.prepared()
    assert world.prepared == 1
    with Session(cells.runtime(out), launcher=world.launcher()) as session:
        prepare_cell(session, cells.cell())
    assert world.prepared == 2


def test_open_ends_of_the_range_depend_on_the_model():
    open_ends = SearchSpec("posterior", 0, 0, 12, 0.9, "absolute", 3, 2, 13, 400)
    small = sweep_spec(cells.cell(search=open_ends), cells.prepared(D=1_000_000)).search
    large = sweep_spec(cells.cell(search=open_ends), cells.prepared(D=100_000_000)).search
    assert (small.d_min, small.d_max) == (8, 65_536)
    assert (large.d_min, large.d_max) == (100, 4_000_000)
    said = SubspaceSpec("said", "one_hot", "global", "tensor", ())
    assert sweep_spec(cells.cell(search=open_ends, subspace=said), cells.prepared()).search.d_min == 42


def test_sparse_is_refused_where_it_has_too_many_entries(out: Path) -> None:
    sparse = SubspaceSpec("did", "sparse", "global", "layer", ())
    open_ends = SearchSpec("posterior", 0, 0, 12, 0.9, "absolute", 3, 2, 13, 400)
    large = cells.prepared(D=100_000_000)
    assert sweep_spec(cells.cell(search=open_ends, subspace=sparse), large).search.d_max == 100_000

    assert single_run(cells.cell(subspace=sparse), large, 100_000, 3.0, 1e-3).d == 100_000
    with pytest.raises(UserError, match=r"^d=100001 .* 1\.0e\+09 entries") as caught:
        single_run(cells.cell(subspace=sparse), large, 100_001, 3.0, 1e-3)
    assert len(caught.value.parts) == 3
    assert "d=100000" in caught.value.parts[2]

    wide = SearchSpec("posterior", 8, 1_000_000, 12, 0.9, "absolute", 3, 2, 13, 400)
    world = cells.Simulated()
    world.prepare = lambda payload, report: to_dict(cells.prepared(D=4_000_000))  # type: ignore[method-assign]
    with (
        Session(cells.runtime(out), launcher=world.launcher()) as session,
        pytest.raises(UserError, match=r"search\.d_max <= 500000"),
    ):
        prepare_sweeps(session, [cells.cell(search=wide, subspace=sparse)])


def test_a_probe_lowers_the_slots_to_what_memory_holds(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda who: set(range(8)), raising=False)
    world = cells.Simulated()
    world.memory = 16 << 30
    with Session(cells.runtime(out, slots=0, threads=0), launcher=world.launcher()) as session:
        sweeps = prepare_sweeps(session, [cells.cell()])
        session.find_device()
        fit_memory(session, sweeps)
        assert (session.pool.slots, session.pool.threads) == (2, 1), "5 GiB a run; threads are part of what a run is"
    assert [spec.subspace.method for spec in world.probed] == ["full"]


@pytest.mark.parametrize(("d", "fits"), [(4, False), (5, True), (1_000_000, True), (1_000_001, False)])
def test_a_single_run_fits_between_its_scales_and_the_weights(d: int, fits: bool) -> None:
    said = cells.cell(subspace=SubspaceSpec("said", "one_hot", "global", "layer", ()))
    if fits:
        assert single_run(said, cells.prepared(), d, 3.0, 1e-3).d == d
        return
    with pytest.raises(UserError, match="m=4 scales are counted in d"):
        single_run(said, cells.prepared(), d, 3.0, 1e-3)


def test_a_single_run_of_all_weights_has_a_rate_and_no_d() -> None:
    full = cells.cell(subspace=SubspaceSpec("full", "fastfood", "layer", "layer", ("head",)))
    spec = single_run(full, cells.prepared(), 7, 3.0, 1e-3)
    assert (spec.d, spec.step_length, spec.learning_rate) == (0, 0.0, 1e-3)
    assert spec.subspace == SubspaceSpec("full", "none", "none", "none", ("head",))
