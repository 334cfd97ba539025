"""``dense`` on a GPU: Gaussian entries generated in the kernel, tile by tile, never stored.

Entry (i, j) is Gaussian number i d + j in float32. P z reads z and theta_0 only; the work is to generate D d Gaussians.
Sums over rows are accumulated in lanes of rows, which are added in order.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.flow_triton import destination_arguments, put, segment_arguments, sum_lanes, take
from intdim.kernels.streams_triton import random_normals

ROWS, COLUMNS = 32, 64
LANES = 512


@triton.jit
def _matvec(
    out, base, image, z, rows, d, key, offset, starts, factors, segments,
    ROWS_: tl.constexpr, COLUMNS_: tl.constexpr,
    HAS_BASE: tl.constexpr, HAS_IMAGE: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS_ + tl.arange(0, ROWS_)
    total = tl.zeros((ROWS_,), dtype=tl.float32)
    for first in range(0, d, COLUMNS_):
        column = first + tl.arange(0, COLUMNS_)
        inside = column < d
        entries = random_normals(key, row[:, None] * d + column[None, :])
        total += tl.sum(entries * tl.load(z + column, mask=inside, other=0.0)[None, :], 1)
    put(out, base, image, row, total, row < rows, offset, starts, factors, segments, HAS_BASE, HAS_IMAGE, SCALED)


@triton.jit
def _rmatvec(
    sums, g, rows, d, key, lanes, offset, starts, factors, segments,
    ROWS_: tl.constexpr, COLUMNS_: tl.constexpr, SQUARES: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Sums over the rows of a lane of entry times gradient, or of squares in float64."""
    lane = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * COLUMNS_ + tl.arange(0, COLUMNS_)
    total = tl.zeros((COLUMNS_,), dtype=tl.float64 if SQUARES else tl.float32)
    tiles = (rows + ROWS_ - 1) // ROWS_
    for turn in range((tiles - tl.program_id(0) + lanes - 1) // lanes):
        row = (lane + lanes * (turn + lane * 0)) * ROWS_ + tl.arange(0, ROWS_)
        entries = random_normals(key, row[:, None] * d + column[None, :])
        if SQUARES:
            wide = tl.where((row < rows)[:, None], entries, 0.0).to(tl.float64)
            total += tl.sum(wide * wide, 0)
        else:
            weights = take(g, row, row < rows, offset, starts, factors, segments, SCALED)
            total += tl.sum(entries * weights[:, None], 0)
    tl.store(sums + lane * d + column, total, mask=column < d)


def matvec(to: Destination, z: Tensor, rows: int, d: int, key: int) -> None:
    """Write G z for ``rows`` rows to ``to``; ``z`` is float32, already divided by the lengths of the columns."""
    out, flags, where = destination_arguments(to)
    _matvec[(triton.cdiv(rows, ROWS),)](
        out, *where, z, rows, d, key, *segment_arguments(to, z), ROWS_=ROWS, COLUMNS_=COLUMNS, **flags
    )


def rmatvec(source: Gradient, rows: int, d: int, key: int) -> Tensor:
    """Return G^T S g, shape ``(d,)``, float32; the caller divides by the lengths of the columns."""
    g, lanes = source.g, min(LANES, triton.cdiv(rows, ROWS))
    sums = torch.empty(lanes * d, dtype=torch.float32, device=g.device)
    _rmatvec[(lanes, triton.cdiv(d, COLUMNS))](
        sums, g, rows, d, key, lanes, *segment_arguments(source, g),
        ROWS_=ROWS, COLUMNS_=COLUMNS, SQUARES=False, SCALED=source.scaling is not None,
    )  # fmt: skip
    return sum_lanes(sums, lanes, d)


def squares(rows: int, d: int, key: int, device: torch.device) -> Tensor:
    """Return the squared lengths of the columns, shape ``(d,)``, float64."""
    lanes = min(LANES, triton.cdiv(rows, ROWS))
    sums = torch.empty(lanes * d, dtype=torch.float64, device=device)
    _rmatvec[(lanes, triton.cdiv(d, COLUMNS))](
        sums, sums, rows, d, key, lanes, 0, sums, sums, 0, ROWS_=ROWS, COLUMNS_=COLUMNS, SQUARES=True, SCALED=False
    )
    return sum_lanes(sums, lanes, d)
