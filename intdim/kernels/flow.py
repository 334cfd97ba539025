"""Where P z goes and where a gradient comes from: theta = theta_0 + S P z, and S g, each in one pass over memory.

A product is computed in pieces that stay in the cache. ``Destination`` and ``Gradient`` say what happens to a piece, in
torch as in the compiled products.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

LANES_HOLD = 1 << 16  # numbers in all lanes of an adjoint, unless that would be fewer than ``FEWEST_LANES`` lanes
FEWEST_LANES = 16


def lanes(count: int, length: int, sections: int = 1, hold: int = LANES_HOLD) -> int:
    """Return in how many lanes (partial sums) an adjoint accumulates ``count`` pieces of ``length`` numbers.

    Piece k is added into lane k mod lanes, and at the end the lanes are added one after the other: a fixed order, which
    several threads can share. The number depends on the sizes alone: ``hold`` numbers in all lanes, or the fewest
    lanes. It is a multiple of ``sections``: piece k belongs to section k mod sections, and each lane to one section.
    """
    return sections * max(1, min(-(-count // sections), max(FEWEST_LANES, hold // length) // sections))


def chunks(count: int, in_lanes: int, at_once: int) -> list[tuple[int, int]]:
    """Cut ``count`` pieces into chunks ``(first, how many)`` of at most ``at_once``; lanes ascend within a chunk."""
    at_once = max(1, min(in_lanes, at_once))
    return [
        (first, min(at_once, start + in_lanes - first, count - first))
        for start in range(0, count, in_lanes)
        for first in range(start, min(start + in_lanes, count), at_once)
    ]


def whole_units(
    g: Tensor, start: int, unit_of: Callable[[int], int], edge: Callable[[int], int]
) -> Iterator[tuple[int, int, Tensor]]:
    """Cut rows ``start`` and following into runs of whole units: yield ``(first unit, units, rows)``.

    Rows of a unit that ``g`` lacks are zeros, in a copy of that unit alone; the rest is a view of ``g``.

    Args:
        g: a gradient of some rows, flat.
        start: the first of them.
        unit_of: the unit of a row.
        edge: the first row of a unit; that of the unit after the last one is the number of all rows.
    """
    stop = start + g.numel()
    row = start
    while row < stop:
        unit = unit_of(row)
        low, high = edge(unit), edge(unit + 1)
        if row == low and stop >= high:
            last = unit_of(stop - 1)
            units = last - unit + (edge(last + 1) == stop)
            high = edge(unit + units)
            yield unit, units, g[row - start : high - start]
        else:
            padded = g.new_zeros(high - low)
            high = min(high, stop)
            padded[row - low : high - low] = g[row - start : high - start]
            yield unit, 1, padded
        row = high


def add_lanes(sums: Tensor) -> Tensor:
    """Return the sum of the rows of ``sums``, shape ``(lanes, length)``, added one after the other."""
    total = sums[0]
    for lane in range(1, sums.shape[0]):
        total = total + sums[lane]
    return total


@dataclass(frozen=True)
class Scaling:
    """S, a diagonal that is constant on segments: ``factors[k]`` for weights ``starts[k]`` to ``starts[k + 1]``.

    Attributes:
        starts: int64, ascending from 0, on the device of the weights.
        factors: one for each segment, in the dtype in which products are computed.
        bounds: ``starts`` as Python integers.
    """

    starts: Tensor
    factors: Tensor
    bounds: tuple[int, ...] = field(default=())

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, int, Tensor]]:
        """Yield ``(start, stop, factor)`` that cover weights ``first`` to ``last``."""
        number = bisect_right(self.bounds, first) - 1
        while first < last:
            stop = self.bounds[number + 1] if number + 1 < len(self.bounds) else last
            stop = min(stop, last)
            yield first, stop, self.factors[number]
            first, number = stop, number + 1


@dataclass(frozen=True)
class Destination:
    """Where P z is written: ``out = base + S P z``, or ``out = P z`` without a base; and ``image = P z``.

    All are flat and of one length; ``out`` or ``image`` may be missing. ``offset`` is the index of their first weight
    among the weights of ``scaling``.
    """

    out: Tensor | None
    base: Tensor | None = None
    image: Tensor | None = None
    scaling: Scaling | None = None
    offset: int = 0

    def part(self, start: int, stop: int) -> Destination:
        """Return the destination of rows ``start`` to ``stop``."""
        out, base, image = (item if item is None else item[start:stop] for item in (self.out, self.base, self.image))
        return Destination(out, base, image, self.scaling, self.offset + start)

    def buffer(self, start: int, stop: int, like: Tensor) -> Tensor:
        """Return memory for rows ``start`` to ``stop`` of P z: the destination's own where ``put`` then has nothing to
        copy, else new memory."""
        for item in (self.image, self.out if self.base is None else None):
            if item is not None and item.dtype == like.dtype:
                return item[start:stop]
        return like.new_empty(stop - start)

    def put(self, start: int, values: Tensor) -> None:
        """Write ``values``, which are P z from row ``start`` on."""
        stop = start + values.numel()
        if self.image is not None and self.image[start:stop].data_ptr() != values.data_ptr():
            self.image[start:stop] = values
        if self.out is None:
            return

        out = self.out[start:stop]
        if self.base is None:
            if out.data_ptr() != values.data_ptr():
                out.copy_(values)
        elif self.scaling is None:
            torch.add(self.base[start:stop], values, out=out)
        else:
            base, first = self.base[start:stop], self.offset + start
            for low, high, factor in self.scaling.pieces(first, self.offset + stop):
                here = slice(low - first, high - first)
                torch.add(base[here], values[here] * factor, out=out[here])


@dataclass(frozen=True)
class Gradient:
    """A flat gradient g of weights, read as S g. ``offset`` as in ``Destination``."""

    g: Tensor
    scaling: Scaling | None = None
    offset: int = 0

    def part(self, start: int, stop: int) -> Gradient:
        """Return the gradient of rows ``start`` to ``stop``."""
        return Gradient(self.g[start:stop], self.scaling, self.offset + start)

    def take(self, start: int, stop: int) -> Tensor:
        """Return S g of rows ``start`` to ``stop``; read-only, it may be g's own memory."""
        values = self.g[start:stop]
        values = values if values.dtype in (torch.float32, torch.float64) else values.float()
        if self.scaling is None:
            return values
        scaled, first = torch.empty_like(values), self.offset + start
        for low, high, factor in self.scaling.pieces(first, self.offset + stop):
            here = slice(low - first, high - first)
            torch.mul(values[here], factor, out=scaled[here])
        return scaled
