"""``one_hot`` on a GPU, like ``c/cyclic.c``: four neighbouring weights at a time, 16 bytes in float32.

Stretches and their shifts are such (``projections/one_hot.py``) that four weights, from a multiple of four on, follow
four neighbouring places of z repeated, and have their signs in one word. Those places are a multiple of four plus the
stretch's number mod 4, so z is held in four copies, each begun one place later, to be read in vectors.

P z reads theta_0 and writes theta, 8 bytes per weight in float32; z stays in the cache. P^T g reads the gradient, 4
bytes per weight. Stretch k is added into lane k mod lanes in the order of k, then the lanes: no atomic additions. Signs
and shifts are made from counters.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.flow_triton import destination_arguments, put, segment_arguments, sum_lanes, take
from intdim.kernels.streams_triton import GAMMA, flipped, random_below, random_words

BLOCK = 1024
WARPS = 2  # 16 weights a thread share what a program computes once
LANES_HOLD = 1 << 21  # numbers in all lanes: as many programs as an H200 runs at once
FEWEST_LANES = 16
FEWEST_TURNS = 4  # stretches of a lane, before there are more lanes than the fewest
SHORT_ROUND = 256  # coordinates: from here on, the rounds of a stretch are added up together with the lanes
LONGEST_PIECE = 1 << 32  # weights of one launch
# arguments whose values compile no kernel of their own: every tensor of a model is another window of rows
SIZES = ["d", "length", "begin", "rows", "skipped", "stretch", "stretches", "lanes", "draws", "offset", "segments"]


@triton.jit(do_not_specialize=SIZES)
def _copy(copies, z, lengths, length, d, BLOCK_: tl.constexpr):
    """``copies[s, i]`` is number ``i + s`` of z, divided by the lengths of the columns and repeated."""
    place = tl.program_id(0) * BLOCK_ + tl.arange(0, BLOCK_)
    at, inside = (place + tl.program_id(1)) % d, place < length
    value = tl.load(z + at, mask=inside, other=0.0) * tl.load(lengths + at, mask=inside, other=0.0)
    tl.store(copies + tl.program_id(1).to(tl.int64) * length + place, value, mask=inside)


@triton.jit
def _signs_of_four(key, first, place):
    """Signs of rows ``first + place`` and the three after each, as masks (see ``flipped``), shape (N, 4).

    ``first`` (int64) and ``place`` (int32, N of them) are multiples of 4, so that a word has the signs of all four.
    """
    row = (first & 63).to(tl.int32) + place
    words = random_words(key + (first >> 6) * GAMMA, (row >> 6).to(tl.int64))  # the stream, from word first // 64 on
    four = (words >> (row & 63).to(tl.int64)).to(tl.int32)
    return (four[:, None] << (31 - tl.arange(0, 4))[None, :]) & -2147483648


@triton.jit(do_not_specialize=SIZES)
def _matvec(
    out, base, image, copies, length, skipped, rows, stretch, draws, sign_key, shift_key,
    offset, starts, factors, segments,
    BLOCK_: tl.constexpr, HAS_BASE: tl.constexpr, HAS_IMAGE: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """``rows`` rows, from the first of stretch ``skipped`` (int64) on."""
    fours, in_stretch = tl.program_id(0) * (BLOCK_ // 4), stretch // 4  # in 32 bits: to divide 64 takes a hundred steps
    passed = fours // in_stretch
    number = passed.to(tl.int64) + skipped
    inside_stretch = (fours - passed * in_stretch) * 4
    next_at = stretch - inside_stretch  # where the next stretch begins; there is at most one

    here = _start(shift_key, number, draws, length) + inside_stretch
    there = here
    if next_at < BLOCK_:
        there = _start(shift_key, number + 1, draws, length) - next_at
    four, each = tl.arange(0, BLOCK_ // 4) * 4, tl.arange(0, 4)[None, :]
    at = tl.multiple_of(four + tl.where(four < next_at, here, there), 4)[:, None] + each

    first = tl.program_id(0).to(tl.int64) * BLOCK_
    place = four[:, None] + each
    masks = _signs_of_four(sign_key, number * stretch + inside_stretch, four)
    if first + BLOCK_ <= rows:
        put(
            out + first, base + first, image + first, place, flipped(tl.load(copies + at), masks), None,
            offset + first, starts, factors, segments, HAS_BASE, HAS_IMAGE, SCALED, BLOCK_,
        )  # fmt: skip
    else:
        inside = place < (rows - first).to(tl.int32)
        put(
            out + first, base + first, image + first, place,
            flipped(tl.load(copies + at, mask=inside, other=0.0), masks), inside,
            offset + first, starts, factors, segments, HAS_BASE, HAS_IMAGE, SCALED, BLOCK_,
        )  # fmt: skip


@triton.jit
def _start(shift_key, number, draws, length):
    """Where the first weight of stretch ``number`` is in the copies."""
    return random_below(shift_key, number, draws) * 4 + (number & 3) * length


@triton.jit(do_not_specialize=SIZES)
def _rmatvec(
    sums, g, begin, rows, skipped, stretch, stretches, lanes, draws, sign_key, shift_key,
    offset, starts, factors, segments,
    BLOCK_: tl.constexpr, IN_VECTORS: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Rows ``begin`` to ``begin + rows``, which ``g`` holds: ``stretches`` stretches from ``skipped`` on.

    The numbers of a lane's stretches are equal mod 4, and so are their shifts: this remainder moves the sum, at the
    end, and not each stretch. ``IN_VECTORS`` says that ``begin`` is a multiple of 4.
    """
    lane = tl.program_id(1)
    place, each = tl.program_id(0) * BLOCK_ + tl.arange(0, BLOCK_ // 4) * 4, tl.arange(0, 4)[None, :]
    four = tl.minimum(place, stretch - 4)  # beyond the stretch: read something, and do not store it
    total = tl.zeros((BLOCK_ // 4, 4), dtype=tl.float32)
    number = lane.to(tl.int64) + skipped
    for _ in range(lane, stretches, lanes):
        first = number * stretch
        shift = random_below(shift_key, number, draws).to(tl.int32) * 4
        row = four - shift + tl.where(four < shift, stretch, 0)
        start = first - begin
        if IN_VECTORS:
            start = tl.multiple_of(start, 4)
        at = tl.multiple_of(row, 4)[:, None] + each
        if (start >= 0) & (start + stretch <= rows):
            value = take(g + start, at, None, offset + start, starts, factors, segments, SCALED, stretch)
        else:
            inside = at >= tl.maximum(-start, 0).to(tl.int32)
            inside = inside & (at < tl.minimum(rows - start, stretch).to(tl.int32))
            value = take(g + start, at, inside, offset + start, starts, factors, segments, SCALED)
        total += flipped(value, _signs_of_four(sign_key, first, row))  # made while the gradient is under way
        number += lanes

    to = place[:, None] + each + ((skipped + lane) & 3).to(tl.int32)
    to = tl.where(to < stretch, to, to - stretch)
    tl.store(sums + lane.to(tl.int64) * stretch + to, total, mask=(place < stretch)[:, None])


def matvec(
    to: Destination, z: Tensor, lengths: Tensor, rows: int, draws: int, stretch: int, sign_key: int, shift_key: int
) -> None:
    """Write P z for ``rows`` rows to ``to`` (float32 or bfloat16).

    Args:
        to: where it goes.
        z: the coordinates, float32.
        lengths: what they are multiplied by, float32.
        rows: D of this piece.
        draws: how many multiples of 4 a shift is drawn from.
        stretch: L, a multiple of 4 and of d, at least 1024.
        sign_key: stream of the signs.
        shift_key: stream of the shifts.
    """
    assert stretch >= BLOCK
    assert stretch % 4 == 0
    length = stretch + 4 * draws
    copies = z.new_empty(4 * length)
    _copy[(triton.cdiv(length, BLOCK), 4)](copies, z, lengths, length, z.numel(), BLOCK_=BLOCK)

    most = stretch * max(1, LONGEST_PIECE // stretch)
    for start in range(0, rows, most):
        part = to.part(start, min(start + most, rows)) if rows > most else to
        out, flags, where = destination_arguments(part)
        _matvec[(triton.cdiv(out.numel(), BLOCK),)](
            out, *where, copies, length, start // stretch, out.numel(), stretch, draws, sign_key, shift_key,
            *segment_arguments(part, z), BLOCK_=BLOCK, **flags, num_warps=WARPS, enable_fp_fusion=False,
        )  # fmt: skip


def rmatvec(
    source: Gradient,
    lengths: Tensor,
    draws: int,
    stretch: int,
    sign_key: int,
    shift_key: int,
    begin: int = 0,
    lanes: int | None = None,
) -> Tensor:
    """Return P^T S g, shape ``(d,)``, float32, of the rows from ``begin`` on, which ``source`` holds; the rest as in
    ``matvec``. ``lanes`` is a multiple of 4, or there is a lane for each stretch."""
    g, d = source.g, lengths.numel()
    rows, skipped = g.numel(), begin // stretch
    if not rows:
        return torch.zeros_like(lengths)

    stretches = triton.cdiv(begin + rows, stretch) - skipped
    lanes = min(stretches, _lanes(stretches, stretch) if lanes is None else lanes)
    sums = torch.empty(lanes * stretch, dtype=torch.float32, device=g.device)
    _rmatvec[(triton.cdiv(stretch, BLOCK), lanes)](  # neighbouring programs read neighbouring rows
        sums, g, begin, rows, skipped, stretch, stretches, lanes, draws, sign_key, shift_key,
        *segment_arguments(source, g),
        BLOCK_=BLOCK, IN_VECTORS=begin % 4 == 0, SCALED=source.scaling is not None, num_warps=WARPS,
    )  # fmt: skip
    if d < SHORT_ROUND:
        sums, lanes = sum_lanes(sums, lanes, stretch), 1
    return sum_lanes(sums, lanes * (stretch // d), d, lengths)


def _lanes(stretches: int, stretch: int) -> int:
    wanted = min(triton.cdiv(stretches, FEWEST_TURNS), LANES_HOLD // stretch)
    return max(FEWEST_LANES, 4 * (wanted // 4))
