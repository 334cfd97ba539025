"""``one_hot`` on a GPU: what ``c/cyclic.c`` does. One program writes up to 1024 neighbouring weights of one stretch.

P z reads theta_0 and writes theta, 8 bytes per weight in float32; z stays in the cache. P^T g reads the gradient, 4
bytes; stretch k is added into lane k mod lanes in the order of k, then the lanes: no atomic additions. Signs and shifts
are made from counters.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from intdim.kernels.blocks_triton import LANES_HOLD, _destination, _segments
from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.streams_triton import add_lanes, put, random_below, random_signs, take

BLOCK = 1024


@triton.jit
def _matvec(
    out, base, image, twice, rows, d, stretch, across, sign_key, shift_key, offset, starts, factors, segments,
    BLOCK_: tl.constexpr, HAS_BASE: tl.constexpr, HAS_IMAGE: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    number = tl.program_id(0).to(tl.int64) // across
    place = (tl.program_id(0) % across) * BLOCK_ + tl.arange(0, BLOCK_)
    row = number * stretch + place
    mask = (place < stretch) & (row < rows)
    shift = random_below(shift_key, number, d)
    value = tl.load(twice + shift + place, mask=mask, other=0.0) * random_signs(sign_key, row)
    put(out, base, image, row, value, mask, offset, starts, factors, segments, HAS_BASE, HAS_IMAGE, SCALED)


@triton.jit
def _rmatvec(
    sums, g, rows, d, stretch, stretches, lanes, sign_key, shift_key, offset, starts, factors, segments,
    BLOCK_: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    lane = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * BLOCK_ + tl.arange(0, BLOCK_)
    total = tl.zeros((BLOCK_,), dtype=tl.float32)
    for turn in range((stretches - tl.program_id(0) + lanes - 1) // lanes):
        number = lane + lanes * (turn + lane * 0)
        back = place - random_below(shift_key, number, d)
        row = number * stretch + tl.where(back < 0, back + stretch, back)
        mask = (place < stretch) & (row < rows)
        total += take(g, row, mask, offset, starts, factors, segments, SCALED) * random_signs(sign_key, row)
    tl.store(sums + lane * stretch + place, total, mask=place < stretch)


def matvec(to: Destination, twice: Tensor, rows: int, d: int, stretch: int, sign_key: int, shift_key: int) -> None:
    """Write P z for ``rows`` rows into ``to`` (float32 or bfloat16).

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
    out, flags, where = _destination(to)
    across = triton.cdiv(stretch, BLOCK)
    _matvec[(triton.cdiv(rows, stretch) * across,)](
        out, *where, twice, rows, d, stretch, across, sign_key, shift_key, *_segments(to, twice), BLOCK_=BLOCK, **flags
    )


def rmatvec(
    source: Gradient, rows: int, d: int, stretch: int, sign_key: int, shift_key: int, lanes: int | None = None
) -> Tensor:
    """Return the sums of one stretch, shape ``(stretch,)``, float32: place p collects for coordinate p mod d."""
    g = source.g
    like = torch.empty(0, dtype=torch.float32, device=g.device)
    if not rows:
        return like.new_zeros(stretch)
    stretches = triton.cdiv(rows, stretch)
    lanes = max(1, min(stretches, max(16, LANES_HOLD // stretch))) if lanes is None else lanes
    sums, total = like.new_empty(lanes * stretch), like.new_empty(stretch)
    _rmatvec[(lanes, triton.cdiv(stretch, BLOCK))](
        sums, g, rows, d, stretch, stretches, lanes, sign_key, shift_key, *_segments(source, g),
        BLOCK_=BLOCK, SCALED=source.scaling is not None,
    )  # fmt: skip
    add_lanes[(triton.cdiv(stretch, 256),)](total, sums, stretch, lanes, BLOCK=256)
    return total
