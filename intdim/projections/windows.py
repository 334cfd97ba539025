"""Which coordinates a piece of a stacked projection sees: never many more than it has weights.

If every coordinate moved a short piece, a bias vector of 128 weights, all d of them would push the same few weights,
and together they would follow the gradient of these and of nothing else: with thousands of coordinates no model then
learns more than its biases can. So a piece sees a *window* of the coordinates, and a short one moves only by its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SHARINGS = ("first", "turns")


@dataclass(frozen=True)
class Window:
    """The coordinates ``start``, ``start + 1``, ... of a piece, ``count`` of them; after the last comes the first."""

    start: int
    count: int


def windows(sizes: Sequence[int], d: int, sharing: str) -> list[Window]:
    """Return the window of each piece; together they hold every coordinate.

    Args:
        sizes: weights of each piece, d or more in all.
        d: coordinates.
        sharing: a name in ``SHARINGS``. ``first``, as published: a piece sees the first 2^ceil(log2(weights))
            coordinates. Where not even the largest piece sees all of them, the largest pieces take them one after the
            other, until each is taken. ``turns``: a piece sees as many coordinates as it has weights, and a short one
            starts where the short one before it ended.
    """
    return _first(sizes, d) if sharing == "first" else _turns(sizes, d)


def seen(chosen: Sequence[Window], d: int) -> Tensor:
    """Return how many pieces see each coordinate, int64, shape ``(d,)``."""
    changes = torch.zeros(d + 1, dtype=torch.int64)
    for window in chosen:
        stop = window.start + window.count
        changes[window.start] += 1
        changes[min(stop, d)] -= 1
        if stop > d:
            changes[0] += 1
            changes[stop - d] -= 1
    return changes.cumsum(0)[:d]


def _first(sizes: Sequence[int], d: int) -> list[Window]:
    chosen, taken = [Window(0, 0)] * len(sizes), 0
    for number in sorted(range(len(sizes)), key=lambda piece: -sizes[piece]):  # stable
        room = 1 << (sizes[number] - 1).bit_length()
        start = taken if taken < d else 0
        chosen[number] = Window(start, min(room, d - start))
        taken += chosen[number].count
    return chosen


def _turns(sizes: Sequence[int], d: int) -> list[Window]:
    chosen, start = [], 0
    for size in sizes:
        if size >= d:
            chosen.append(Window(0, d))
            continue
        chosen.append(Window(start, size))
        start = (start + size) % d
    return chosen
