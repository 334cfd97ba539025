"""What is recorded of a measurement: its verdict by both thresholds, its points, and the error of the bar."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from intdim.ledger.results import Answers
from intdim.measurement.bar_errors import bar_errors
from intdim.measurement.record import make_points, make_verdict, six_digits
from intdim.spec import from_dict, to_dict
from tests import cells
from tests.measurement.simulated import logistic, measured


def test_the_verdict_says_what_was_measured():
    made = measured()
    verdict = make_verdict(made)
    assert from_dict(type(verdict), to_dict(verdict)) == verdict
    assert verdict.status == "found"
    assert verdict.d90_low < verdict.d90 < verdict.d90_high
    assert verdict.threshold == pytest.approx(0.9 * verdict.baseline_mean)
    assert (verdict.threshold_kind, verdict.other.threshold_kind) == ("absolute", "above_chance")
    assert verdict.other.threshold > verdict.threshold
    assert verdict.groups == "none"
    assert (verdict.d_min, verdict.d_max, verdict.chance) == (8, 65_536, 0.5)
    assert verdict.run_ids == [result.run_id for result in made.observed]
    named = {*verdict.run_ids, *verdict.baseline_run_ids, *verdict.other_run_ids}
    assert named == set(made.results)
    assert verdict.runs == len(made.results)
    assert verdict.curve is not None
    assert len(verdict.curve.d) == len(verdict.curve.median)


def test_without_answers_and_with_one_length_the_interval_is_that_of_the_seeds():
    verdict = make_verdict(measured(step_lengths=(3.0,)))
    assert (verdict.d90_low, verdict.d90_high) == (verdict.d90_low_seeds, verdict.d90_high_seeds)
    assert verdict.evaluation_noise_std is None
    assert verdict.resamples == 0


def test_the_error_of_the_bar_needs_answers_that_belong_to_the_scores():
    made = measured()
    assert bar_errors(made) == {}
    made.answers = lambda run_id: Answers(np.zeros(50), np.arange(50) % 2, np.ones(50))  # score 0.5, which no run has
    assert bar_errors(made) == {}


def test_answers_widen_the_interval():
    size = 400

    def rounded(spec):
        return round(logistic(spec) * size) / size

    made = measured(rounded)
    labels = np.zeros(size, dtype=int)

    def answers(run_id):
        right = round(made.results[run_id].score * size)
        wrong = np.random.default_rng(int(run_id, 16)).permutation(size) >= right
        return Answers(wrong.astype(int), labels, np.ones(size))

    alone = make_verdict(made)
    made.answers = answers
    verdict = make_verdict(made)
    assert verdict.evaluation_noise_std == pytest.approx(0.01, rel=0.3)
    assert verdict.d90_low < verdict.d90_low_seeds
    assert verdict.d90_high > verdict.d90_high_seeds
    assert (verdict.d90_low_seeds, verdict.d90_high_seeds) == (alone.d90_low_seeds, alone.d90_high_seeds)


def test_a_bar_that_chance_meets_is_trivial():
    made = measured()
    assert not make_verdict(made).trivial
    made.facts = replace(cells.prepared().facts, chance=0.85)
    verdict = make_verdict(made)
    assert verdict.trivial
    assert "trivially easy" in verdict.message


def test_points_reduce_the_runs_at_one_d():
    made = measured()
    first = made.observed[0]
    made.observed = [first, replace(first, eval_score=None, run_id="f"), replace(first, run_id="g", step_length=9.0)]
    points = {point.step_length: point for point in make_points(made)}  # other lengths are no seeds of each other
    point = points[f"{first.step_length:g}"]
    assert (point.seeds, point.score_mean, point.score_std) == (2, first.eval_score, None)
    assert point.run_ids == f"{first.run_id} f"
    assert (points["9"].seeds, points["9"].run_ids) == (1, "g")
    made.observed = [made.observed[1]]
    assert make_points(made)[0].score_mean is None


def test_six_digits():
    assert six_digits(math.pi * 1e5) == 314159.0
