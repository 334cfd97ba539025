"""``one_hot`` on a GPU, like ``c/cyclic.c``. One program writes 1024 weights, which belong to at most two stretches.

P z reads theta_0 and writes theta, 8 bytes per weight in float32; z stays in the cache. P^T g reads the gradient, 4
bytes per weight. Stretch k is added into lane k mod lanes in the order of k, then the lanes: no atomic additions. Signs
and shifts are made from counters.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from intdim.kernels import flow
from intdim.kernels.blocks_triton import LANES_HOLD
from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.flow_triton import destination_arguments, put, segment_arguments, sum_lanes, take
from intdim.kernels.streams_triton import any_sign_masks, flipped, random_below, sign_masks

BLOCK = 1024
WARPS = 2  # 16 weights a thread share what a program computes once


@triton.jit
def _matvec(
    out, base, image, twice, rows, d, stretch, sign_key, shift_key, offset, starts, factors, segments,
    BLOCK_: tl.constexpr, HAS_BASE: tl.constexpr, HAS_IMAGE: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0).to(tl.int64) * BLOCK_
    place = tl.arange(0, BLOCK_)
    number = first // stretch
    next_at = (number + 1) * stretch - first  # where the next stretch begins; there is at most one
    here = random_below(shift_key, number, d) + first - number * stretch
    there = random_below(shift_key, number + 1, d) - next_at
    inside = place < tl.minimum(rows - first, BLOCK_).to(tl.int32)
    at = place + tl.where(place < tl.minimum(next_at, BLOCK_).to(tl.int32), 0, (there - here).to(tl.int32))
    value = flipped(tl.load(twice + here + at, mask=inside, other=0.0), sign_masks(sign_key, first, BLOCK_))
    put(
        out + first, base + first, image + first, place, value, inside, offset + first, starts, factors, segments,
        HAS_BASE, HAS_IMAGE, SCALED,
    )  # fmt: skip


@triton.jit
def _rmatvec(
    sums, g, begin, rows, d, stretch, stretches, lanes, sign_key, shift_key, offset, starts, factors, segments,
    BLOCK_: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Rows ``begin`` to ``begin + rows``, which ``g`` holds, of ``stretches`` stretches."""
    lane = tl.program_id(0).to(tl.int64)
    start, place = tl.program_id(1) * BLOCK_, tl.arange(0, BLOCK_)
    total = tl.zeros((BLOCK_,), dtype=tl.float32)
    for turn in range((stretches - tl.program_id(0) + lanes - 1) // lanes):
        number = begin // stretch + lane + lanes * (turn + lane * 0)
        shift = random_below(shift_key, number, d)
        late = number * stretch + start - shift  # row of the first place, if it lies behind the shift
        before = place < tl.minimum(tl.maximum(shift - start, 0), BLOCK_).to(tl.int32)
        row = place + tl.where(before, stretch, 0)
        above, below = begin + rows - late, begin - late
        mask = (place < stretch - start) & (row < tl.minimum(above, 2 * stretch).to(tl.int32))
        mask = mask & (row >= tl.maximum(below, -1).to(tl.int32))
        early, signs = any_sign_masks(sign_key, late + stretch, BLOCK_), any_sign_masks(sign_key, late, BLOCK_)
        value = take(g + (late - begin), row, mask, offset + late - begin, starts, factors, segments, SCALED)
        total += flipped(value, tl.where(before, early, signs))
    tl.store(sums + lane * stretch + start + place, total, mask=place < stretch - start)


def matvec(to: Destination, twice: Tensor, rows: int, d: int, stretch: int, sign_key: int, shift_key: int) -> None:
    """Write P z for ``rows`` rows to ``to`` (float32 or bfloat16).

    Args:
        to: where it goes.
        twice: z, scaled, repeated to ``d + stretch`` numbers, float32.
        rows: D of this piece.
        d: columns.
        stretch: L, a multiple of d.
        sign_key: stream of the signs.
        shift_key: stream of the shifts.
    """
    if not rows:
        return
    out, flags, where = destination_arguments(to)
    assert stretch >= BLOCK
    _matvec[(triton.cdiv(rows, BLOCK),)](
        out, *where, twice, rows, d, stretch, sign_key, shift_key, *segment_arguments(to, twice),
        BLOCK_=BLOCK, **flags, num_warps=WARPS,
    )  # fmt: skip


def rmatvec(
    source: Gradient,
    rows: int,
    d: int,
    stretch: int,
    sign_key: int,
    shift_key: int,
    lanes: int | None = None,
    begin: int = 0,
) -> Tensor:
    """Return the sums of one stretch, shape ``(stretch,)``, float32: position p collects for coordinate p mod d, from
    rows ``begin`` to ``begin + rows``, which ``source`` holds."""
    g = source.g
    like = torch.empty(0, dtype=torch.float32, device=g.device)
    if not rows:
        return like.new_zeros(stretch)
    stretches = triton.cdiv(begin + rows, stretch) - begin // stretch
    lanes = flow.lanes(stretches, stretch, hold=LANES_HOLD) if lanes is None else lanes
    sums = like.new_empty(lanes * stretch)
    _rmatvec[(lanes, triton.cdiv(stretch, BLOCK))](
        sums, g, begin, rows, d, stretch, stretches, lanes, sign_key, shift_key, *segment_arguments(source, g),
        BLOCK_=BLOCK, SCALED=source.scaling is not None, num_warps=WARPS,
    )  # fmt: skip
    return sum_lanes(sums, lanes, stretch)
