"""What is removed is gone whole; what something stands on, or somebody is at, is known before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from intdim.errors import RunFailed
from intdim.ledger import removal
from intdim.ledger.commands import read_all
from intdim.ledger.named import find
from intdim.ledger.overview import overview
from intdim.ledger.removal import Removal
from intdim.ledger.store import Ledger
from tests import certificates, small_ledger


def planned(out: Path, *words: str, runs: bool = False) -> list[Removal]:
    seen = overview(out)
    return removal.plan(seen, [find(seen, word) for word in words], runs)


def remove_all(out: Path, chosen: list[Removal]) -> None:
    for one in chosen:
        removal.remove(overview(out), one)


def test_a_run_that_nothing_stands_on_goes(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    lone = small_ledger.single(tmp_path, seed=99)
    (one,) = planned(tmp_path, lone)
    assert (one.stands, one.busy) == ((), "")
    assert one.size == sum(file.stat().st_size for file in (tmp_path / "runs" / lone).iterdir())
    removal.remove(overview(tmp_path), one)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(made.runs)


def test_verdicts_and_certificates_stand_on_runs(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    run = made.observed[0]
    folder = tmp_path / "bounds" / "cafe"
    folder.mkdir(parents=True)
    certificates.certificate(run_id=run).write(folder)
    (one,) = planned(tmp_path, run)
    assert one.stands == (f"sweep {made.spec.sweep_id}", "certificate cafe")


def test_a_sweep_goes_with_the_runs_that_nothing_else_stands_on(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    other = small_ledger.sweep(tmp_path, seed=0, method="said")
    assert made.baselines == other.baselines
    (alone,) = planned(tmp_path, made.spec.sweep_id)
    assert alone.kind == "sweep"
    chosen = planned(tmp_path, made.spec.sweep_id, runs=True)
    assert [one.id for one in chosen] == [made.spec.sweep_id, *made.observed, *made.tried]
    remove_all(tmp_path, chosen)
    assert [line.sweep_id for line in overview(tmp_path).sweeps] == [other.spec.sweep_id]
    assert {path.name for path in (tmp_path / "runs").iterdir()} == set(other.runs)


def test_what_is_known_of_a_command_stays_and_its_sweep_does_not_come_back(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    done = small_ledger.command(made.spec.sweep_id, state="finished", ended="2026-11-27T01:36:07Z", runs=("r",))
    small_ledger.write(tmp_path, done)
    remove_all(tmp_path, planned(tmp_path, made.spec.sweep_id))
    assert overview(tmp_path).sweeps == []
    (kept, _), *_ = read_all(tmp_path)[0]
    assert kept.runs == ("r",)


def test_a_run_that_is_being_made_stays(tmp_path: Path) -> None:
    run = small_ledger.single(tmp_path)
    ledger = Ledger(tmp_path)
    small_ledger.write(tmp_path, small_ledger.command(running=(run,)))
    (one,) = planned(tmp_path, run)
    assert one.busy.startswith("process ")
    with ledger.claim(ledger.run_folder(run)), pytest.raises(RunFailed, match="another process is making the run"):
        removal.remove(overview(tmp_path), one)
    assert ledger.result(run) is not None


def test_a_run_that_a_running_command_made_or_found_is_needed(tmp_path: Path) -> None:
    first, second = (small_ledger.single(tmp_path, seed=seed) for seed in (1, 2))
    small_ledger.write(tmp_path, small_ledger.command("aa", runs=(first,), found=(second,)))
    assert all(one.busy for one in planned(tmp_path, first, second))


def test_a_sweep_that_runs_is_busy(tmp_path: Path) -> None:
    small_ledger.write(tmp_path, small_ledger.command("aa"))
    (one,) = planned(tmp_path, "aa")
    assert one.busy


def test_what_a_killed_removal_left_is_cleared_and_a_link_is_not_followed(tmp_path: Path) -> None:
    run = small_ledger.single(tmp_path / "out")
    runs = tmp_path / "out" / "runs"
    (runs / ".removed-abc-1").mkdir()
    elsewhere = tmp_path / "elsewhere"
    shutil.move(runs / run, elsewhere)
    (runs / run).symlink_to(elsewhere)
    remove_all(tmp_path / "out", planned(tmp_path / "out", run))
    assert list(runs.iterdir()) == []
    assert (elsewhere / "result.json").exists()
