"""Measurements of what cannot be measured, or only just: the program ends, and the verdict claims no more."""

from __future__ import annotations

import numpy as np
import pytest

from intdim.ledger.results import Answers
from intdim.measurement.bar_errors import bar_errors
from intdim.measurement.record import make_verdict
from tests.measurement.simulated import logistic, measured


def full(spec):
    return spec.subspace.method == "full"


def test_a_baseline_that_does_not_learn_ends_it_before_any_run_in_the_subspace():
    made = measured(lambda spec: 0.5 + 0.004 * np.random.default_rng(spec.seed).standard_normal())
    verdict = make_verdict(made)
    assert (verdict.status, verdict.d90, verdict.d90_low, verdict.d90_high) == ("no_baseline", None, None, None)
    assert made.observed == []
    assert "does not beat the majority class" in verdict.message


def test_two_evaluation_examples_find_nothing():
    """Scores are 0, 0.5 or 1, and answers to other examples might be anything."""

    def coarse(spec):
        return round(2 * logistic(spec)) / 2

    def answers(run_id):
        right = round(2 * made.results[run_id].score)
        return Answers((np.arange(2) >= right).astype(int), np.zeros(2, dtype=int), np.ones(2))

    made = measured(coarse)
    made.answers = answers
    verdict = make_verdict(made)
    assert bar_errors(made)["absolute"][0].std() > 0.1
    assert verdict.status != "found"
    assert verdict.d90 is None


def test_scores_in_hundredths_give_the_d90_of_exact_ones():
    exact = make_verdict(measured())
    coarse = make_verdict(measured(lambda spec: round(logistic(spec), 2)))
    assert exact.status == coarse.status == "found"
    assert coarse.d90 == pytest.approx(exact.d90, rel=0.15)
    assert coarse.d90_low < exact.d90 < coarse.d90_high
    assert coarse.d90_low < coarse.d90 < coarse.d90_high


def test_a_single_length_is_said_not_to_be_covered():
    assert any("step length" in warning for warning in make_verdict(measured(step_lengths=(3.0,))).warnings)
    assert not any("step length" in warning for warning in make_verdict(measured()).warnings)


def test_runs_that_all_collapsed_are_no_d90_above_the_range():
    def collapsed(spec):
        return logistic(spec) if full(spec) else 0.5

    verdict = make_verdict(measured(collapsed))
    assert (verdict.status, verdict.d90, verdict.d90_low) == ("no_learning", None, None)


def test_runs_that_all_failed_are_no_evidence():
    verdict = make_verdict(measured(lambda spec: logistic(spec) if full(spec) else float("nan")))
    assert verdict.status not in ("found", "above_range", "below_range")
    assert verdict.d90 is None
