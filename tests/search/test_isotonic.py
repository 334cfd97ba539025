"""The second opinion, and the tests for scores that fall again."""

from __future__ import annotations

import math

import pytest

from intdim.search.isotonic import (
    LEAST_NOISE,
    bands_of,
    by_dimension,
    contradiction,
    crossing_by_isotonic_fit,
    dips,
    noise_of,
)


def test_scores_are_gathered_by_dimension_without_failed_runs():
    groups = by_dimension([(10, 0.5), (3, math.nan), (7, 0.2), (10, math.nan), (7, 0.4)])
    assert [(d, scores.tolist()) for d, scores in groups] == [(7, [0.2, 0.4]), (10, [0.5])]
    assert by_dimension([]) == []


def test_dimensions_within_a_factor_of_1_3_are_one_band():
    bands = bands_of([(100, 0.5), (129, 0.6), (131, 0.8), (135, 0.9)])  # counted from the first d of the band
    assert [(band.d, band.scores.tolist()) for band in bands] == [(100, [0.5, 0.6]), (131, [0.8, 0.9])]
    assert bands[0].median == pytest.approx(0.55)


def test_noise_is_the_root_of_the_median_variance_of_replicates():
    assert noise_of(bands_of([(10, 0.5), (100, 0.6)])) == LEAST_NOISE  # no replicates
    assert noise_of(bands_of([(10, 0.5), (10, 0.5)])) == LEAST_NOISE
    scattered = [(10, 0.4), (10, 0.6), (100, 0.6), (100, 0.7), (1000, 0.1), (1000, 0.9)]
    assert noise_of(bands_of(scattered)) == pytest.approx(math.sqrt(0.02))
    assert noise_of(bands_of([*scattered[:2], (10, math.inf)])) == pytest.approx(math.sqrt(0.02))  # bounds have none


def test_decreasing_scores_are_pooled():
    points = [(10, 0.4), (100, 0.8), (1000, 0.6), (10_000, 0.9)]  # 0.8 and 0.6 become 0.7 each
    assert crossing_by_isotonic_fit(points, 0.55) == pytest.approx(10 * math.sqrt(10))
    assert crossing_by_isotonic_fit(points, 0.8) == pytest.approx(1000 * math.sqrt(10))


def test_a_neighbour_whose_median_is_unknown_gives_no_crossing():
    points = [(10, 0.4), (100, 0.6), (1000, 0.8)]
    assert crossing_by_isotonic_fit(points, 0.7, bounded={10}) is not None
    assert crossing_by_isotonic_fit(points, 0.7, bounded={100}) is None
    assert crossing_by_isotonic_fit(points, 0.7, bounded={1000}) is None


def test_a_dip_needs_enough_runs_on_both_sides_and_clear_medians():
    early, late = [(100, 0.9), (100, 0.9)], [(5000, 0.7)] * 3
    assert dips(early + late, 0.81)
    assert not dips(early[:1] + late, 0.81)
    assert not dips(early + late[:2], 0.81)
    assert not dips([(5000, 0.9)] * 2 + [(100, 0.7)] * 3, 0.81)  # rising
    assert not dips(early + [(5000, 0.807)] * 3, 0.81)  # within the noise
    assert not dips(early + late, 0.95)


def test_another_run_where_a_larger_d_scored_lower():
    points = [(100, 0.88), (100, 0.87), (5000, 0.5)]
    assert contradiction(points, 0.81) == 5000
    assert contradiction([*points, (5000, 0.89)], 0.81) is None  # one of two: that run had collapsed
    assert contradiction([(100, 0.88), (5000, 0.5), (5000, 0.5), (5000, 0.51)], 0.81) == 100
    assert contradiction([(100, 0.5), (5000, 0.88)], 0.81) is None
    assert contradiction([(100, 0.82), (5000, 0.80)], 0.81) is None  # within the noise


def test_isotonic_crossing_is_log_linear():
    assert crossing_by_isotonic_fit([(10, 0.5), (1000, 0.7)], 0.6) == pytest.approx(100.0)
    assert crossing_by_isotonic_fit([(10, 0.5), (10, 0.5), (100, 0.65), (1000, 0.55)], 0.6) == pytest.approx(100.0)
    assert crossing_by_isotonic_fit([(10, 0.9), (1000, 0.95)], 0.6) is None
    assert crossing_by_isotonic_fit([(10, 0.5)], 0.6) is None
