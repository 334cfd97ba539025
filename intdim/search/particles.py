"""The posterior over curves as equally weighted particles, sampled by tempered sequential Monte Carlo.

Del Moral, Doucet & Jasra 2006: the likelihood of new scores is introduced in tempering steps, each of which keeps half
of the particles effective. After each step the particles are resampled and moved by Metropolis steps whose proposals
are differences of two other particles (ter Braak 2006). Everything happens in the unit cube of prior quantiles, where
the prior is flat. The random generator depends on a fixed seed and the number of scores, so that the same scores give
the same particles, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intdim.search.curve import DIMENSIONS, Array, Curves, Setting, log_likelihood, unpack

EFFECTIVE = 0.5  # share of the particles that a tempering step keeps effective
LAST_MOVES = 4  # Metropolis moves after the last step; half as many after the others
EARLY_MOVES = 12  # so many more with no score, one less with each: few scores cost little and matter long
REFINED = 3  # times as many particles for a verdict
REFINING_MOVES = 8  # so many moves of them: other seeds then give the same quantiles within a few per cent


@dataclass(frozen=True)
class Particles:
    """Curves sampled from the posterior.

    Attributes:
        setting: what was fixed before any run.
        seed: of the random generator.
        cube: (n, DIMENSIONS) the curves as prior quantiles.
        x: (k,) log d of the scores that were observed.
        y: (k,) those scores.
        bound: (k,) which of them are lower bounds.
    """

    setting: Setting
    seed: int
    cube: Array
    x: Array
    y: Array
    bound: Array

    @classmethod
    def prior(cls, setting: Setting, seed: int, size: int) -> Particles:
        """Return ``size`` particles that have observed no score: a Latin hypercube."""
        rng = np.random.default_rng([seed, 0])
        order = rng.permuted(np.tile(np.arange(size), (DIMENSIONS, 1)), axis=1).T
        return cls(setting, seed, (order + 0.5) / size, np.empty(0), np.empty(0), np.empty(0, dtype=bool))

    @property
    def curves(self) -> Curves:
        """The particles as curves."""
        return unpack(self.cube, self.setting)

    def update(self, x: Array, y: Array, bound: Array | None = None) -> Particles:
        """Return particles that have also observed scores ``y`` (k,), or lower bounds, at log d ``x`` (k,)."""
        rng = np.random.default_rng([self.seed, len(self.y) + len(y)])
        all_x, all_y = np.concatenate([self.x, x]), np.concatenate([self.y, y])
        all_bound = np.concatenate([self.bound, np.zeros(len(y), dtype=bool) if bound is None else bound])
        known, size = len(self.y), len(self.cube)
        moves = LAST_MOVES + max(0, EARLY_MOVES - len(all_y))

        def log_likelihoods(points: Array) -> tuple[Array, Array]:
            """Return the log-likelihood of the known scores and that of the new ones, (n,) each."""
            each = log_likelihood(unpack(points, self.setting), all_x, all_y, self.setting, all_bound)
            return each[:, :known].sum(axis=1), each[:, known:].sum(axis=1)

        cube = self.cube
        old, new = log_likelihoods(cube)
        temperature = 0.0
        while temperature < 1.0:
            step = _tempering_step(new, 1.0 - temperature)
            temperature = 1.0 if step >= 1.0 - temperature else temperature + step

            # systematic resampling
            weights = np.exp(step * (new - new.max()))
            sums = np.cumsum(weights)
            chosen = np.searchsorted(sums / sums[-1], (np.arange(size) + rng.random()) / size)
            chosen = np.minimum(chosen, size - 1)
            cube, old, new = cube[chosen], old[chosen], new[chosen]

            for _ in range(moves if temperature == 1.0 else max(1, moves // 2)):
                proposed = _propose(cube, rng)
                proposed_old, proposed_new = log_likelihoods(proposed)
                gain = proposed_old - old + temperature * (proposed_new - new)
                accepted = np.log(rng.random(size)) < gain
                cube = np.where(accepted[:, None], proposed, cube)
                old, new = np.where(accepted, proposed_old, old), np.where(accepted, proposed_new, new)

        return Particles(self.setting, self.seed, cube, all_x, all_y, all_bound)

    def refined(self) -> Particles:
        """Return more particles of the same posterior, moved further, so that a verdict is no luck."""
        rng = np.random.default_rng([self.seed, len(self.y), 1])
        cube = np.tile(self.cube, (REFINED, 1))
        likely = self._log_likelihoods(cube)
        for _ in range(REFINING_MOVES):
            proposed = _propose(cube, rng)
            proposed_likely = self._log_likelihoods(proposed)
            accepted = np.log(rng.random(len(cube))) < proposed_likely - likely
            cube = np.where(accepted[:, None], proposed, cube)
            likely = np.where(accepted, proposed_likely, likely)
        return Particles(self.setting, self.seed, cube, self.x, self.y, self.bound)

    def _log_likelihoods(self, cube: Array) -> Array:
        """Return the log-likelihood of all scores under each curve, (n,)."""
        return log_likelihood(unpack(cube, self.setting), self.x, self.y, self.setting, self.bound).sum(axis=1)


def _tempering_step(new: Array, left: float) -> float:
    """Return the largest step, at most ``left``, that keeps enough of the particles effective."""
    above = new - new.max()

    def effective(step: float) -> float:
        weights = np.exp(step * above)
        return float(weights.sum() ** 2 / (weights**2).sum())

    wanted = EFFECTIVE * len(new)
    if effective(left) >= wanted:
        return left

    low, high = 0.0, left
    for _ in range(16):  # to 1/65536 of what is left
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(middle) >= wanted else (low, middle)
    return max(low, 1e-4)


def _propose(cube: Array, rng: np.random.Generator) -> Array:
    """Return the particles moved by differences of two others in some coordinates, reflected at the cube's faces.
    Every third proposal draws a few coordinates from the prior instead, so that particles can leave a mode."""
    size = len(cube)
    first, second = rng.integers(size, size=(2, size))
    many = np.where(rng.random(size) < 0.5, 1.0, 0.3)[:, None]
    chosen = rng.random(cube.shape) < many
    # 2.38 / sqrt(2 k) for k coordinates is ter Braak's scale; 1 now and then jumps from mode to mode
    scale = np.where(rng.random(size) < 0.15, 1.0, 2.38 / np.sqrt(2 * DIMENSIONS * many[:, 0]))[:, None]
    moved = cube + scale * (cube[first] - cube[second]) + 0.005 * rng.standard_normal(cube.shape)
    proposed = np.where(chosen, moved, cube)

    fresh = (rng.random((size, 1)) < 0.33) & (rng.random(cube.shape) < 2.0 / DIMENSIONS)
    redrawn = np.where(fresh, rng.random(cube.shape), cube)
    proposed = np.where(np.any(fresh, axis=1, keepdims=True), redrawn, proposed)
    return np.abs(np.mod(proposed + 1.0, 2.0) - 1.0)
