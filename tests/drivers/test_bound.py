"""The driver of a bound over simulated runs: an optimum inside the range, a budget that is kept, nothing made twice."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from intdim import durable
from intdim.drivers.bound import Found
from intdim.errors import RunFailed, UserError
from intdim.ledger.certificate import Certificate
from intdim.ledger.store import Ledger
from intdim.spec import SubspaceSpec
from tests import cells
from tests.drivers.certifying import Certifying, N, search


def tried(found: Found) -> list[Certificate]:
    return [bound.certificate for bound in found.tried]


def test_the_best_d_is_inside_and_its_half_and_double_are_worse(tmp_path: Path) -> None:
    world = Certifying()
    found = search(world, tmp_path, (16, 64, 256, 1024), max_runs=30)
    values: dict[int, float] = {}
    for row in tried(found):
        values[row.d] = min(row.certificate, values.get(row.d, 1.0))
    best = found.best.certificate.d
    assert values[best] == min(values.values()) == found.best.certificate.certificate < 0.5
    assert {best // 2, 2 * best} <= set(values)
    assert min(values) < best < max(values)
    assert {16, 64, 256, 1024} < set(values)
    with found.table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["d"]) for row in rows] == sorted(row.d for row in tried(found))


def test_the_step_length_is_chosen_by_the_training_score_alone(tmp_path: Path) -> None:
    world = Certifying()
    found = search(world, tmp_path, (64, 256), max_runs=6, step_lengths=(0.1, 3.0, 90.0))
    assert len(world.made) == 6
    assert found.best.certificate.step_length == cells.BEST_LENGTH
    assert len(world.certified) == 2


@pytest.mark.parametrize("max_runs", [2, 3, 5, 8, 30])
def test_no_more_runs_are_made_than_allowed_and_none_twice(tmp_path: Path, max_runs: int) -> None:
    world = Certifying()
    found = search(world, tmp_path, (64, 256), max_runs)
    assert len(world.made) <= max_runs
    assert len({spec.run_id for spec in world.made}) == len(world.made)
    again = Certifying()
    assert search(again, tmp_path, (64, 256), max_runs) == found
    assert (again.made, again.certified) == ([], [])


def test_what_is_left_of_the_budget_goes_into_other_seeds(tmp_path: Path) -> None:
    first = Certifying()
    plain = search(first, tmp_path / "a", (64, 256), 20).best.certificate
    others = [spec for spec in first.made if spec.d == plain.d and spec.step_length == plain.step_length]
    assert len(others) > 3
    lucky = others[3].seed
    found = search(Certifying(best_seed=lucky), tmp_path / "b", (64, 256), 20).best.certificate
    assert found.seed == lucky
    assert found.certificate < plain.certificate


def test_the_ladder_stops_where_the_examples_cannot_pay(tmp_path: Path) -> None:
    found = search(Certifying(), tmp_path, max_runs=12)
    assert {16, 64, 256, 1024} <= {row.d for row in tried(found)}
    assert max(row.d for row in tried(found)) <= 4 * N


def test_said_counts_its_scales(tmp_path: Path) -> None:
    found = search(Certifying(), tmp_path, max_runs=12, subspace=SubspaceSpec("said", "one_hot", "global", "layer", ()))
    assert {20, 68, 260} <= {row.d for row in tried(found)}  # m = 4


def test_a_d_whose_runs_all_fail_is_left_out(tmp_path: Path) -> None:
    class Failing(Certifying):
        def run(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
            result = super().run(payload, report)
            if result["d"] == 64:
                result |= {"status": "failed", "reason": "the loss is not finite", "train_score": None}
                folder = Ledger(Path(payload["runtime"]["out"])).run_folder(result["run_id"])
                durable.write_json(folder / "result.json", result)
            return result

    found = search(Failing(), tmp_path, (64, 256), 6)
    assert 64 not in {row.d for row in tried(found)}
    with pytest.raises(RunFailed, match="ended well"):
        search(Failing(), tmp_path / "b", (64,), 6)


@pytest.mark.parametrize(
    ("dimensions", "max_runs", "said"),
    [((64, 256, 1024), 2, "3 dimensions with max_runs=2"), ((10**9,), 5, "does not fit"), ((), 1, "with max_runs=1")],
)
def test_a_search_that_makes_no_sense_writes_nothing(tmp_path: Path, dimensions, max_runs: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        search(Certifying(), tmp_path / "out", dimensions, max_runs)
    assert not (tmp_path / "out").exists()
