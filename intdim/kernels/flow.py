"""Where P z goes and where a gradient comes from: theta = theta_0 + S P z in one pass over memory, and S g in one.

A product is computed in pieces that stay in the cache; these two say what is done with a piece. They are also what the
compiled products are told.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

LANES_HOLD = 1 << 16  # numbers in all lanes of an adjoint, where a row of them is shorter than a sixteenth of it
FEWEST_LANES = 16


def lanes(count: int, length: int, sections: int = 1, hold: int = LANES_HOLD) -> int:
    """Return in how many lanes an adjoint adds up ``count`` pieces of ``length`` numbers.

    Piece k is added into lane k mod lanes, and the lanes at the end, one after the other: a fixed order that several
    threads can share. The number depends on the sizes alone: ``hold`` numbers in all lanes, or the fewest lanes. It is
    a multiple of ``sections``, where piece k belongs to section k mod sections and a lane to that of its pieces.
    """
    return sections * max(1, min(-(-count // sections), max(FEWEST_LANES, hold // length) // sections))


def chunks(count: int, in_lanes: int, at_once: int) -> list[tuple[int, int]]:
    """Cut ``count`` pieces into runs ``(first, how many)`` of at most ``at_once``, whose lanes ascend in each."""
    at_once = max(1, min(in_lanes, at_once))
    return [
        (first, min(at_once, start + in_lanes - first, count - first))
        for start in range(0, count, in_lanes)
        for first in range(start, min(start + in_lanes, count), at_once)
    ]


def add_lanes(sums: Tensor) -> Tensor:
    """Return the sum of the rows of ``sums``, shape ``(lanes, length)``, added one after the other."""
    total = sums[0]
    for lane in range(1, sums.shape[0]):
        total = total + sums[lane]
    return total


@dataclass(frozen=True)
class Scaling:
    """S, a diagonal that is constant on segments: weights ``starts[k]`` to ``starts[k + 1]`` are times ``factors[k]``.

    ``starts`` is int64, ascending, on the device of the weights, and begins with 0; ``factors`` has the dtype in which
    products are computed. ``bounds`` is ``starts`` as integers, for torch.
    """

    starts: Tensor
    factors: Tensor
    bounds: tuple[int, ...] = field(default=())

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, int, Tensor]]:
        """Yield ``(from, to, factor)`` that cover weights ``first`` to ``last``."""
        number = bisect_right(self.bounds, first) - 1
        while first < last:
            stop = self.bounds[number + 1] if number + 1 < len(self.bounds) else last
            stop = min(stop, last)
            yield first, stop, self.factors[number]
            first, number = stop, number + 1


@dataclass(frozen=True)
class Destination:
    """What becomes of P z: ``out = base + S P z``, or ``out = P z`` without a base, and ``image = P z``.

    All are flat, of one length; ``out`` or ``image`` may be missing. ``offset`` is where their first weight lies among
    the weights that ``scaling`` speaks of.
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

    def room(self, start: int, stop: int, like: Tensor) -> Tensor:
        """Return memory to compute rows ``start`` to ``stop`` in, which ``put`` then need not copy if it can be so."""
        for item in (self.image, self.out if self.base is None else None):
            if item is not None and item.dtype == like.dtype:
                return item[start:stop]
        return like.new_empty(stop - start)

    def put(self, start: int, values: Tensor) -> None:
        """Take P z from row ``start`` on."""
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
        """Return S g of rows ``start`` to ``stop``: not to be changed, it may be g's own memory."""
        values = self.g[start:stop]
        values = values if values.dtype in (torch.float32, torch.float64) else values.float()
        if self.scaling is None:
            return values
        scaled, first = torch.empty_like(values), self.offset + start
        for low, high, factor in self.scaling.pieces(first, self.offset + stop):
            here = slice(low - first, high - first)
            torch.mul(values[here], factor, out=scaled[here])
        return scaled
