"""``sparse`` on a GPU, like ``c/strata.c``: rows and signs are made in the kernel, nothing is stored.

P z: one program writes the rows of a stratum. Its entries are sorted by row and column, so those of a row are
neighbours, and the first of them adds up the others in the order of the columns: the same bits as on the CPU, and no
atomic additions. Up to 1024 columns are sorted at once. Then all rows are theta_0, but for those that have entries.
More columns are added chunk by chunk into sums of the stratum's rows, in scratch memory of one stratum a program.

P^T g gathers: stratum t is added into lane t mod lanes in the order of t, then the lanes.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from intdim.kernels import flow
from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.flow_triton import destination_arguments, put, segment_arguments, sum_lanes, take
from intdim.kernels.streams_triton import any_sign_masks, flipped, random_below

SORTED = 1024  # entries at once
FEWEST_SORTED = 64
BLOCK = 1024  # rows at once
COLUMNS = 256
LANES_HOLD = 1 << 20  # numbers in all lanes of an adjoint
PROGRAMS = 1024  # of P z with more columns than are sorted at once
NO_ENTRY = tl.constexpr((1 << 31) - 1)


@triton.jit
def _stratum(number, rows, strata):
    """The first row of a stratum (int64), and how many it has."""
    low = number * rows // strata
    return low, (number + 1) * rows // strata - low


@triton.jit
def _row_sums(
    z, sums, number, start, size, d, row_key, sign_key,
    ENTRIES: tl.constexpr, BITS: tl.constexpr, GOES_ON: tl.constexpr,
):  # fmt: skip
    """Entries ``start`` and following of a stratum: return their rows, the sums of the entries of each row, after
    ``sums`` if it GOES_ON, and where these are valid, once a row."""
    place = tl.arange(0, ENTRIES)
    first = number * d + start
    row = random_below(row_key, first + place, size).to(tl.int32)
    negative = (any_sign_masks(sign_key, first, ENTRIES) >> 31) & 1
    key = tl.sort(tl.where(place < d - start, (row << (BITS + 1)) | (place << 1) | negative, NO_ENTRY))

    there = key != NO_ENTRY
    row = key >> (BITS + 1)
    column = start + ((key >> 1) & (ENTRIES - 1))
    value = flipped(tl.load(z + column, mask=there, other=0.0), (key & 1) << 31)
    heads = there & ((place == 0) | (tl.gather(row, tl.maximum(place - 1, 0), 0) != row))

    total = value
    if GOES_ON:
        total = tl.load(sums + row, mask=heads, other=0.0) + value
    more, ahead, any_more = heads, 1, 1
    while any_more > 0:
        next_place = tl.minimum(place + ahead, ENTRIES - 1)
        more = more & (place + ahead < ENTRIES) & (tl.gather(row, next_place, 0) == row)
        total = tl.where(more, total + tl.gather(value, next_place, 0), total)
        ahead += 1
        any_more = tl.max(more.to(tl.int32), 0)
    return row, total, heads


@triton.jit
def _matvec(
    out, base, image, z, scratch, rows, d, strata, programs, longest, row_key, sign_key,
    offset, starts, factors, segments,
    ENTRIES: tl.constexpr, BITS: tl.constexpr, SEVERAL: tl.constexpr, BLOCK_: tl.constexpr,
    HAS_BASE: tl.constexpr, HAS_IMAGE: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Program k writes strata k, k + programs, ... SEVERAL: there are more than ENTRIES columns."""
    place = tl.arange(0, BLOCK_)
    sums = scratch + tl.program_id(0).to(tl.int64) * longest
    for turn in range((strata - tl.program_id(0) + programs - 1) // programs):
        number = tl.program_id(0).to(tl.int64) + programs * (turn + tl.program_id(0).to(tl.int64) * 0)
        low, size = _stratum(number, rows, strata)
        length = size.to(tl.int32)
        if SEVERAL:
            for first in range(0, length, BLOCK_):
                tl.store(sums + first + place, tl.zeros((BLOCK_,), tl.float32), mask=first + place < length)
            for start in range(0, d, ENTRIES):
                tl.debug_barrier()  # sums are there before they are read by other threads
                row, total, heads = _row_sums(
                    z, sums, number, start, size, d, row_key, sign_key, ENTRIES, BITS, GOES_ON=True
                )
                tl.store(sums + row, total, mask=heads)
            tl.debug_barrier()
        for first in range(0, length, BLOCK_):
            row, inside = first + place, first + place < length
            total = tl.zeros((BLOCK_,), tl.float32)
            if SEVERAL:
                total = tl.load(sums + row, mask=inside, other=0.0)
            put(
                out + low, base + low, image + low, row, total, inside, offset + low, starts, factors, segments,
                HAS_BASE, HAS_IMAGE, SCALED,
            )  # fmt: skip
        tl.debug_barrier()  # before other threads write the same places again
        if not SEVERAL:
            row, total, heads = _row_sums(z, sums, number, 0, size, d, row_key, sign_key, ENTRIES, BITS, GOES_ON=False)
            put(
                out + low, base + low, image + low, row, total, heads, offset + low, starts, factors, segments,
                HAS_BASE, HAS_IMAGE, SCALED,
            )  # fmt: skip


@triton.jit(do_not_specialize=["begin", "end", "stratum_0", "count", "lanes"])
def _rmatvec(
    sums, g, begin, end, stratum_0, count, lanes, rows, d, strata, row_key, sign_key,
    offset, starts, factors, segments, COLUMNS_: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Sums over ``count`` strata from ``stratum_0`` on; ``g`` holds rows ``begin`` to ``end``."""
    lane = tl.program_id(0).to(tl.int64)
    start = tl.program_id(1) * COLUMNS_
    column = start + tl.arange(0, COLUMNS_)
    total = tl.zeros((COLUMNS_,), dtype=tl.float32)
    for turn in range((count - tl.program_id(0) + lanes - 1) // lanes):
        number = stratum_0 + lane + lanes * (turn + lane * 0)
        low, size = _stratum(number, rows, strata)
        row = low - begin + random_below(row_key, number * d + column, size)
        inside = (column < d) & (row >= 0) & (row < end - begin)
        value = take(g, row, inside, offset, starts, factors, segments, SCALED)
        total += flipped(value, any_sign_masks(sign_key, number * d + start, COLUMNS_))
    tl.store(sums + lane * d + column, total, mask=column < d)


def matvec(to: Destination, z: Tensor, rows: int, strata: int, row_key: int, sign_key: int) -> None:
    """Write P z for ``rows`` rows to ``to`` (float32 or bfloat16).

    Args:
        to: where it goes.
        z: divided by the root of ``strata``, float32.
        rows: D of this piece.
        strata: m.
        row_key: stream of the rows.
        sign_key: stream of the signs.
    """
    d, longest = z.numel(), rows // strata + 1
    entries = min(SORTED, max(FEWEST_SORTED, 1 << (d - 1).bit_length()))
    bits = entries.bit_length() - 1
    assert longest <= 1 << (30 - bits)
    several = d > entries
    programs = min(strata, PROGRAMS) if several else strata
    out, flags, where = destination_arguments(to)
    scratch = z.new_empty(programs * longest if several else 0)
    _matvec[(programs,)](
        out, *where, z, scratch, rows, d, strata, programs, longest, row_key, sign_key, *segment_arguments(to, z),
        ENTRIES=entries, BITS=bits, SEVERAL=several, BLOCK_=BLOCK, **flags,
    )  # fmt: skip


def rmatvec(source: Gradient, begin: int, rows: int, d: int, strata: int, row_key: int, sign_key: int) -> Tensor:
    """Return what rows ``begin`` and following, which ``source`` holds, add to P^T S g times the root of ``strata``,
    shape ``(d,)``, float32; ``rows`` is D."""
    g, end = source.g, begin + source.g.numel()
    stratum_0, last = (((row + 1) * strata - 1) // rows for row in (begin, end - 1))
    count = last + 1 - stratum_0
    lanes = flow.lanes(count, d, hold=LANES_HOLD)
    sums = torch.empty(lanes * d, dtype=torch.float32, device=g.device)
    _rmatvec[(lanes, triton.cdiv(d, COLUMNS))](
        sums, g, begin, end, stratum_0, count, lanes, rows, d, strata, row_key, sign_key,
        *segment_arguments(source, g), COLUMNS_=COLUMNS, SCALED=source.scaling is not None,
    )  # fmt: skip
    return sum_lanes(sums, lanes, d)
