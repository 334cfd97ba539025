"""The baseline: its rate, its seeds, and the error of its mean."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest
from scipy.stats import t

from intdim.measurement.baseline import PRIOR_STD, Baseline, best_rate, close_rates, measure_baseline, trained
from intdim.spec import RunSpec, SubspaceSpec
from tests import cells
from tests.records import result_of


def run(rate: float, k: int) -> RunSpec:
    prepared, cell = cells.prepared(), cells.cell()
    none = SubspaceSpec("full", "none", "none", "none", ())
    return RunSpec(prepared.model, prepared.task, none, cell.train, 0, 0.0, rate, seed=k)


def measured(score, seeds: int = 5, rates=(1e-3, 3e-3, 1e-2)) -> tuple[Baseline, list[list[RunSpec]]]:
    """Return a baseline whose runs score ``score(rate, seed)``, and the batches asked for."""
    program, batches, results = measure_baseline(rates, seeds, 0.5, run), [], None
    while True:
        try:
            batch = next(program) if results is None else program.send(results)
        except StopIteration as ended:
            return ended.value, batches
        batches.append(batch)
        scores = [score(one.learning_rate, one.seed) for one in batch]
        found = [None if math.isnan(one) else one for one in scores]
        results = [result_of(one, eval_score=s, select_score=s) for one, s in zip(batch, found, strict=True)]


def made(*scores: float) -> Baseline:
    return Baseline(1e-3, {1e-3: 0.9}, list(scores), list(scores), ["a"] * len(scores))


def test_the_seed_that_chose_the_rate_is_not_in_the_mean():
    found, batches = measured(lambda rate, seed: 0.9 - 0.2 * (rate != 3e-3) + (0.05 if seed == 0 else 0.0))
    assert found.learning_rate == 3e-3
    assert found.mean == pytest.approx(0.9)
    assert [one.seed for one in batches[-1]] == [1, 2, 3, 4, 5]


def test_rates_that_one_seed_cannot_tell_apart_get_more():
    def score(rate: float, seed: int) -> float:
        lucky = 0.02 if (rate, seed) == (1e-3, 0) else 0.0
        return 0.9 - 0.01 * abs(math.log(rate / 3e-3)) + lucky

    found, batches = measured(score)
    assert found.tried[1e-3] > found.tried[3e-3]
    assert found.learning_rate == 3e-3
    assert {one.seed for one in batches[-2]} == {1, 2}


def test_a_rate_whose_one_seed_collapsed_is_tried_again():
    found, _ = measured(lambda rate, seed: 0.5 if (rate, seed) == (3e-3, 0) else 0.9 - 0.1 * (rate != 3e-3))
    assert found.learning_rate == 3e-3


def test_a_best_rate_on_the_edge_extends_the_grid():
    found, batches = measured(lambda rate, seed: 0.6 + 0.05 * math.log10(rate * 1000))
    assert [one.learning_rate for one in batches[1]] == [0.03]
    assert max(found.tried) == 0.81


def test_rates_for_large_models_lead_to_the_rate_of_a_small_one():
    found, _ = measured(lambda rate, seed: 0.9 - 0.05 * abs(math.log(rate / 1.35e-3)), rates=(1e-5, 2e-5, 5e-5))
    assert found.learning_rate == 1.35e-3


def test_seeds_that_did_not_train_are_counted_and_no_part_of_the_mean():
    found, _ = measured(
        lambda rate, seed: (math.nan if seed == 1 else 0.52 if seed == 2 else 0.9) - 0.2 * (rate != 3e-3)
    )
    assert found.collapsed == 2
    assert found.scores == [0.9, 0.9, 0.9]
    assert len(found.run_ids) == 5


def test_a_baseline_that_learns_nothing_is_at_chance():
    found, _ = measured(lambda rate, seed: math.nan)
    assert found.scores == [0.5]
    stuck, _ = measured(lambda rate, seed: 0.49)
    assert stuck.mean == pytest.approx(0.49)


def test_the_error_has_a_t_distribution_and_agreeing_seeds_are_not_exact():
    agreeing = made(0.812, 0.812, 0.812)
    assert agreeing.std == 0.0
    assert agreeing.standard_error > 0.002
    assert agreeing.freedom == 4.0

    scores = [0.80, 0.82, 0.81, 0.79, 0.83, 0.80, 0.82, 0.81]
    plain = statistics.stdev(scores) / math.sqrt(8)
    assert made(*scores).standard_error == pytest.approx(plain, rel=0.1)
    assert made(0.8).standard_error == pytest.approx(PRIOR_STD)


def test_the_interval_of_the_mean_covers():
    """4,000 baselines of 3 seeds whose deviation is the prior's: 90 % intervals hold the mean in 88 to 97 %."""
    import numpy as np

    rng, held = np.random.default_rng(0), 0
    for _ in range(4000):
        one = made(*(0.9 + PRIOR_STD * rng.standard_normal(3)))
        held += abs(one.mean - 0.9) <= t.ppf(0.95, one.freedom) * one.standard_error
    assert 0.88 < held / 4000 < 0.97


def test_one_seed_has_no_spread():
    assert made(0.8).std == 0.0
    assert replace(made(0.8, 0.9), collapsed=1).std == pytest.approx(0.0707, rel=0.01)


def test_which_seeds_trained():
    assert trained([0.9, 0.88, 0.55, math.nan], 0.5) == [True, True, False, False]
    assert trained([0.5, 0.49, math.nan], 0.5) == [True, True, False]


def test_close_rates():
    assert close_rates({1.0: 0.9, 2.0: 0.8, 3.0: 0.7}, 0.5) == [1.0]
    assert close_rates({1.0: 0.89, 2.0: 0.9, 3.0: 0.7}, 0.5) == [1.0, 2.0]
    assert close_rates({1.0: 0.9, 2.0: 0.5, 3.0: 0.9}, 0.5) == [1.0, 2.0]
    assert close_rates({1.0: math.nan}, 0.5) == []
    assert close_rates({1.0: 0.4, 2.0: 0.3}, 0.5) == [1.0]


def test_the_best_rate_is_by_seeds_that_trained():
    assert best_rate({1.0: [0.5, 0.92, 0.92], 2.0: [0.9, 0.9, 0.9]}, 0.5) == 1.0
    assert best_rate({1.0: [math.nan], 2.0: [math.nan]}, 0.5) == 1.0
