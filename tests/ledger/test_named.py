"""Runs and sweeps are found by the beginnings of their ids; what fits several, or none, is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from intdim.errors import UserError
from intdim.ledger.named import find, standing_on
from intdim.ledger.overview import overview
from tests import small_ledger


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> small_ledger.Made:
    out = tmp_path_factory.mktemp("named")
    for name in ("ffff0001", "ffff0002"):
        (out / "runs" / name).mkdir(parents=True)
    (out / "sweeps" / "ffff0003").mkdir(parents=True)
    return small_ledger.sweep(out)


def test_an_id_its_beginning_and_its_folder_are_one(made: small_ledger.Made) -> None:
    seen, run, sweep_id = overview(made.out), made.observed[0], made.spec.sweep_id
    for word in (run, run[:10], f"{made.out}/runs/{run}", f"{made.out}/runs/{run}/"):
        assert (find(seen, word).kind, find(seen, word).id) == ("run", run)
    found = find(seen, sweep_id[:12])
    assert (found.kind, found.id) == ("sweep", sweep_id)
    assert found.line is not None


def test_what_fits_several_or_none_is_said(made: small_ledger.Made) -> None:
    seen = overview(made.out)
    with pytest.raises(UserError, match="fits 3: sweep ffff0003, run ffff0001, run ffff0002"):
        find(seen, "ffff")
    for word in ("zz", "", "/"):
        with pytest.raises(UserError, match="is no run and no sweep"):
            find(seen, word)


def test_a_run_that_was_removed_is_not_unknown(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    gone = made.baselines[0]
    shutil.rmtree(tmp_path / "runs" / gone)
    with pytest.raises(UserError, match=f"run {gone} was removed: sweep {made.spec.sweep_id} stands on it"):
        find(overview(tmp_path), gone[:10])


def test_what_stands_on_a_run(made: small_ledger.Made) -> None:
    assert standing_on(overview(made.out)) == {run: [made.spec.sweep_id] for run in made.runs}
