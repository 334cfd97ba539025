"""``flow.py`` inside Triton kernels: writing theta_0 + S P z, reading S g, and adding lanes.

The first two functions turn a ``Destination`` or a ``Gradient`` into arguments of a kernel; the others run in it.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from intdim.kernels.flow import Destination, Gradient


def destination_arguments(to: Destination) -> tuple[Tensor, dict[str, bool], tuple[Tensor, Tensor]]:
    """Return ``out``, the flags of the kernels, and ``(base, image)``; a missing one is replaced by ``out``, unused."""
    out = to.out if to.out is not None else to.image
    assert out is not None
    flags = {
        "HAS_BASE": to.base is not None,
        "HAS_IMAGE": to.image is not None and to.image is not out,
        "SCALED": to.base is not None and to.scaling is not None,
    }
    return out, flags, (out if to.base is None else to.base, out if to.image is None else to.image)


def segment_arguments(flow: Destination | Gradient, like: Tensor) -> tuple[Any, ...]:
    """Return the offset and the segments of a scaling as arguments of a kernel; ``like`` replaces missing tensors."""
    if flow.scaling is None:
        return flow.offset, like, like, 0
    return flow.offset, flow.scaling.starts, flow.scaling.factors, flow.scaling.starts.numel()


@triton.jit
def put(out, base, image, row, value, mask, offset, starts, factors, segments, HAS_BASE, HAS_IMAGE, SCALED):
    """Write P z of some rows: ``image = value`` and ``out = base + factor value``, or ``out = value`` without a base.

    Rows count from where the pointers are; ``offset`` (int64) is added to look up the segment. ``starts`` (int64,
    ascending from 0) and ``factors`` (float32) have ``segments`` numbers each.
    """
    if HAS_IMAGE:
        tl.store(image + row, value, mask=mask)
    if HAS_BASE:
        moved = value
        if SCALED:
            moved = value * tl.load(factors + segment(row + offset, starts, segments), mask=mask, other=0.0)
        value = tl.load(base + row, mask=mask, other=0.0).to(tl.float32) + moved
    tl.store(out + row, value.to(out.dtype.element_ty), mask=mask)


@triton.jit
def take(g, row, mask, offset, starts, factors, segments, SCALED):
    """Read S g of some rows as float32, 0 where masked."""
    value = tl.load(g + row, mask=mask, other=0.0).to(tl.float32)
    if SCALED:
        value = value * tl.load(factors + segment(row + offset, starts, segments), mask=mask, other=0.0)
    return value


@triton.jit
def segment(row, starts, segments):
    """The last segment that starts at or before ``row``, by bisection; there are few, and they stay in the cache."""
    low = row * 0
    high = low + segments
    span = tl.full((), 0, tl.int32) + segments
    while span > 1:
        middle = (low + high) // 2
        below = tl.load(starts + middle) <= row
        low = tl.where(below, middle, low)
        high = tl.where(below, high, middle)
        span = (span + 1) // 2
    return low


@triton.jit
def add_lanes(total, sums, length, lanes, BLOCK: tl.constexpr):
    """``total[i] = sums[0, i] + sums[1, i] + ...`` one lane after the other."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = place < length
    at = sums + place
    value = tl.load(at, mask=inside, other=0.0)
    for _ in range(1, lanes):
        at += length
        value += tl.load(at, mask=inside, other=0.0)
    tl.store(total + place, value, mask=inside)
