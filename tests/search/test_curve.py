"""A learning curve, its prior, and the likelihood of scores, against formulas and integrals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import t

from intdim.search.curve import (
    DIMENSIONS,
    Curves,
    Setting,
    collapsed_beyond,
    collapsed_density,
    log_likelihood,
    unpack,
)
from intdim.search.particles import Particles

SETTING = Setting(8, 65_536, 0.81, 0.9, 0.5, 0.0)


def curve(**changed: float) -> Curves:
    """One curve: a logistic from 0.5 to 0.9 around log d = 6 of width 1."""
    values = {
        "middle": 6.0, "left": 2.0, "right": 2.0, "second": 0.0, "later": 8.0, "width": 1.0, "ceiling": 0.9,
        "floor": 0.5, "noise": 0.01, "heavier": 0.0, "collapse": 0.05, "threshold": 0.81,
    }  # fmt: skip
    return Curves(**{name: np.array([value]) for name, value in (values | changed).items()})


def test_a_setting_has_its_range_in_logarithms_and_a_gap():
    assert (SETTING.low, SETTING.high) == (math.log(8), math.log(65_536))
    assert SETTING.gap == pytest.approx(0.4)
    assert Setting(1, 2, 0.5, 0.5, 0.5, 0.0).gap == 1e-3


def test_one_step_is_a_logistic():
    x = np.array([2.0, 5.0, 6.0, 7.5])
    assert curve().share(x)[0] == pytest.approx(1 / (1 + np.exp(-(x - 6))))
    assert curve().mean(x)[0] == pytest.approx(0.5 + 0.4 / (1 + np.exp(-(x - 6))))


def test_the_sides_of_a_step_have_widths_of_their_own():
    share = curve(left=1.0, right=4.0).share(np.array([5.0, 6.0, 7.0]))[0]
    assert share == pytest.approx([0.5 + 0.5 * math.tanh(-1), 0.5, 0.5 + 0.5 * math.tanh(0.25)])


def test_a_second_step_makes_its_share_of_the_rise():
    share = curve(second=0.3, left=0.1, right=0.1, width=0.1).share(np.array([0.0, 7.0, 12.0]))[0]
    assert share == pytest.approx([0.0, 0.7, 1.0], abs=1e-9)


def test_where_a_known_curve_crosses():
    expected = 6 + math.log(0.775 / 0.225)  # 0.81 is 0.775 of the way from 0.5 to 0.9
    assert curve().crossing(SETTING.low, SETTING.high)[0] == pytest.approx(expected, abs=1e-3)
    assert curve().crossing(SETTING.low, SETTING.high, shift=-0.11)[0] == pytest.approx(6.0, abs=1e-3)
    assert curve().crossing(SETTING.low, SETTING.high, shift=0.1)[0] == math.inf
    assert curve().crossing(7.5, SETTING.high)[0] == -math.inf


def test_the_prior_spans_what_it_says():
    curves = unpack(np.random.default_rng(0).random((20_000, DIMENSIONS)), SETTING)
    beyond = (SETTING.high - SETTING.low) / 3
    assert curves.middle.min() > SETTING.low - beyond
    assert curves.middle.max() < SETTING.high + beyond
    assert (curves.second > 0).mean() == pytest.approx(0.5, abs=0.02)
    assert curves.second.max() <= 0.9
    later = np.exp(curves.later - curves.middle)
    assert 1.49 < later.min() < later.max() < 404
    assert (curves.ceiling <= 1).all()
    assert np.median(curves.ceiling) == pytest.approx(0.9 - 0.004, abs=1e-3)
    assert np.median(curves.floor) == pytest.approx(0.5 + 0.008, abs=1e-3)
    assert np.median(curves.noise) == pytest.approx(0.009, rel=0.02)
    assert 0.005 <= curves.collapse.min() < curves.collapse.max() <= 0.12
    assert (curves.threshold == 0.81).all()


def test_the_baselines_error_moves_threshold_and_ceiling_together():
    cube = np.full((2, DIMENSIONS), 0.5)
    cube[1, 11] = 0.8413447460685429  # one standard deviation
    middle, above = unpack(cube, Setting(8, 65_536, 0.81, 0.9, 0.5, 0.02)).threshold
    assert (middle, above) == (pytest.approx(0.81), pytest.approx(0.83))
    ceilings = unpack(cube, Setting(8, 65_536, 0.81, 0.9, 0.5, 0.02)).ceiling
    assert ceilings[1] - ceilings[0] == pytest.approx(0.02)


def test_the_likelihood_of_one_score_by_hand():
    x, y = np.array([6.0]), np.array([0.69])
    made = log_likelihood(curve(heavier=2.0), x, y, SETTING)[0, 0]
    spread = 0.01 * (1 + 2.0 * 0.5)
    normal = math.exp(-0.5 * (0.01 / spread) ** 2) / spread / math.sqrt(2 * math.pi)
    wide = 0.05 * 0.4 + 0.01
    collapsed = 0.6 * math.exp(-0.5 * (0.19 / wide) ** 2) / wide / math.sqrt(2 * math.pi)
    collapsed += 0.37 / (0.2 + 0.04) + 0.03 / 0.6
    assert made == pytest.approx(math.log(0.95 * normal + 0.05 * collapsed), rel=1e-9)


def test_a_failed_run_is_no_evidence_about_the_curve():
    x, y = np.array([6.0, 7.0]), np.array([np.nan, 0.8])
    for collapse in (0.1, 0.05):
        both = log_likelihood(curve(collapse=collapse), x, y, SETTING)
        assert both[0, 0] == 0.0
        assert both[0, 1] == log_likelihood(curve(collapse=collapse), x[1:], y[1:], SETTING)[0, 0]


def test_the_error_of_few_seeds_has_heavier_tails_and_only_its_share_is_in_the_threshold():
    cube = np.full((3, DIMENSIONS), 0.5)
    cube[:, 11] = ndtr([-2.0, 0.0, 2.0])
    normal = unpack(cube, Setting(8, 65_536, 0.81, 0.9, 0.5, 0.01)).threshold
    heavy = unpack(cube, Setting(8, 65_536, 0.81, 0.9, 0.5, 0.01, 2.0, 0.9)).threshold
    assert normal - 0.81 == pytest.approx([-0.02, 0.0, 0.02], abs=1e-6)
    assert heavy - 0.81 == pytest.approx(0.9 * 0.01 * t.ppf(ndtr([-2.0, 0.0, 2.0]), 2), abs=1e-5)


def test_a_collapsed_run_beyond_a_score_is_its_density_above_it():
    mean, scores = np.array([[0.8]]), np.linspace(0.5, 1.1, 6001)
    density, above = collapsed_density(scores, mean, SETTING)[0], collapsed_beyond(scores, mean, SETTING)[0]
    integral = (0.5 * (density[1:] + density[:-1]) * np.diff(scores)).sum()
    assert above[0] - above[-1] == pytest.approx(integral, abs=1e-3)
    assert (np.diff(above) <= 0).all()


def test_a_lower_bound_is_the_integral_of_the_scores_above_it():
    """The likelihood of "at least y" falls with y by the density of y."""
    setting = Setting(8, 65_536, 0.81, 0.9, 0.5, 0.0)
    curves = unpack(np.random.default_rng(0).random((200, 12)), setting)
    y = np.linspace(0.52, 0.9, 60_001)  # above chance: below it a little of a collapsed run's density is cut off
    x = np.full_like(y, np.log(300.0))
    density = np.exp(log_likelihood(curves, x, y, setting))
    above = np.exp(log_likelihood(curves, x, y, setting, np.ones(len(y), dtype=bool)))
    integral = (0.5 * (density[:, 1:] + density[:, :-1]) * np.diff(y)).sum(axis=1)
    assert above[:, 0] - above[:, -1] == pytest.approx(integral, abs=2e-3)
    assert (np.diff(above, axis=1) <= 1e-12).all()
    assert ((above > 0) & (above < 1)).all()
    none = log_likelihood(curves, x[:3], y[:3], setting, np.zeros(3, dtype=bool))
    assert (none == log_likelihood(curves, x[:3], y[:3], setting)).all()


def test_a_crossing_is_where_the_curve_meets_the_threshold():
    setting = Setting(8, 65_536, 0.81, 0.9, 0.5, 0.01)
    curves = Particles.prior(setting, 0, 500).curves
    x = curves.crossing(setting.low, setting.high)
    inside = np.isfinite(x)
    assert 0.3 < inside.mean() < 0.9
    there = np.diag(curves.mean(np.where(inside, x, 0.0)))[inside]
    assert np.abs(there - curves.threshold[inside]).max() < 2e-3
    ends = curves.mean(np.array([setting.low, setting.high]))
    assert (ends[x == -np.inf, 0] >= curves.threshold[x == -np.inf]).all()
    assert (ends[x == np.inf, 1] < curves.threshold[x == np.inf]).all()
