"""``flow.py`` inside Triton kernels: writing theta_0 + S P z, reading S g, and adding lanes.

``destination_arguments`` and ``segment_arguments`` turn a ``Destination`` or a ``Gradient`` into arguments of a kernel,
in which ``put``, ``take`` and ``segment`` run. ``spread`` lays coordinates out for blocks; ``sum_lanes`` adds up what a
kernel left in lanes.
"""

from __future__ import annotations

import math
from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from intdim.kernels.flow import Destination, Gradient

ADDED_AT_ONCE = 128  # lanes
TOGETHER = 16
PLACES = 128
SPREAD_AT_ONCE = 1024


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
def put(out, base, image, row, value, mask, offset, starts, factors, segments, HAS_BASE, HAS_IMAGE, SCALED, span=None):
    """Write P z of some rows: ``image = value`` and ``out = base + factor value``, or ``out = value`` without a base.

    Rows count from where the pointers are; ``offset`` (int64) is added to look up the segment. ``starts`` (int64,
    ascending from 0) and ``factors`` (float32) have ``segments`` numbers each. ``mask`` is None where all are written.
    ``span``, if given, says that rows are from 0 to ``span - 1``, which are then often of one segment.
    """
    if HAS_IMAGE:
        tl.store(image + row, value, mask=mask)
    if HAS_BASE:
        moved = value
        if SCALED:
            moved = value * _scales(row, mask, offset, starts, factors, segments, span)
        value = load(base + row, mask).to(tl.float32) + moved
    tl.store(out + row, value.to(out.dtype.element_ty), mask=mask)


@triton.jit
def take(g, row, mask, offset, starts, factors, segments, SCALED, span=None):
    """Read S g of some rows as float32, 0 where masked; ``mask`` is None where none is, ``span`` as in ``put``."""
    value = load(g + row, mask).to(tl.float32)
    if SCALED:
        value = value * _scales(row, mask, offset, starts, factors, segments, span)
    return value


@triton.jit
def _scales(row, mask, offset, starts, factors, segments, span):
    if span is None:
        scales = load(factors + segment(row + offset, starts, segments), mask)
    else:
        first = segment(offset, starts, segments)
        scales = tl.zeros(row.shape, dtype=tl.float32) + tl.load(factors + first)
        if segment(offset + span - 1, starts, segments) > first:
            scales = load(factors + segment(row + offset, starts, segments), mask)
    return scales


@triton.jit
def load(at, mask):
    """Read, 0 where masked; ``mask`` may be None."""
    if mask is None:
        return tl.load(at)
    else:
        return tl.load(at, mask=mask, other=0.0)


@triton.jit
def segment(row, starts, segments):
    """The last segment that starts at or before ``row``, by bisection; there are few, and they stay in the cache."""
    low = (row * 0).to(tl.int32)
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
def _spread(out, z, scales, columns, sections, SIZE: tl.constexpr, TURNED: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    section, number = at // SIZE, at % SIZE
    across: tl.constexpr = SIZE // TURNED
    place = (number % across) * TURNED + number // across
    column = place * sections + section
    inside = section < sections
    value = tl.load(z + column, mask=inside & (column < columns), other=0.0)
    tl.store(out + at, value * tl.load(scales + section, mask=inside, other=0.0), mask=inside)


def spread(z: Tensor, scales: Tensor, columns: int, size: int, turned: int) -> Tensor:
    """Return coordinates z in sections, scaled and padded with zeros, shape ``(sections, size)``, in one launch.

    Coordinate j is number j // sections of section j mod sections. Each section is turned: number p is at
    (p mod turned) size / turned + p // turned; it is as it is if ``turned`` is 1.
    """
    out = z.new_empty(scales.numel(), size)
    _spread[(triton.cdiv(out.numel(), SPREAD_AT_ONCE),)](
        out, z, scales, columns, scales.numel(), SIZE=size, TURNED=turned, BLOCK=SPREAD_AT_ONCE
    )
    return out


@triton.jit(do_not_specialize=["lanes", "each"])
def _add_lanes(
    total, sums, factors, length, lanes, each, SCALED: tl.constexpr, BLOCK: tl.constexpr, TOGETHER: tl.constexpr
):
    """``total[k, i] = factors[i] (sums[each k, i] + ... + sums[each (k + 1) - 1, i])`` one lane after the other."""
    group = tl.program_id(1)
    first, last = group * each, tl.minimum((group + 1) * each, lanes)
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = place < length

    at = sums + first.to(tl.int64) * length + place
    value = tl.zeros((BLOCK,), dtype=total.dtype.element_ty)
    for start in range(first, last, TOGETHER):
        for lane in tl.static_range(TOGETHER):  # so many loads are under way at once
            value += tl.load(at, mask=inside & (start + lane < last), other=0.0)
            at += length

    if SCALED:
        value = value * tl.load(factors + place, mask=inside, other=0.0)
    tl.store(total + group.to(tl.int64) * length + place, value, mask=inside)


def sum_lanes(sums: Tensor, lanes: int, length: int, factors: Tensor | None = None) -> Tensor:
    """Return the sum of ``lanes`` lanes of ``length`` numbers each, shape ``(length,)``, times ``factors`` if given.

    Up to ``ADDED_AT_ONCE`` lanes are added one after the other, in one launch. More are cut into groups, about as many
    as lanes in a group: a launch adds the lanes of each group, a second one the groups.
    """
    if lanes > ADDED_AT_ONCE:
        each = TOGETHER * triton.cdiv(math.isqrt(lanes), TOGETHER)
        groups = triton.cdiv(lanes, each)
        sums, lanes = _added(sums, lanes, length, each, groups, None), groups
    return _added(sums, lanes, length, lanes, 1, factors)


def _added(sums: Tensor, lanes: int, length: int, each: int, groups: int, factors: Tensor | None) -> Tensor:
    total = sums.new_empty(groups * length)
    _add_lanes[(triton.cdiv(length, PLACES), groups)](
        total, sums, sums if factors is None else factors, length, lanes, each,
        SCALED=factors is not None, BLOCK=PLACES, TOGETHER=TOGETHER, num_warps=PLACES // 32,
    )  # fmt: skip
    return total
