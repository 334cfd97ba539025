"""The particles: a prior spread evenly, tempering, proposals, and the posterior that plain weighting gives too."""

from __future__ import annotations

import numpy as np
import pytest

from intdim.search.curve import DIMENSIONS, Setting, log_likelihood, unpack
from intdim.search.particles import EFFECTIVE, REFINED, Particles, _propose, _tempering_step

SETTING = Setting(8, 65_536, 0.81, 0.9, 0.5, 0.0)


def test_the_prior_is_a_latin_hypercube():
    prior = Particles.prior(SETTING, 3, 50)
    assert prior.cube.shape == (50, DIMENSIONS)
    assert np.sort(prior.cube, axis=0) == pytest.approx(np.tile((np.arange(50) + 0.5)[:, None] / 50, DIMENSIONS))
    assert not len(prior.x) + len(prior.y) + len(prior.bound)
    assert (Particles.prior(SETTING, 3, 50).cube == prior.cube).all()
    assert (Particles.prior(SETTING, 4, 50).cube != prior.cube).any()


def test_scores_are_remembered_and_pull_the_curves():
    prior = Particles.prior(SETTING, 0, 300)
    x, y = np.log([100.0]), np.array([0.6])
    after = prior.update(x, y).update(np.log([3000.0]), np.array([0.85]), np.array([True]))
    assert after.x.tolist() == np.log([100.0, 3000.0]).tolist()
    assert after.y.tolist() == [0.6, 0.85]
    assert after.bound.tolist() == [False, True]
    spread = [np.std(particles.curves.mean(x)) for particles in (prior, after)]
    assert spread[1] < 0.5 * spread[0]
    assert abs(np.median(after.curves.mean(x)) - 0.6) < 0.03
    assert ((after.cube >= 0) & (after.cube <= 1)).all()


def test_the_same_scores_give_the_same_particles():
    prior, x, y = Particles.prior(SETTING, 0, 100), np.log([100.0]), np.array([0.6])
    assert (prior.update(x, y).cube == prior.update(x, y).cube).all()
    assert (prior.update(x, y).cube != Particles.prior(SETTING, 1, 100).update(x, y).cube).any()


def test_refined_particles_are_more_of_the_same_posterior():
    made = Particles.prior(SETTING, 0, 1000).update(np.log([100.0, 900.0, 9000.0]), np.array([0.6, 0.8, 0.88]))
    fine = made.refined()
    assert len(fine.cube) == REFINED * len(made.cube)
    assert fine.curves.middle.mean() == pytest.approx(made.curves.middle.mean(), abs=0.3)
    assert (fine.cube == made.refined().cube).all()
    assert len(np.unique(fine.cube[:, 0])) > 2 * len(np.unique(made.cube[:, 0]))


def effective(step, new):
    weights = np.exp(step * (new - new.max()))
    return weights.sum() ** 2 / (weights**2).sum()


def test_a_step_keeps_half_of_the_particles_effective():
    new = np.linspace(-400.0, 0.0, 1000)
    step = _tempering_step(new, 1.0)
    assert 0 < step < 1
    assert effective(step, new) >= EFFECTIVE * 1000
    assert effective(step + 1 / 30_000, new) < EFFECTIVE * 1000


def test_a_step_takes_all_that_is_left_if_it_can_and_never_nothing():
    assert _tempering_step(np.zeros(10), 0.3) == 0.3
    assert _tempering_step(np.array([0.0] + [-1e9] * 99), 1.0) == 1e-4


def test_proposals_stay_in_the_cube_and_some_are_drawn_anew():
    cube = Particles.prior(SETTING, 0, 2000).cube
    proposed = _propose(cube, np.random.default_rng(0))
    assert ((proposed >= 0) & (proposed <= 1)).all()
    assert 0.9 < (proposed != cube).any(axis=1).mean() <= 1
    alike = np.full((2000, DIMENSIONS), 0.5)  # differences are 0: what goes far was drawn from the prior
    redrawn = (np.abs(_propose(alike, np.random.default_rng(0)) - alike) > 0.05).any(axis=1).mean()
    assert redrawn == pytest.approx(0.33 * (1 - (1 - 2 / DIMENSIONS) ** DIMENSIONS), abs=0.04)


def test_the_particles_agree_with_weighting_the_prior():
    """Two scores leave a posterior that plain importance weighting of 400,000 curves from the prior gives as well."""
    setting = SETTING
    x, y = np.log([300.0, 3000.0]), np.array([0.7, 0.87])
    curves = unpack(np.random.default_rng(0).random((400_000, 12)), setting)
    weights = np.exp(log_likelihood(curves, x, y, setting).sum(axis=1))
    values = np.clip(curves.crossing(setting.low, setting.high), setting.low, setting.high)
    order = np.argsort(values)
    sums = np.cumsum(weights[order]) / weights.sum()
    sampled = np.empty(0)
    for seed in range(4):
        particles = Particles.prior(setting, seed, 1000)
        for k in range(2):
            particles = particles.update(x[k : k + 1], y[k : k + 1])
        here = particles.curves.crossing(setting.low, setting.high)
        sampled = np.append(sampled, np.clip(here, setting.low, setting.high))
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        expected = values[order][np.searchsorted(sums, level)]
        # four times 1000 autocorrelated curves, and about 1100 that count of the weighted ones: errs by about 0.02
        assert np.mean(sampled <= expected) == pytest.approx(level, abs=0.05)
