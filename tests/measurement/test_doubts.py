"""What makes a verdict doubtful is said, and nothing where nothing does."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from intdim.measurement.doubts import collapsed_runs, nothing_learnt, warnings_of
from intdim.measurement.program import runs_to_go
from intdim.measurement.record import make_verdict
from intdim.spec import DataFacts, derive_seed
from tests import cells
from tests.measurement.simulated import logistic, measured


def full(spec):
    return spec.subspace.method == "full"


def test_a_plain_measurement_has_no_warnings():
    assert warnings_of(measured()) == []
    assert make_verdict(measured()).warnings == []


def test_runs_that_learn_nothing_are_not_above_the_range():
    def stuck(spec):
        return logistic(spec) if full(spec) else 0.5 + 0.01 * np.random.default_rng(spec.seed).standard_normal()

    made = measured(stuck)
    verdict = make_verdict(made)
    assert nothing_learnt(made)
    assert verdict.status == verdict.other.status == "no_learning"
    assert (verdict.d90, verdict.d90_low, verdict.d90_high, verdict.other.d90_low) == (None,) * 4
    assert "Raise train.max_steps, or widen train.step_grid" in verdict.message


def test_one_run_that_learns_is_learning():
    def one(spec):
        return logistic(spec) if full(spec) or spec.d > 10_000 else 0.5

    assert not nothing_learnt(measured(one))
    assert make_verdict(measured(one)).status != "no_learning"


def test_a_best_rate_on_the_edge_of_what_was_tried_is_said():
    def rising(spec):
        return min(0.6 + 0.05 * math.log(spec.learning_rate / 1e-3), 0.99) if full(spec) else logistic(spec)

    (warning,) = [one for one in warnings_of(measured(rising, learning_rates=(1e-3, 3e-3))) if "rate" in one]
    assert "0.243, is the largest that was tried" in warning
    assert "Widen train.learning_rate" in warning
    assert warnings_of(measured(learning_rates=(1e-3,))) == []


def test_runs_that_do_not_fit_their_training_examples_are_too_short():
    made = measured(lambda spec: 0.9 if full(spec) else 0.7 + 0.002 * (spec.seed % 3))
    for name, result in made.results.items():
        made.results[name] = replace(result, train_score=0.95)
    made.observed = [replace(result, train_score=0.72) for result in made.observed]
    (warning,) = [one for one in warnings_of(made) if "too short" in one]
    assert "0.720 at best" in warning
    made.observed = [replace(result, train_score=0.9) for result in made.observed]
    assert not any("too short" in one for one in warnings_of(made)), "they fit, and do not generalise"


def test_a_failing_baseline_keeps_its_own_status():
    verdict = make_verdict(measured(lambda spec: 0.5))
    assert verdict.status == "no_baseline"


def test_seeds_of_the_baseline_that_differ_are_named():
    def apart(spec):
        return logistic(spec) - 0.08 * (spec.seed % 3) if full(spec) else logistic(spec)

    (warning,) = [one for one in warnings_of(measured(apart)) if "seeds of full fine-tuning" in one]
    assert "more than a twentieth of its gain" in warning
    assert "train.baseline_seeds" in warning


def test_baseline_seeds_that_did_not_train_are_named():
    def lost(spec):
        return 0.5 if full(spec) and spec.seed == derive_seed(0, "full", 4) else logistic(spec)

    made = measured(lost, baseline_seeds=8)
    assert made.baseline.collapsed == 1
    assert any("seeds of full fine-tuning did not train" in one for one in warnings_of(made))
    assert made.baseline.mean > 0.88
    assert make_verdict(made).baseline_collapsed == made.baseline.collapsed


def test_a_single_step_length_is_not_covered_by_the_interval():
    (warning,) = warnings_of(measured(step_lengths=(3.0,)))
    assert "the interval does not cover" in warning


def test_collapsed_and_failed_runs_are_counted():
    made = measured()
    top = max(made.observed, key=lambda result: result.score)
    made.observed += [replace(top, eval_score=0.5), replace(top, eval_score=None, status="failed")]
    assert [result.score for result in collapsed_runs(made)] == [0.5]
    said = " ".join(warnings_of(made))
    assert "1 run collapsed, it seems" in said
    assert "1 run failed" in said


def test_warnings_about_the_data_come_first():
    made = measured()
    made.facts = replace(cells.prepared().facts, data=DataFacts(warnings=("12 % of the texts were cut.",)))
    assert make_verdict(made).warnings == ["12 % of the texts were cut."]
    assert make_verdict(made).data.warnings == ("12 % of the texts were cut.",)


def test_a_trivial_bar_is_a_warning():
    made = measured()
    made.facts = replace(cells.prepared().facts, chance=0.85)
    assert any("trivially easy" in one for one in make_verdict(made).warnings)


def test_a_spent_budget_says_how_far_more_runs_get():
    few = replace(cells.SEARCH, max_runs=4)
    verdict = make_verdict(measured(search=few))
    assert verdict.status == "budget_spent"
    assert "search.max_runs=" in verdict.message


@pytest.mark.parametrize(("low", "high", "runs", "more"), [(100, 1600, 12, 36), (None, 10, 12, None), (10, 20, 12, 1)])
def test_the_width_shrinks_with_the_root_of_the_runs(low, high, runs, more):
    assert runs_to_go(low, high, runs) == more
    if more and more > 1:
        assert math.log(high / low) / math.sqrt((runs + more) / runs) == pytest.approx(math.log(4))


def test_a_threshold_within_the_error_of_chance_is_a_warning_and_not_trivial():
    made = measured()
    close = made.threshold("absolute") - 0.005
    made.facts = replace(cells.prepared().facts, chance=close, chance_se=0.01)
    verdict = make_verdict(made)
    assert not verdict.trivial
    assert any("says little" in one for one in verdict.warnings)
    made.facts = replace(made.facts, chance_se=0.004)
    assert not any("says little" in one for one in make_verdict(made).warnings)


def test_an_update_that_the_forward_pass_does_not_see_is_said():
    made = measured()
    first = made.observed[0]
    assert make_verdict(made).least_cosine == 1.0
    for cosine, words in ((0.96, []), (0.912, ["0.91"]), (None, [])):
        made.results[first.run_id] = replace(first, update_cosine=cosine)
        made.observed[0] = made.results[first.run_id]
        found = [words for words in warnings_of(made) if "forward pass sees" in words]
        assert len(found) == len(words)
        assert all(word in sentence for word, sentence in zip(words, found, strict=True))
        assert make_verdict(made).least_cosine == (1.0 if cosine is None else cosine)
