"""The last block of ``orthogonal`` on a GPU: two Hartley transforms as products.

A Fourier transform of such a size would be a dozen launches for a few thousand numbers. Here a transform is one, which
multiplies by cas(2 pi j k / m) as it makes it: a program has some rows j, and turns the cosines and sines of BK columns
by BK at a time. They are off by a few 1e-7 after m / BK turns.
"""

from __future__ import annotations

from dataclasses import dataclass

import triton
import triton.language as tl
from torch import Tensor

from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.flow_triton import destination_arguments, put, segment_arguments, take
from intdim.kernels.streams_triton import cosine_sine

ROWS, COLUMNS = 4, 256
PLAIN = {"HAS_BASE": False, "HAS_IMAGE": False, "SCALED": False}
WEIGHTS = ["out", "base", "image", "x"]
UNSPECIALIZED = ["size", "inputs", "outputs", "skipped", "start", "offset", "segments"]


@dataclass(frozen=True)
class Tail:
    """A block of m = ``size`` rows: H B1 H B2 times a scale, with Hartley's H, for some of the coordinates.

    Attributes:
        first: the signs B2, float32, shape ``(m,)``.
        second: the signs B1.
        scale: of the block.
        start: the first coordinate that it serves; every ``stride``-th is served, ``count`` in all.
    """

    first: Tensor
    second: Tensor
    scale: float
    start: int
    stride: int
    count: int

    @property
    def size(self) -> int:
        """m."""
        return self.first.numel()


@triton.jit
def _phase(number, size):
    """Cosine and sine of 2 pi number / size, 0 <= number < size: reduced to the nearest quarter turn in integers."""
    quarter = (8 * number + size) // (2 * size)
    rest = (4 * number - quarter * size).to(tl.float32)
    return cosine_sine(quarter, rest * (1.5707963267948966 / size.to(tl.float32)))


@triton.jit(do_not_specialize=UNSPECIALIZED, do_not_specialize_on_alignment=WEIGHTS)
def _hartley(
    out, base, image, x, before, after, size, inputs, outputs, skipped, start, stride, scale,
    offset, starts, factors, segments,
    INPUT: tl.constexpr, OUTPUT: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    HAS_BASE: tl.constexpr, HAS_IMAGE: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Values j < ``outputs`` of H x, where x[k] is 0 except for k from ``skipped`` to ``skipped + inputs``.

    INPUT is 0: every ``stride``-th coordinate from ``start`` on times the signs ``before``, 1: numbers, or 2: a
    gradient. OUTPUT is 0: numbers, times the signs ``after`` and the scale, 1: P z, written to the destination, or
    2: as 0, and added to every ``stride``-th coordinate from ``start`` on.
    """
    row, column = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    size = size + tl.program_id(0) * 0
    a, b = _phase(row[:, None] * (skipped + column)[None, :] % size, size)
    c, d = _phase(row * COLUMNS % size, size)
    c, d = c[:, None], d[:, None]

    total = tl.zeros((ROWS, COLUMNS), dtype=tl.float32)
    for first in range(0, inputs, COLUMNS):
        k = first + column
        inside = k < inputs
        if INPUT == 0:
            value = tl.load(x + start + k * stride, mask=inside, other=0.0)
            value = value * tl.load(before + k, mask=inside, other=0.0)
        elif INPUT == 1:
            value = tl.load(x + k, mask=inside, other=0.0)
        else:
            value = take(x, k, inside, offset, starts, factors, segments, SCALED)
        total += (a + b) * value[None, :]
        a, b = a * c - b * d, b * c + a * d
    value = tl.sum(total, 1)

    inside = row < outputs
    if OUTPUT == 1:
        put(out, base, image, row, value, inside, offset, starts, factors, segments, HAS_BASE, HAS_IMAGE, SCALED)
    else:
        value = value * (tl.load(after + row, mask=inside, other=0.0) * scale)
        if OUTPUT == 0:
            tl.store(out + row, value, mask=inside)
        else:
            at = out + start + row * stride
            tl.store(at, tl.load(at, mask=inside, other=0.0) + value, mask=inside)


def matvec(tail: Tail, z: Tensor, to: Destination) -> None:
    """Write the block's rows of P z to ``to``; z is float32, all coordinates."""
    size, inner = tail.size, z.new_empty(tail.size)
    out, flags, where = destination_arguments(to)
    grid, shape = (triton.cdiv(size, ROWS),), {"ROWS": ROWS, "COLUMNS": COLUMNS}
    _hartley[grid](
        inner, inner, inner, z, tail.first, tail.second, size, tail.count, size, 0, tail.start, tail.stride, tail.scale,
        *segment_arguments(Destination(None), z), INPUT=0, OUTPUT=0, **shape, **PLAIN,
    )  # fmt: skip
    _hartley[grid](
        out, *where, inner, z, z, size, size, size, 0, 0, 1, 1.0,
        *segment_arguments(to, z), INPUT=1, OUTPUT=1, **shape, **flags,
    )  # fmt: skip


def add_rmatvec(total: Tensor, tail: Tail, source: Gradient, skipped: int = 0) -> None:
    """Add to P^T S g, float32, what the block's rows ``skipped`` and following give, which ``source`` holds."""
    size, inner = tail.size, total.new_empty(tail.size)
    shape = {"ROWS": ROWS, "COLUMNS": COLUMNS}
    _hartley[(triton.cdiv(size, ROWS),)](
        inner, inner, inner, source.g, inner, tail.second, size, source.g.numel(), size, skipped, 0, 1, 1.0,
        *segment_arguments(source, inner), INPUT=2, OUTPUT=0, **shape, **PLAIN | {"SCALED": source.scaling is not None},
    )  # fmt: skip
    _hartley[(triton.cdiv(tail.count, ROWS),)](
        total, total, total, inner, inner, tail.first, size, size, tail.count, 0, tail.start, tail.stride, tail.scale,
        *segment_arguments(Destination(None), inner), INPUT=1, OUTPUT=2, **shape, **PLAIN,
    )  # fmt: skip
