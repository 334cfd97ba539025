"""Which runs a point takes, and which of them counts."""

from __future__ import annotations

import math
from dataclasses import replace

from intdim.ledger.results import RunResult
from intdim.measurement.points import Place, measure_points
from intdim.measurement.steplength import StepLengths
from intdim.spec import RunSpec
from tests import cells
from tests.records import result_of


def run(d: int, length: float, k: int) -> RunSpec:
    prepared, cell = cells.prepared(), cells.cell()
    spec = RunSpec(prepared.model, prepared.task, cell.subspace, cell.train, d, length, 0.0, seed=k)
    return replace(spec, seed=100 * d + k)


def made_by(places: list[Place], lengths: StepLengths, score) -> tuple[list[RunResult], list[list[RunSpec]]]:
    """Return the results that count, and the batches asked for."""
    program, batches, results = measure_points(places, lengths, run), [], None
    while True:
        try:
            batch = next(program) if results is None else program.send(results)
        except StopIteration as ended:
            return ended.value, batches
        batches.append(batch)
        results = [result_of(one, eval_score=score(one), select_score=score(one)) for one in batch]


def peaked(spec: RunSpec) -> float:
    """Best at s = 10."""
    return 0.5 + 0.35 * math.exp(-0.5 * (math.log(spec.step_length / 10) / 0.8) ** 2)


def lengths(*grid: float) -> StepLengths:
    return StepLengths(grid, 8, 65_536, 0.5, 0.4)


def test_the_first_place_takes_the_grid_and_its_neighbours_with_one_seed():
    (counts,), batches = made_by([Place(100, 0)], lengths(3.0, 10.0, 30.0), peaked)
    assert [[one.step_length for one in batch] for batch in batches] == [[3.0, 10.0, 30.0], [5.78, 17.3]]
    assert len({one.seed for batch in batches for one in batch}) == 1
    assert 5.0 < counts.step_length < 18.0


def test_a_second_seed_takes_one_length_and_a_new_region_three():
    known = lengths(3.0, 10.0, 30.0)
    made_by([Place(100, 0)], known, peaked)
    again, batches = made_by([Place(100, 1), Place(10_000, 0)], known, peaked)
    assert [len(batch) for batch in batches[:2]] == [1, 3]
    assert [one.d for one in again] == [100, 10_000]
    assert known.tuned == [100, 10_000]


def test_two_places_of_one_new_region_tune_it_once():
    known = lengths(3.0, 10.0, 30.0)
    counts, batches = made_by([Place(100, 0), Place(100, 1)], known, peaked)
    assert [len(batch) for batch in batches] == [3, 2, 1]
    assert known.tuned == [100]
    assert [one.seed for one in counts] == [10_000, 10_001]


def test_a_run_at_chance_is_made_again_with_the_lengths_beside_it():
    known = lengths(3.0, 10.0, 30.0)
    made_by([Place(100, 0)], known, peaked)
    used = known.at(120)

    def unlucky(spec: RunSpec) -> float:
        return 0.5 if spec.step_length == used else peaked(spec)

    (counts,), batches = made_by([Place(120, 0)], known, unlucky)
    assert [len(batch) for batch in batches] == [1, 2]
    assert counts.score > 0.6


def test_one_given_length_is_used_everywhere():
    counts, batches = made_by([Place(100, 0), Place(9000, 0)], lengths(7.0), lambda spec: 0.5)
    assert [[one.step_length for one in batch] for batch in batches] == [[7.0, 7.0]]
    assert len(counts) == 2


def test_a_grid_on_which_nothing_is_learnt_ends():
    known = lengths(3.0, 10.0, 30.0)
    for d in (8, 40, 200, 1000, 5000, 25_000):
        _, batches = made_by([Place(d, 0)], known, lambda spec: 0.5)
        assert sum(len(batch) for batch in batches) <= 8
    assert known.grids == 4
