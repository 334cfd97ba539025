"""The posterior of the curve as a cloud of equally likely curves, made by tempered sequential Monte Carlo.

Del Moral, Doucet & Jasra 2006: the likelihood of new scores is let in by steps that keep half of the cloud effective;
after each step the cloud is resampled and moved by Metropolis with differences of two other curves as proposals
(ter Braak 2006). Everything lives in the unit cube of prior quantiles, where the prior is flat. The generator comes
from a fixed seed and the number of scores: the same scores give the same cloud bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intdim.search.curve import DIMENSIONS, Array, Curves, Setting, log_likelihood, unpack

EFFECTIVE = 0.5  # share of the cloud that a tempering step keeps effective
LAST_MOVES = 4  # Metropolis moves after the last step; half as many after the others


@dataclass(frozen=True)
class Cloud:
    """Curves as prior quantiles ``cube`` (n, DIMENSIONS), given the scores ``y`` (k,) at log d ``x`` (k,); ``bound``
    (k,) says which scores are lower bounds."""

    setting: Setting
    seed: int
    cube: Array
    x: Array
    y: Array
    bound: Array

    @classmethod
    def prior(cls, setting: Setting, seed: int, size: int) -> Cloud:
        """Return a cloud that has seen no score: a Latin hypercube."""
        chooser = np.random.default_rng([seed, 0])
        order = chooser.permuted(np.tile(np.arange(size), (DIMENSIONS, 1)), axis=1).T
        return cls(setting, seed, (order + 0.5) / size, np.empty(0), np.empty(0), np.empty(0, dtype=bool))

    @property
    def curves(self) -> Curves:
        """The curves of the cloud."""
        return unpack(self.cube, self.setting)

    def absorb(self, x: Array, y: Array, bound: Array | None = None, moves: int = LAST_MOVES) -> Cloud:
        """Return the cloud that has also seen scores ``y`` (k,), or lower bounds, at log d ``x`` (k,)."""
        chooser = np.random.default_rng([self.seed, len(self.y) + len(y)])
        every_x, every_y = np.concatenate([self.x, x]), np.concatenate([self.y, y])
        every_bound = np.concatenate([self.bound, np.zeros(len(y), dtype=bool) if bound is None else bound])
        seen = len(self.y)
        cube = self.cube
        size = len(cube)

        def weigh(points: Array) -> tuple[Array, Array]:
            each = log_likelihood(unpack(points, self.setting), every_x, every_y, self.setting, every_bound)
            return each[:, :seen].sum(axis=1), each[:, seen:].sum(axis=1)

        old, new = weigh(cube)
        temperature = 0.0
        while temperature < 1.0:
            step = _step(new, 1.0 - temperature)
            temperature = 1.0 if step >= 1.0 - temperature else temperature + step
            weights = np.exp(step * (new - new.max()))
            sums = np.cumsum(weights)
            keep = np.searchsorted(sums / sums[-1], (np.arange(size) + chooser.random()) / size)
            keep = np.minimum(keep, size - 1)
            cube, old, new = cube[keep], old[keep], new[keep]
            for _ in range(moves if temperature == 1.0 else max(1, moves // 2)):
                proposed = _propose(cube, chooser)
                old_there, new_there = weigh(proposed)
                gain = old_there - old + temperature * (new_there - new)
                accepted = np.log(chooser.random(size)) < gain
                cube = np.where(accepted[:, None], proposed, cube)
                old, new = np.where(accepted, old_there, old), np.where(accepted, new_there, new)
        return Cloud(self.setting, self.seed, cube, every_x, every_y, every_bound)


def _step(new: Array, left: float) -> float:
    """Return the largest tempering step, at most ``left``, that keeps enough of the cloud effective."""
    above = new - new.max()

    def effective(step: float) -> float:
        weights = np.exp(step * above)
        return float(weights.sum() ** 2 / (weights**2).sum())

    wanted = EFFECTIVE * len(new)
    if effective(left) >= wanted:
        return left
    low, high = 0.0, left
    for _ in range(16):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(middle) >= wanted else (low, middle)
    return max(low, 1e-4)


def _propose(cube: Array, chooser: np.random.Generator) -> Array:
    """Return the cube moved by differences of two other curves in some of the coordinates, reflected at its faces.
    Every third proposal draws a few coordinates anew instead, which lets the cloud leave a mode."""
    size = len(cube)
    first, second = chooser.integers(size, size=(2, size))
    many = np.where(chooser.random(size) < 0.5, 1.0, 0.3)[:, None]
    chosen = chooser.random(cube.shape) < many
    scale = np.where(chooser.random(size) < 0.15, 1.0, 2.38 / np.sqrt(2 * DIMENSIONS * many[:, 0]))[:, None]
    moved = cube + scale * (cube[first] - cube[second]) + 0.005 * chooser.standard_normal(cube.shape)
    proposed = np.where(chosen, moved, cube)
    anew = (chooser.random((size, 1)) < 0.33) & (chooser.random(cube.shape) < 2.0 / DIMENSIONS)
    redrawn = np.where(anew, chooser.random(cube.shape), cube)
    proposed = np.where(np.any(anew, axis=1, keepdims=True), redrawn, proposed)
    return np.abs(np.mod(proposed + 1.0, 2.0) - 1.0)
