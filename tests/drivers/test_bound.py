"""The driver of a bound over simulated runs: an optimum inside the range, a budget that is kept, nothing made twice."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from intdim import durable
from intdim.bounds import occam_binomial
from intdim.drivers.bound import SearchRequest, bound_id, certify_cells, certify_run
from intdim.errors import RunFailed, UserError
from intdim.launch import InProcess
from intdim.ledger.finished import find_run
from intdim.ledger.store import Ledger
from intdim.request import BoundRequest
from intdim.spec import RunSpec, Runtime, SubspaceSpec, from_dict, to_dict
from tests import cells

ASKED = BoundRequest(0.05, (2, 3), ("uniform",), 0)
N = 8000


class Certifying(cells.Simulated):
    """Simulated runs with a folder as a worker leaves it, and certificates that follow from d and the score."""

    def __init__(self, best_seed: int | None = None, **shape: float) -> None:
        super().__init__(**shape)
        self.certified: list[str] = []
        self.best_seed = best_seed

    def launcher(self) -> InProcess:
        jobs = {"run": self.run, "prepare": self.prepare, "device": self.device, "certify": self.certify}
        return InProcess(jobs)

    def prepare(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        made = cells.prepared()
        return to_dict(dataclasses.replace(made, facts=dataclasses.replace(made.facts, train_examples=N)))

    def score(self, spec: RunSpec) -> float:
        return 0.99 if spec.seed == self.best_seed else super().score(spec)

    def run(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        spec, setting = from_dict(RunSpec, payload["spec"]), from_dict(Runtime, payload["runtime"])
        folder = Ledger(Path(setting.out)).run_folder(spec.run_id)
        durable.write_json(folder / "environment.json", {"runtime": to_dict(setting)})
        durable.write_bytes(folder / "z.safetensors", b"z")
        return super().run(payload, report)

    def certify(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        run = find_run(payload["run"], "")
        self.certified.append(run.spec.run_id)
        error, bits = 1 - run.result["train_score"], 30 + 2 * run.spec.d
        found = {
            "run_id": run.spec.run_id, "d": run.spec.d, "seed": run.spec.seed, "step_length": run.spec.step_length,
            "bits": bits, "train_error": error, "quantisation": "made up",
            "certificate": occam_binomial(error, bits, N, payload["settings"]["delta"]),
        }  # fmt: skip
        durable.write_json(Path(payload["folder"]) / "certificate.json", found)
        return found


def search(world: Certifying, folder: Path, dimensions=(), max_runs: int = 20, **changes: Any) -> dict[str, Any]:
    (found,) = certify_cells(
        [cells.cell(**changes)], ASKED, SearchRequest(tuple(dimensions), max_runs), cells.runtime(folder),
        launcher=world.launcher(),
    )  # fmt: skip
    return found


def test_the_best_d_is_inside_and_its_half_and_double_are_worse(tmp_path: Path) -> None:
    world = Certifying()
    found = search(world, tmp_path, (16, 64, 256, 1024), max_runs=30)
    values: dict[int, float] = {}
    for row in found["tried"]:
        values[row["d"]] = min(row["certificate"], values.get(row["d"], 1.0))
    best = found["d"]
    assert values[best] == min(values.values()) == found["certificate"] < 0.5
    assert {best // 2, 2 * best} <= set(values)
    assert min(values) < best < max(values)
    assert {16, 64, 256, 1024} < set(values)
    with Path(found["table"]).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["d"]) for row in rows] == sorted(row["d"] for row in found["tried"])


def test_the_step_length_is_chosen_by_the_training_score_alone(tmp_path: Path) -> None:
    world = Certifying()
    found = search(world, tmp_path, (64, 256), max_runs=6, step_lengths=(0.1, 3.0, 90.0))
    assert len(world.made) == 6
    assert found["step_length"] == cells.BEST_LENGTH
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
    plain = search(first, tmp_path / "a", (64, 256), 20)
    others = [spec for spec in first.made if spec.d == plain["d"] and spec.step_length == plain["step_length"]]
    assert len(others) > 3
    lucky = others[3].seed
    found = search(Certifying(best_seed=lucky), tmp_path / "b", (64, 256), 20)
    assert found["seed"] == lucky
    assert found["certificate"] < plain["certificate"]


def test_the_ladder_stops_where_the_examples_cannot_pay(tmp_path: Path) -> None:
    found = search(Certifying(), tmp_path, max_runs=12)
    assert {16, 64, 256, 1024} <= {row["d"] for row in found["tried"]}
    assert max(row["d"] for row in found["tried"]) <= 4 * N


def test_said_counts_its_scales(tmp_path: Path) -> None:
    found = search(Certifying(), tmp_path, max_runs=12, subspace=SubspaceSpec("said", "one_hot", "global", "layer", ()))
    assert {20, 68, 260} <= {row["d"] for row in found["tried"]}  # m = 4


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
    assert 64 not in {row["d"] for row in found["tried"]}
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


def test_a_certificate_of_one_run_is_kept_and_a_damaged_one_made_again(tmp_path: Path) -> None:
    world = Certifying()
    run = find_run(search(world, tmp_path, (64,), 1)["run_id"], str(tmp_path))
    run = dataclasses.replace(run, runtime=dataclasses.replace(run.runtime, task_folder=str(tmp_path)))
    found = certify_run(run, ASKED, cells.runtime(tmp_path), launcher=world.launcher())
    assert len(world.certified) == 1
    other = dataclasses.replace(ASKED, delta=0.01)
    assert bound_id(run, other) != found["bound_id"]
    certify_run(run, other, cells.runtime(tmp_path), launcher=world.launcher())
    assert len(world.certified) == 2
    (Path(found["folder"]) / "certificate.json").write_text("{")
    assert certify_run(run, ASKED, cells.runtime(tmp_path), launcher=world.launcher()) == found
    assert len(world.certified) == 3


def test_data_that_is_gone_and_regressions_are_refused(tmp_path: Path) -> None:
    run = find_run(search(Certifying(), tmp_path, (64,), 1)["run_id"], str(tmp_path))
    gone = dataclasses.replace(run, runtime=dataclasses.replace(run.runtime, task_folder=str(tmp_path / "gone")))
    with pytest.raises(UserError, match=r"prepared data of run .* is gone"):
        certify_run(gone, ASKED, cells.runtime(tmp_path), launcher=Certifying().launcher())
    scores = dataclasses.replace(run.spec, task=dataclasses.replace(run.spec.task, classes=0))
    with pytest.raises(UserError, match="is a regression"):
        certify_run(dataclasses.replace(run, spec=scores), ASKED, cells.runtime(tmp_path))
