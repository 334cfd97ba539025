"""Codebooks: the few values (levels) that a number may have after quantisation, and how they are fitted.

Levels are integer multiples of a step, and there are eight steps per octave. So a codebook is a few integers and costs
a few bits per level, instead of 16 for half-precision floats.

* ``uniform``: L levels at equal distances around 0: only L and the step are sent.
* ``kmeans``: levels where the values are dense (Lloyd's algorithm), rounded to multiples of a finer step.

A value x is assigned to the level with the smallest (x - level)^2 + pressure sigma^2 bits(level): with a pressure above
0 rarely used levels are avoided, which makes the message shorter (entropy-constrained quantisation, Chou, Lookabaugh
and Gray 1989). The decoder need not know the pressure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from intdim.coding.bits import BitReader, BitWriter, Damaged

KINDS = ("uniform", "kmeans")
EIGHTHS = (1.0, 1.0905, 1.1892, 1.2968, 1.4142, 1.5422, 1.6818, 1.834)  # literal: the same float on every machine
COARSEST = 5  # k-means levels are rounded to the spread divided by the number of levels, or by this if it is larger
ROUNDS = 12  # of assigning under pressure; after that hardly any value changes its level
LLOYD = 60  # rounds of Lloyd's algorithm, which converges slowly with many levels
SAMPLE = 4000  # values used to choose the step of a uniform codebook
LARGEST_LEVEL = 1 << 30


@dataclass(frozen=True)
class Codebook:
    """L >= 1 levels: ``multiples`` (ascending) of the step number ``step`` (eighths of an octave, 0 is 1.0)."""

    step: int
    multiples: tuple[int, ...]

    @property
    def is_uniform(self) -> bool:
        """True for levels -(L - 1), -(L - 3) ... L - 1."""
        return self.multiples == even(len(self.multiples))

    @property
    def values(self) -> np.ndarray:
        """The levels as float32 (L,)."""
        return (step_size(self.step) * np.array(self.multiples, dtype=np.float64)).astype(np.float32)

    def write(self, out: BitWriter) -> None:
        """Write the codebook."""
        out.bit(not self.is_uniform)
        out.gamma(len(self.multiples))
        if self.multiples == (0,):
            return  # the only level is 0, whatever the step
        out.signed(self.step)
        if not self.is_uniform:
            out.signed(self.multiples[0])
            for left, right in zip(self.multiples, self.multiples[1:], strict=False):
                out.gamma(right - left)

    @staticmethod
    def read(source: BitReader) -> Codebook:
        """Read a codebook.

        Raises:
            Damaged: the bits are not a codebook.
        """
        is_uniform = not source.bit()
        count = source.gamma()
        if count > 1 << 16:
            raise Damaged(f"a codebook of {count} levels")
        if is_uniform and count == 1:
            return Codebook(0, (0,))
        step = source.signed()
        if abs(step) > 8 * 100:  # float32 ends at 2^128
            raise Damaged(f"a codebook with step 2^{step / 8}")
        if is_uniform:
            return Codebook(step, even(count))

        multiples = [source.signed()]
        for _ in range(count - 1):
            multiples.append(multiples[-1] + source.gamma())
        if max(map(abs, multiples)) > LARGEST_LEVEL or step_size(step) * max(map(abs, multiples)) > 1e38:
            raise Damaged("a codebook whose levels are too large for float32")
        return Codebook(step, tuple(multiples))


def even(count: int) -> tuple[int, ...]:
    """Return ``count`` integers centred on 0 at a distance of 2."""
    return tuple(range(1 - count, count, 2))


def step_size(number: int) -> float:
    """Return the step with a number: about 2^(number / 8)."""
    octave, eighth = divmod(number, 8)
    return math.ldexp(EIGHTHS[eighth], octave)


def step_number(size: float) -> int:
    """Return the number of the step nearest to ``size`` > 0."""
    return round(8 * math.log2(size))


def fit(values: np.ndarray, levels: int, kind: str, pressure: float = 0.0) -> tuple[Codebook, np.ndarray]:
    """Return a codebook of at most ``levels`` levels and, for each value (N,), the index of its level (N,), int64.

    Levels without values are removed from k-means codebooks. Deterministic. All values must be finite.

    Args:
        values: (N,) what is quantised.
        levels: the most levels, at least 1.
        kind: ``uniform`` or ``kmeans``.
        pressure: weight of the bits against the squared error, at least 0.
    """
    assert kind in KINDS
    assert levels >= 1
    values = np.asarray(values, dtype=np.float64)
    assert np.isfinite(values).all()
    if not len(values):
        return Codebook(0, (0,)), np.zeros(0, np.int64)

    spread = float(values.std() or np.abs(values).max(initial=0.0))
    if levels == 1 or spread < 1e-30:
        mean = float(values.mean())
        if levels > 1 and abs(mean) > 1e-30:  # all values are the same
            return Codebook(step_number(abs(mean)), (int(math.copysign(1, mean)),)), np.zeros(len(values), np.int64)
        return Codebook(0, (0,)), np.zeros(len(values), np.int64)

    if kind == "uniform":
        return _fit_uniform(values, levels, pressure, spread)
    return _fit_kmeans(values, levels, pressure, spread)


def assign(values: np.ndarray, levels: np.ndarray, pressure: float, spread: float) -> np.ndarray:
    """Return the index of the level of each value (N,) for levels (L,), ascending, at the given pressure."""
    chosen = np.searchsorted((levels[1:] + levels[:-1]) / 2, values)  # halfway belongs to the lower level
    if pressure > 0:
        distance = (values[:, None] - levels[None, :]) ** 2
        for _ in range(ROUNDS):
            chosen = (distance + pressure * spread**2 * _bits(chosen, len(levels))).argmin(1)
    return chosen


def _bits(chosen: np.ndarray, levels: int) -> np.ndarray:
    """Return the bits that each level costs (L,), by how often it is chosen."""
    counts = np.bincount(chosen, minlength=levels) + 0.5
    return -np.log2(counts / counts.sum())


def _cost(values: np.ndarray, levels: np.ndarray, chosen: np.ndarray, pressure: float, spread: float) -> float:
    """Return the mean squared error plus the mean bits under pressure."""
    error = float(((values - levels[chosen]) ** 2).mean())
    return error + pressure * spread**2 * float(_bits(chosen, len(levels))[chosen].mean())


def _fit_uniform(values: np.ndarray, levels: int, pressure: float, spread: float) -> tuple[Codebook, np.ndarray]:
    reach = float(np.abs(values).max())
    widest, finest = step_number(reach), step_number(spread / levels / 2)
    some = values[:: max(1, len(values) // SAMPLE)]

    best, lowest = Codebook(widest, even(levels)), math.inf
    for number in range(min(finest, widest), widest + 1):
        book = Codebook(number, even(levels))
        centres = book.values.astype(np.float64)
        cost = _cost(some, centres, assign(some, centres, pressure, spread), pressure, spread)
        if cost < lowest:
            best, lowest = book, cost
    return best, assign(values, best.values.astype(np.float64), pressure, spread)


def _fit_kmeans(values: np.ndarray, levels: int, pressure: float, spread: float) -> tuple[Codebook, np.ndarray]:
    number = step_number(spread / max(COARSEST, levels))
    centres = np.unique(np.quantile(values, (np.arange(levels) + 0.5) / levels))
    chosen = assign(values, centres, 0.0, spread)
    for _ in range(LLOYD):
        cost = pressure * spread**2 * _bits(chosen, len(centres))
        chosen = ((values[:, None] - centres[None, :]) ** 2 + cost).argmin(1)
        used = np.unique(chosen)
        centres = np.array([values[chosen == level].mean() for level in used])
        chosen = np.searchsorted(used, chosen)

    multiples = np.unique(np.round(centres / step_size(number)).astype(np.int64))
    book = Codebook(number, tuple(int(one) for one in multiples))
    chosen = assign(values, book.values.astype(np.float64), pressure, spread)
    used = np.unique(chosen)
    smaller = Codebook(number, tuple(book.multiples[level] for level in used))
    return smaller, np.searchsorted(used, chosen)
