"""Stacked blocks H M H B on a GPU in registers, for ``orthogonal`` and ``fastfood``, n from 64 to 4096, in Gluon.

Triton's language leaves the place of every number in threads to the compiler, which passes each butterfly through
shared memory. Gluon, its lower level, lets a kernel choose: 32 numbers a thread, of which five butterflies need no
exchange (``butterflies_gluon.py``). A block of up to 1024 numbers is one warp's own, a larger one that of two or four
warps; small blocks share a warp.

P z adds in the order of C and torch, so ``orthogonal`` has their bits. P^T g takes the distances as it is cheapest,
and adds the blocks in other lanes; it agrees to float32's rounding, and is the same in every call.

Compiled for capability 9.0 with Triton 3.6.0 and 3.7.1. Gluon is an experimental part of Triton: where it is missing
or refuses, ``blocks_gpu.py`` takes ``blocks_triton.py``.
"""

from __future__ import annotations

from math import gcd

import torch
from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl

from intdim.kernels.butterflies_gluon import ascending, descending, far, gaussians, half_words, near, with_signs
from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.flow_triton import destination_arguments, segment_arguments

SMALLEST, LARGEST = 64, 4096
REGISTER_BITS = 5  # 2^5 numbers a thread
TURNED = 1 << REGISTER_BITS  # how z is laid out, see ``matvec``
LANES_HOLD = 1 << 21  # numbers of all lanes of an adjoint: 2048 warps, which 132 multiprocessors run at once
REGISTERS_READ = 128  # of a thread, at most: 16 warps a multiprocessor
WEIGHTS = ["out", "base", "image", "g"]  # read and written number by number, whatever their alignment
UNSPECIALIZED = ["rows", "begin", "offset", "groups", "programs", "segments", "sign_key", "middle_key"]


@gluon.jit
def _segment(row, starts, segments):
    """The last segment that starts at or before ``row``, by bisection."""
    low, high = segments * 0, segments
    while high - low > 1:
        middle = (low + high) // 2
        below = gl.load(starts + middle) <= row
        low = gl.where(below, middle, low)
        high = gl.where(below, high, middle)
    return low


@gluon.jit
def _scaled(value, place, row, starts, factors, segments, N: gl.constexpr):
    """``value`` of the N rows from ``row`` on times the factors of their segments, of which there is mostly one."""
    number, last = _segment(row, starts, segments), _segment(row + N - 1, starts, segments)
    scaled = value * gl.load(factors + number)
    while number < last:
        number += 1
        later = place >= (gl.load(starts + number) - row).to(gl.int32)
        scaled = gl.where(later, value * gl.load(factors + number), scaled)
    return scaled


@gluon.jit
def _put(out, base, image, place, x, moved, inside, HAS_BASE: gl.constexpr, HAS_IMAGE: gl.constexpr):
    if HAS_IMAGE:
        gl.store(image + place, x, mask=inside)
    if HAS_BASE:
        moved = gl.load(base + place, mask=inside).to(gl.float32) + moved
    gl.store(out + place, moved.to(out.dtype.element_ty), mask=inside)


@gluon.jit(do_not_specialize=UNSPECIALIZED, do_not_specialize_on_alignment=WEIGHTS)
def _matvec(
    out, base, image, z, order, rows, sections, sign_key, middle_key, offset, starts, factors, segments,
    STEPS: gl.constexpr, R: gl.constexpr, TOTAL: gl.constexpr, GAUSSIAN: gl.constexpr,
    HAS_BASE: gl.constexpr, HAS_IMAGE: gl.constexpr, SCALED: gl.constexpr,
):  # fmt: skip
    """Program k writes rows k 2^TOTAL and following."""
    N: gl.constexpr = 1 << TOTAL
    NEAR: gl.constexpr = near(R, TOTAL)
    FAR: gl.constexpr = far(STEPS, R, TOTAL)
    here, place = gl.arange(0, N, layout=NEAR), gl.arange(0, N, layout=FAR)
    inner = here & ((1 << STEPS) - 1)
    turned = ((inner & ((1 << R) - 1)) << (STEPS - R)) + (inner >> R)
    first = gl.program_id(0).to(gl.int64) * N
    section = (gl.program_id(0) * (N >> STEPS) + (here >> STEPS)) % sections

    x = gl.load(z + (section << STEPS) + turned)
    x = with_signs(x, half_words(sign_key, first, N, NEAR), NEAR)
    x = ascending(x, STEPS, R, TOTAL)
    if GAUSSIAN:
        x = gl.gather(x, gl.load(order + turned) + (here - inner), 0) * gaussians(middle_key, first, N, NEAR)
    else:
        x = with_signs(gl.convert_layout(x, NEAR), half_words(middle_key, first, N, NEAR), NEAR)
    x = ascending(x, STEPS, R, TOTAL)

    moved = x
    if SCALED:
        moved = _scaled(x, place, offset + first, starts, factors, segments, N)
    if first + N <= rows:
        _put(out + first, base + first, image + first, place, x, moved, None, HAS_BASE, HAS_IMAGE)
    else:
        inside = place < (rows - first).to(gl.int32)
        _put(out + first, base + first, image + first, place, x, moved, inside, HAS_BASE, HAS_IMAGE)


@gluon.jit(do_not_specialize=UNSPECIALIZED, do_not_specialize_on_alignment=WEIGHTS)
def _rmatvec(
    sums, g, inverse, begin, rows, groups, programs, sign_key, middle_key, offset, starts, factors, segments,
    STEPS: gl.constexpr, R: gl.constexpr, TOTAL: gl.constexpr, GAUSSIAN: gl.constexpr, WHOLE: gl.constexpr,
    SCALED: gl.constexpr,
):  # fmt: skip
    """Each program adds up every ``programs``-th group of 2^TOTAL rows, of those that hold rows ``begin`` and
    following; ``g`` has ``rows`` of them. WHOLE: no group has rows that ``g`` lacks."""
    N: gl.constexpr = 1 << TOTAL
    NEAR: gl.constexpr = near(R, TOTAL)
    FAR: gl.constexpr = far(STEPS, R, TOTAL)
    LAST: gl.constexpr = NEAR if GAUSSIAN else FAR
    place, last = gl.arange(0, N, layout=FAR), gl.arange(0, N, layout=LAST)
    inner = place & ((1 << STEPS) - 1)
    group = (begin // N + gl.program_id(0)).to(gl.int32)
    slot = group % programs
    total = gl.zeros((N,), gl.float32, LAST)

    for _ in range((groups - gl.program_id(0) + programs - 1) // programs):
        first = group.to(gl.int64) * N
        start = first - begin
        if WHOLE:
            x = gl.load(g + start + place).to(gl.float32)
        else:
            inside = (place >= (-start).to(gl.int32)) & (place < gl.minimum(rows - start, N).to(gl.int32))
            x = gl.load(g + start + place, mask=inside, other=0.0).to(gl.float32)
        if SCALED:
            x = _scaled(x, place, offset + start, starts, factors, segments, N)
        x = descending(x, STEPS, R, TOTAL)
        if GAUSSIAN:
            x = x * gaussians(middle_key, first, N, NEAR)
            x = gl.gather(x, gl.load(inverse + inner) + (place - inner), 0)
            x = descending(x, STEPS, R, TOTAL)
        else:
            x = with_signs(x, half_words(middle_key, first, N, NEAR), NEAR)
            x = ascending(x, STEPS, R, TOTAL)
        total += with_signs(x, half_words(sign_key, first, N, NEAR), LAST)
        group += programs
    gl.store(sums + slot.to(gl.int64) * N + last, total)


def matvec(to: Destination, z: Tensor, rows: int, sign_key: int, middle_key: int, order: Tensor | None) -> None:
    """Write (H M H B) z for ``rows`` rows to ``to``.

    Args:
        to: float32 or bfloat16; computed in float32, rounded at the end.
        z: split into sections, scaled, padded with zeros, float32, shape ``(sections, n)``, and each section turned:
            what belongs at place p is number (p mod TURNED) n / TURNED + p // TURNED, so that a warp reads neighbours.
        rows: D of this piece.
        sign_key: stream of B.
        middle_key: stream of the Gaussians if there is an ``order`` (int32, position i takes number ``order[i]``),
            else of the second signs.
        order: Pi, turned as a section is, or None.
    """
    sections, size = z.shape
    out, flags, where = destination_arguments(to)
    shape = _shape(size, order is not None)
    _matvec[(-(-rows >> shape["TOTAL"]),)](
        out, *where, z, z if order is None else order, rows, sections, sign_key, middle_key, *segment_arguments(to, z),
        **shape, **flags, num_warps=_warps(shape), enable_fp_fusion=order is not None,
    )  # fmt: skip


def rmatvec(
    source: Gradient,
    begin: int,
    sections: int,
    size: int,
    sign_key: int,
    middle_key: int,
    inverse: Tensor | None,
) -> Tensor:
    """Return the lanes of (B H M^T H) S g, shape ``(lanes, n)``, float32: lane k is of section k mod sections.

    ``source`` holds rows ``begin`` and following; ``inverse`` is that of Pi. The number of lanes is a multiple of
    ``sections`` and depends on the sizes alone.
    """
    g, rows, shape = source.g, source.g.numel(), _shape(size, inverse is not None)
    together = 1 << shape["TOTAL"]  # rows of a program
    whole = begin % together == 0 and rows % together == 0
    groups = -(-(begin + rows) // together) - begin // together
    programs = _programs(groups, together, sections, together // size)
    sums = torch.empty(programs * together // size, size, dtype=torch.float32, device=g.device)
    _rmatvec[(programs,)](
        sums, g, sums if inverse is None else inverse, begin, rows, groups, programs, sign_key, middle_key,
        *segment_arguments(source, sums), **shape, WHOLE=whole, SCALED=source.scaling is not None,
        num_warps=_warps(shape), maxnreg=REGISTERS_READ,
    )  # fmt: skip
    return sums


def _programs(groups: int, together: int, sections: int, blocks: int) -> int:
    """Return how many programs add up ``groups`` of ``together`` rows: each slot of a program, of ``blocks``, is of one
    section."""
    unit = sections // gcd(sections, blocks)
    return unit * max(1, min(-(-groups // unit), LANES_HOLD // (together * unit)))


def _shape(size: int, gaussian: bool) -> dict[str, int]:
    """Return the constants of a kernel. A permutation needs two warps: one alone would exchange number by number."""
    steps = size.bit_length() - 1
    warp = REGISTER_BITS + 5
    return {
        "STEPS": steps, "R": REGISTER_BITS, "TOTAL": max(steps, warp + 1 if gaussian else warp), "GAUSSIAN": gaussian
    }  # fmt: skip


def _warps(shape: dict[str, int]) -> int:
    return 1 << (shape["TOTAL"] - shape["R"] - 5)
