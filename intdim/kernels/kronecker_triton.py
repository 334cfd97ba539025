"""``kronecker`` on a GPU: P z and P^T g in float32 without a buffer of D numbers.

P z is three kernels: Q1 Z, D1 x d2 numbers; then weight i of every whole tile, the product of one row of Q1 Z and one
row of Q2; then the last tile. All whole tiles have one permutation, so a program keeps the rows of Q2 that its 256
places need and goes over some tiles: theta_0 is read once and theta written once.

P^T g gathers: a program has 2,688 columns of one row of every tile, and adds up G Q2 for a few tiles at a time, where
G is S g unshuffled. Programs of the same tiles run together, so the tiles stay in the cache of the second level. Then
Q1^T (G Q2), in lanes of rows, which are added in a fixed order: no atomic additions.

Products and sums are float32's own, never those of tensor cores with fewer digits: no setting of torch reaches them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.flow_triton import destination_arguments, put, segment_arguments, sum_lanes, take

CHUNK = tl.constexpr(16)  # columns of Q2 at a time
HALF = tl.constexpr(0.7071067811865476)  # its square root

ROWS, COLUMNS = 32, 32  # of Q1 at a time
PLACES, TURNS, TILES = 256, 16, 1  # of a tile, and tiles, for one program of P z
READ_COLUMNS, READ_AT_ONCE, READ_TOGETHER = 2688, 128, 4  # of a row, at a time, and tiles, for one program of P^T g
LANE = 128  # rows of a part of Q1


@dataclass(frozen=True)
class Factors:
    """The factors and permutations of a ``Kronecker``, as the kernels read them; names as there.

    Attributes:
        q1: (parts, rows, columns), float32; the parts of Q1, padded with zeros to the size of the first.
        q2: (D2, width), float32; Q2, padded with zeros to a multiple of 16 columns.
        order: source of each place of a whole tile.
        inverse: place of each source.
        last_order: the same of the last tile.
        last_inverse: likewise.
        sizes: rows of a whole tile, rows of the last one, and whole tiles.
        d: coordinates, of which the first d1 d2 at most have columns of Q1 (x) Q2.
        D1: rows of Q1.
        d1: columns of Q1.
        d2: columns of Q2.
        extra: coordinates with a row of their own.
        twins: rows at the end of the product that have a twin.
    """

    q1: Tensor
    q2: Tensor
    order: Tensor
    inverse: Tensor
    last_order: Tensor
    last_inverse: Tensor
    sizes: tuple[int, int, int]
    d: int
    D1: int
    d1: int
    d2: int
    extra: int
    twins: int


@triton.jit
def _left(
    left, q1, z, inner, rows, columns, D1, d1, d2, width, parts, ROWS_: tl.constexpr, COLUMNS_: tl.constexpr
):  # fmt: skip
    """Q1 Z, shape ``(D1, width)``, zero beyond d2; part c of Q1 has rows and columns c, c + parts, ..."""
    part = tl.program_id(1)
    j = tl.program_id(0) * ROWS_ + tl.arange(0, ROWS_)
    k = tl.program_id(2) * CHUNK + tl.arange(0, CHUNK)
    total = tl.zeros((ROWS_, CHUNK), dtype=tl.float32)
    for first in range(0, columns, COLUMNS_):
        column = first + tl.arange(0, COLUMNS_)
        at = (part * rows + j)[:, None] * columns + column[None, :]
        q = tl.load(q1 + at, mask=(j < rows)[:, None] & (column < columns)[None, :], other=0.0)
        coordinate = (part + parts * column)[:, None] * d2 + k[None, :]
        there = (part + parts * column < d1)[:, None] & (k < d2)[None, :] & (coordinate < inner)
        total = tl.dot(q, tl.load(z + coordinate, mask=there, other=0.0), total, input_precision="ieee")
    row = part + parts * j
    tl.store(left + row[:, None] * width + k[None, :], total, mask=(row < D1)[:, None])


@triton.jit
def _matvec(
    out, base, image, left, q2, order, own, rows, size, D2, width, extra, twins,
    offset, starts, factors, segments,
    PLACES_: tl.constexpr, TURNS: tl.constexpr, TILES: tl.constexpr, WIDE: tl.constexpr, LAST: tl.constexpr,
    HAS_BASE: tl.constexpr, HAS_IMAGE: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Places of TURNS times TILES tiles of ``size`` weights, ``rows`` in all. ``left`` begins with the rows of the
    first tile. LAST is the last tile: its sources are products, then coordinates ``own``, then twins of the last
    products."""
    place = tl.program_id(0) * PLACES_ + tl.arange(0, PLACES_)
    source = tl.load(order + place, mask=place < size, other=0).to(tl.int32)
    if LAST:
        core = size - extra - twins
        number = source - core
        alone = (number >= 0) & (number < extra)
        source = tl.where(number >= extra, source - extra - twins, source)
        halved = (source >= core - twins) & (source < core)
        source = tl.where(alone, 0, source)
    row, column, depth = source // D2, source % D2, size // D2
    k = tl.arange(0, CHUNK)
    if not WIDE:
        q = tl.load(q2 + column[:, None] * width + k[None, :])[None, :, :]

    for turn in range(TURNS):
        tile = (tl.program_id(1) * TURNS + turn) * TILES + tl.arange(0, TILES)
        at = ((tile * depth)[:, None] + row[None, :])[:, :, None] * width + k[None, None, :]
        if WIDE:
            value = tl.zeros((TILES, PLACES_), dtype=tl.float32)
            for start in range(0, width, CHUNK):
                q = tl.load(q2 + column[:, None] * width + start + k[None, :])[None, :, :]
                value += tl.sum(tl.load(left + at + start) * q, 2)
        else:
            value = tl.sum(tl.load(left + at) * q, 2)
        if LAST:
            value = tl.where(halved[None, :], value * HALF, value)
            value = tl.where(alone[None, :], tl.load(own + number, mask=alone, other=0.0)[None, :], value)
        weight = tile.to(tl.int64)[:, None] * size + place[None, :]
        inside = (place < size)[None, :] & (weight < rows)
        put(out, base, image, weight, value, inside, offset, starts, factors, segments, HAS_BASE, HAS_IMAGE, SCALED)


@triton.jit
def _gathered(
    g, inverse, row, column, stop, first, low, high, depth, D2, extra, twins, offset, starts, factors, segments,
    LAST: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Columns of one row of G, shape ``(columns, tiles)``. A tile starts at row ``first`` of g, which holds its places
    from ``low`` to ``high``; columns from ``stop`` on are zero."""
    there = column < stop
    place = tl.load(inverse + row * D2 + column, mask=there, other=0).to(tl.int32)[:, None]
    inside = there[:, None] & (place >= low) & (place < high)
    value = take(g, first + place, inside, offset, starts, factors, segments, SCALED)
    if LAST:
        halved = there & (row == depth - 1) & (column >= D2 - twins)
        partner = row * D2 + column + twins + extra
        place = tl.load(inverse + partner, mask=halved, other=0).to(tl.int32)[:, None]
        inside = halved[:, None] & (place >= low) & (place < high)
        twin = take(g, first + place, inside, offset, starts, factors, segments, SCALED)
        value = tl.where(halved[:, None], (value + twin) * HALF, value)
    return value


@triton.jit(do_not_specialize=["begin", "end", "start", "tiles", "tile_0", "row_0", "count"])
def _rmatvec(
    partial, g, q2, inverse, begin, end, start, tile_0, tiles, row_0, count, size, depth, D2, width, extra, twins,
    offset, starts, factors, segments,
    COLUMNS_: tl.constexpr, AT_ONCE: tl.constexpr, TILES: tl.constexpr, LAST: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """``partial[split, row_0 + row, k]``: G Q2 of the rows of ``tiles`` tiles from ``tile_0`` on, over some columns.

    Row ``start`` of P is the first of tile 0, and ``g`` holds rows ``begin`` to ``end``.
    """
    row, split = tl.program_id(0) % depth, tl.program_id(0) // depth
    tile = tl.program_id(1) * TILES + tl.arange(0, TILES)
    k = tl.program_id(2) * CHUNK + tl.arange(0, CHUNK)
    first = start + (tile_0 + tile).to(tl.int64) * size - begin
    low, high = tl.maximum(-first, 0), tl.where(tile < tiles, tl.minimum(end - begin - first, size), 0)
    low, high = tl.minimum(low, size).to(tl.int32)[None, :], tl.maximum(high, 0).to(tl.int32)[None, :]
    first = first[None, :]

    column, stop = split * COLUMNS_ + tl.arange(0, AT_ONCE), tl.minimum((split + 1) * COLUMNS_, D2)
    total = tl.zeros((TILES, CHUNK, AT_ONCE), dtype=tl.float32)
    value = _gathered(
        g, inverse, row, column, stop, first, low, high, depth, D2, extra, twins, offset, starts, factors, segments,
        LAST, SCALED,
    )  # fmt: skip
    for _ in range(split * COLUMNS_, stop, AT_ONCE):
        q = tl.load(q2 + column[None, :] * width + k[:, None], mask=(column < stop)[None, :], other=0.0)
        column += AT_ONCE
        ahead = _gathered(  # before it is needed: a gather takes a thousand cycles
            g, inverse, row, column, stop, first, low, high, depth, D2, extra, twins, offset, starts, factors,
            segments, LAST, SCALED,
        )  # fmt: skip
        total += tl.trans(value)[:, None, :] * q[None, :, :]
        value = ahead
    at = split * count + row_0 + tile * depth + row
    tl.store(partial + at[:, None] * width + k[None, :], tl.sum(total, 2), mask=(tile < tiles)[:, None])


@triton.jit(do_not_specialize=["row_0", "count", "lane_0"])
def _fold(
    sums, partial, q1, row_0, count, lane_0, splits, rows, columns, D1, d1, d2, width, parts,
    LANE_: tl.constexpr, ROWS_: tl.constexpr, COLUMNS_: tl.constexpr,
):  # fmt: skip
    """``sums[lane]``: Q1^T (G Q2), shape ``(d1, d2)``, over LANE rows of every part that are among rows ``row_0`` and
    following of G Q2, ``count`` rows; these are the sum of ``splits`` times so many rows of ``partial``."""
    part, lane = tl.program_id(1) % parts, tl.program_id(0)
    column = (tl.program_id(1) // parts) * COLUMNS_ + tl.arange(0, COLUMNS_)
    k = tl.program_id(2) * CHUNK + tl.arange(0, CHUNK)
    total = tl.zeros((COLUMNS_, CHUNK), dtype=tl.float32)
    for start in range(0, LANE_, ROWS_):
        j = (lane_0 + lane) * LANE_ + start + tl.arange(0, ROWS_)
        row = part + parts * j - row_0
        there = (row >= 0) & (row < count)
        left = tl.zeros((ROWS_, CHUNK), dtype=tl.float32)
        for split in range(splits):
            at = (split * count + row)[:, None] * width + k[None, :]
            left += tl.load(partial + at, mask=there[:, None], other=0.0)
        at = (part * rows + j)[None, :] * columns + column[:, None]
        q = tl.load(q1 + at, mask=there[None, :] & (column < columns)[:, None], other=0.0)
        total = tl.dot(q, left, total, input_precision="ieee")
    at = lane * (d1 * d2) + (part + parts * column)[:, None] * d2 + k[None, :]
    tl.store(sums + at, total, mask=(part + parts * column < d1)[:, None] & (k < d2)[None, :])


@triton.jit(do_not_specialize=["begin", "end", "start"])
def _own(
    total, g, inverse, begin, end, start, core, extra, offset, starts, factors, segments,
    BLOCK: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """The gradient of coordinates with a row of their own."""
    number = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = number < extra
    row = start + tl.load(inverse + core + number, mask=inside, other=0).to(tl.int64)
    there = inside & (row >= begin) & (row < end)
    value = take(g, row - begin, there, offset, starts, factors, segments, SCALED)
    tl.store(total + number, value, mask=inside)


def matvec(to: Destination, z: Tensor, rows: int, P: Factors) -> None:
    """Write P z for ``rows`` rows to ``to`` (float32 or bfloat16); ``z`` is float32, scaled."""
    (parts, part_rows, columns), (D2, width) = P.q1.shape, P.q2.shape
    size, last, tiles = P.sizes
    together = TURNS * TILES
    left = z.new_empty(max(P.D1, triton.cdiv(tiles, together) * together * (size // D2)), width)  # whole programs
    _left[(triton.cdiv(part_rows, ROWS), parts, width // 16)](
        left, P.q1, z, P.d - P.extra, part_rows, columns, P.D1, P.d1, P.d2, width, parts, ROWS_=ROWS, COLUMNS_=COLUMNS
    )

    own = z[P.d - P.extra :]
    whole = min(size * tiles, rows)
    for start, stop, length, count in ((0, whole, size, tiles), (size * tiles, rows, last, 1)):
        if start >= stop:
            continue
        part = to.part(start, stop)
        out, flags, where = destination_arguments(part)
        is_last = start == size * tiles
        _matvec[(triton.cdiv(length, PLACES), triton.cdiv(count, together))](
            out, *where, left[start // D2 :], P.q2, P.last_order if is_last else P.order, own, stop - start, length,
            D2, width, P.extra, P.twins, *segment_arguments(part, z),
            PLACES_=PLACES, TURNS=1 if is_last else TURNS, TILES=1 if is_last else TILES, WIDE=width > 16,
            LAST=is_last, **flags,
        )  # fmt: skip


def rmatvec(source: Gradient, begin: int, P: Factors) -> Tensor:
    """Return what rows ``begin`` and following, which ``source`` holds, add to P^T S g, shape ``(d,)``, float32."""
    g, end = source.g, begin + source.g.numel()
    (parts, part_rows, columns), (D2, width) = P.q1.shape, P.q2.shape
    size, last, tiles = P.sizes
    whole, depth, last_depth = size * tiles, size // D2, P.D1 - size // D2 * tiles
    core = last_depth * D2
    total = torch.empty(P.d, dtype=torch.float32, device=g.device)
    flow: dict[str, Any] = {"SCALED": source.scaling is not None}
    segments = segment_arguments(source, g)

    first_tile = min(begin // size, tiles) if tiles else 0
    of_whole = -(-min(end, whole) // size) - first_tile if begin < whole else 0
    of_last = int(end > whole)
    splits, row_0 = triton.cdiv(D2, READ_COLUMNS), first_tile * depth
    count = of_whole * depth + of_last * last_depth
    partial = total.new_empty(splits * count * width)
    shape = {"COLUMNS_": READ_COLUMNS, "AT_ONCE": READ_AT_ONCE, "TILES": READ_TOGETHER}
    if of_whole:
        _rmatvec[(depth * splits, triton.cdiv(of_whole, READ_TOGETHER), width // 16)](
            partial, g, P.q2, P.inverse, begin, end, 0, first_tile, of_whole, 0, count, size, depth, D2, width, 0, 0,
            *segments, **shape, LAST=False, **flow,
        )  # fmt: skip
    if of_last:
        _rmatvec[(last_depth * splits, 1, width // 16)](
            partial, g, P.q2, P.last_inverse, begin, end, whole, 0, 1, of_whole * depth, count, last, last_depth, D2,
            width, P.extra, P.twins, *segments, **shape, LAST=True, **flow,
        )  # fmt: skip

    lane_0 = row_0 // parts // LANE
    lanes = (row_0 + count - 1) // parts // LANE + 1 - lane_0
    sums = total.new_empty(lanes * P.d1 * P.d2)
    _fold[(lanes, parts * triton.cdiv(columns, COLUMNS), width // 16)](
        sums, partial, P.q1, row_0, count, lane_0, splits, part_rows, columns, P.D1, P.d1, P.d2, width, parts,
        LANE_=LANE, ROWS_=ROWS, COLUMNS_=COLUMNS,
    )  # fmt: skip
    inner = P.d - P.extra
    total[:inner] = sum_lanes(sums, lanes, P.d1 * P.d2)[:inner]
    if P.extra:
        _own[(triton.cdiv(P.extra, PLACES),)](
            total[inner:], g, P.last_inverse, begin, end, whole, core, P.extra, *segments, BLOCK=PLACES, **flow
        )
    return total
