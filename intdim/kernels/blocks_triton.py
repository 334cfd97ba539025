"""Stacked blocks H M H B on a GPU, for ``orthogonal`` and ``fastfood``, like ``c/blocks.c``: one program per block.

The slower kernels, for sizes and Tritons that ``blocks_gluon.py`` does not serve (``blocks_gpu.py`` chooses), and the
ones that Triton's interpreter runs without a GPU.

Up to n = 2^15 a block is made, transformed twice, finished and written by one program, in registers and shared memory:
theta_0 is read once and theta written once (8 bytes per weight in float32), or the gradient read once (4 bytes). Signs
and Gaussians are made from counters. Larger blocks are cut into parts of 2^13: one kernel does the butterflies at
distances below that, a second one the others, so each transform costs one more pass over a scratch buffer.

Block k serves section k mod sections of the coordinates (``projections/sections.py``).

Butterflies take the distances 1, 2, 4, ... in float32, as in C and in torch, so ``orthogonal`` has the same bits
everywhere. An adjoint adds block k into lane k mod lanes in the order of k, then the lanes: no atomic additions. A GPU
needs more lanes than a CPU, so sums differ from the CPU's in rounding.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from intdim.errors import UserError
from intdim.kernels import flow
from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.flow_triton import destination_arguments, put, segment_arguments, take
from intdim.kernels.streams_triton import flipped, normals, random_normals, random_signs, sign_masks

LARGEST_WHOLE = 1 << 15  # numbers of a block that one program holds: 128 KiB
PART = 1 << 13
LARGEST_BLOCK = 1 << 22
LANES_HOLD = 1 << 22  # numbers in all lanes of an adjoint: 16 MiB, thousands of programs
SCRATCH = 1 << 24  # numbers of scratch for large blocks
COLUMNS = 64
TURNED = 1  # z is laid out as it is


@triton.jit
def hadamard(x, SIZE: tl.constexpr, STEPS: tl.constexpr, WIDTH: tl.constexpr):
    """Butterflies along the first axis of SIZE x WIDTH numbers, held flat: distances 1, 2, ..., 2^(STEPS - 1)."""
    for step in tl.static_range(STEPS):
        pairs = tl.reshape(x, (SIZE >> (step + 1), 2, WIDTH << step))
        a, b = tl.split(tl.permute(pairs, (0, 2, 1)))
        x = tl.reshape(tl.permute(tl.join(a + b, a - b), (0, 2, 1)), (SIZE * WIDTH,))
    return x


@triton.jit
def _matvec_whole(
    out, base, image, z, rows, sections, sign_key, second_key, order, offset, starts, factors, segments,
    SIZE: tl.constexpr, STEPS: tl.constexpr, GAUSSIAN: tl.constexpr,
    HAS_BASE: tl.constexpr, HAS_IMAGE: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0).to(tl.int64) * SIZE
    place = tl.arange(0, SIZE)
    z += (tl.program_id(0) % sections).to(tl.int64) * SIZE
    x = hadamard(flipped(tl.load(z + place), sign_masks(sign_key, first, SIZE)), SIZE, STEPS, 1)
    if GAUSSIAN:
        x = tl.gather(x, tl.load(order + place), 0) * normals(second_key, first, SIZE)
    else:
        x = flipped(x, sign_masks(second_key, first, SIZE))
    x = hadamard(x, SIZE, STEPS, 1)
    inside = place < tl.minimum(rows - first, SIZE).to(tl.int32)
    put(
        out + first, base + first, image + first, place, x, inside, offset + first, starts, factors, segments,
        HAS_BASE, HAS_IMAGE, SCALED,
    )  # fmt: skip


@triton.jit
def _rmatvec_whole(
    sums, g, rows, blocks, lanes, sign_key, second_key, inverse, offset, starts, factors, segments,
    SIZE: tl.constexpr, STEPS: tl.constexpr, GAUSSIAN: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    lane = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, SIZE)
    total = tl.zeros((SIZE,), dtype=tl.float32)
    for turn in range((blocks - tl.program_id(0) + lanes - 1) // lanes):
        first = (lane + lanes * (turn + lane * 0)) * SIZE
        inside = place < tl.minimum(rows - first, SIZE).to(tl.int32)
        x = take(g + first, place, inside, offset + first, starts, factors, segments, SCALED)
        x = hadamard(x, SIZE, STEPS, 1)
        if GAUSSIAN:
            x = tl.gather(x * normals(second_key, first, SIZE), tl.load(inverse + place), 0)
        else:
            x = flipped(x, sign_masks(second_key, first, SIZE))
        total += flipped(hadamard(x, SIZE, STEPS, 1), sign_masks(sign_key, first, SIZE))
    tl.store(sums + lane * SIZE + place, total)


@triton.jit
def _near(
    to, source, first_row, rows, key, order, offset, starts, factors, segments,
    FORM: tl.constexpr, SIZE: tl.constexpr, PART_: tl.constexpr, STEPS: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Butterflies at distances below PART_ of blocks of SIZE, one part per program. FORM is the input at place p of
    block k, 0: z[p] sign, 1: source[k, p] sign, 2: source[k, order[p]] Gaussian, 3: the gradient, or
    4: source[k, order[p]]."""
    part = tl.program_id(0).to(tl.int64)
    here = part * PART_ + tl.arange(0, PART_)
    place = here % SIZE
    block = here - place
    row = first_row + here
    if FORM == 0:
        x = tl.load(source + place) * random_signs(key, row)
    elif FORM == 1:
        x = tl.load(source + here) * random_signs(key, row)
    elif FORM == 2:
        x = tl.load(source + block + tl.load(order + place)) * random_normals(key, row)
    elif FORM == 3:
        x = take(source, row, row < rows, offset, starts, factors, segments, SCALED)
    else:
        x = tl.load(source + block + tl.load(order + place))
    tl.store(to + here, hadamard(x, PART_, STEPS, 1))


@triton.jit
def _far(
    out, base, image, source, first_row, rows, key, offset, starts, factors, segments,
    FORM: tl.constexpr, SIZE: tl.constexpr, PART_: tl.constexpr, STEPS: tl.constexpr, WIDTH: tl.constexpr,
    HAS_BASE: tl.constexpr, HAS_IMAGE: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Butterflies at distances from PART_ on: WIDTH neighbouring places of all SIZE / PART_ parts. FORM is the output,
    0: the result, 1: times signs, 2: times Gaussians, or 3: P z, written to the destination."""
    PARTS: tl.constexpr = SIZE // PART_
    across = PART_ // WIDTH
    block = tl.program_id(0).to(tl.int64) // across
    flat = tl.arange(0, PARTS * WIDTH)
    place = (flat // WIDTH) * PART_ + (tl.program_id(0) % across) * WIDTH + flat % WIDTH
    here = block * SIZE + place
    row = first_row + here
    x = hadamard(tl.load(source + here), PARTS, STEPS, WIDTH)
    if FORM == 3:
        put(out, base, image, row, x, row < rows, offset, starts, factors, segments, HAS_BASE, HAS_IMAGE, SCALED)
    else:
        if FORM == 1:
            x = x * random_signs(key, row)
        elif FORM == 2:
            x = x * random_normals(key, row)
        tl.store(out + here, x)


@triton.jit
def _add_blocks(sums, source, first, count, lanes, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    """Add blocks ``first`` to ``first + count`` of the scratch into their lanes, in order."""
    place = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    at = sums + tl.program_id(0).to(tl.int64) * SIZE + place
    total = tl.load(at)
    block = (tl.program_id(0) - first % lanes + lanes) % lanes
    while block < count:
        total += tl.load(source + block.to(tl.int64) * SIZE + place)
        block += lanes
    tl.store(at, total)


def matvec(to: Destination, z: Tensor, rows: int, sign_key: int, middle_key: int, order: Tensor | None) -> None:
    """Write (H M H B) z for ``rows`` rows to ``to``.

    Args:
        to: float32 or bfloat16; computed in float32, rounded at the end.
        z: split into sections, scaled, padded with zeros, float32, shape ``(sections, n)``; n is a power of two
            from 64 to 2^22, and at most 2^15 if there are several sections.
        rows: D of this piece.
        sign_key: stream of B.
        middle_key: stream of the Gaussians if there is an ``order`` (int32, position i takes number ``order[i]``),
            else of the second signs.
        order: Pi, or None.

    Raises:
        UserError: a block is larger than the kernels support.
    """
    sections, size = z.shape
    check(size, sections)
    if not rows:
        return
    out, flags, where = destination_arguments(to)
    blocks, gaussian = -(-rows // size), order is not None
    if size <= LARGEST_WHOLE:
        _matvec_whole[(blocks,)](
            out, *where, z, rows, sections, sign_key, middle_key, order if gaussian else z, *segment_arguments(to, z),
            SIZE=size, STEPS=_steps(size), GAUSSIAN=gaussian, **flags, num_warps=_warps(size),
        )  # fmt: skip
        return
    steps, far = _steps(PART), _steps(size // PART)
    for first, count in _groups(blocks, size):
        a, b = (z.new_empty(count * size) for _ in range(2))
        parts, columns, row = count * size // PART, count * PART // COLUMNS, first * size
        near, shape = segment_arguments(to, z), {"SIZE": size, "PART_": PART}
        plain = {"HAS_BASE": False, "HAS_IMAGE": False, "SCALED": False}
        _near[(parts,)](a, z, row, rows, sign_key, z, *near, FORM=0, **shape, STEPS=steps, SCALED=False, num_warps=8)
        form = 0 if gaussian else 1
        _far[(columns,)](
            b, b, b, a, row, rows, middle_key, *near, FORM=form, **shape, STEPS=far, WIDTH=COLUMNS, **plain
        )
        if gaussian:
            _near[(parts,)](
                a, b, row, rows, middle_key, order, *near, FORM=2, **shape, STEPS=steps, SCALED=False, num_warps=8
            )
        else:
            _near[(parts,)](a, b, 0, count * size, 0, z, *near, FORM=3, **shape, STEPS=steps, SCALED=False, num_warps=8)
        _far[(columns,)](out, *where, a, row, rows, 0, *near, FORM=3, **shape, STEPS=far, WIDTH=COLUMNS, **flags)


def rmatvec(
    source: Gradient,
    rows: int,
    sections: int,
    size: int,
    sign_key: int,
    middle_key: int,
    inverse: Tensor | None,
    lanes: int | None = None,
) -> Tensor:
    """Return the lanes of (B H M^T H) S g, shape ``(lanes, size)``, float32: lane k is of section k mod sections.

    ``inverse`` is that of Pi, ``lanes`` a multiple of ``sections``.

    Raises:
        UserError: a block is larger than the kernels support.
    """
    check(size, sections)
    g = source.g
    like = torch.empty(0, dtype=torch.float32, device=g.device)
    blocks, gaussian = -(-rows // size), inverse is not None
    if not rows:
        return like.new_zeros(sections, size)

    lanes = flow.lanes(blocks, size, sections, LANES_HOLD) if lanes is None else lanes
    scaled = source.scaling is not None
    segments = segment_arguments(source, g)
    if size <= LARGEST_WHOLE:
        sums = like.new_empty(lanes * size)
        _rmatvec_whole[(lanes,)](
            sums, g, rows, blocks, lanes, sign_key, middle_key, inverse if gaussian else g, *segments,
            SIZE=size, STEPS=_steps(size), GAUSSIAN=gaussian, SCALED=scaled, num_warps=_warps(size),
        )  # fmt: skip
    else:
        sums, steps, far = like.new_zeros(lanes * size), _steps(PART), _steps(size // PART)
        shape, plain = {"SIZE": size, "PART_": PART}, {"HAS_BASE": False, "HAS_IMAGE": False, "SCALED": False}
        for first, count in _groups(blocks, size):
            a, b = (like.new_empty(count * size) for _ in range(2))
            parts, columns, row = count * size // PART, count * PART // COLUMNS, first * size
            wide = {**shape, "STEPS": far, "WIDTH": COLUMNS, **plain}
            _near[(parts,)](a, g, row, rows, 0, g, *segments, FORM=3, **shape, STEPS=steps, SCALED=scaled, num_warps=8)
            form = 2 if gaussian else 1
            _far[(columns,)](b, b, b, a, row, rows, middle_key, *segments, FORM=form, **wide)
            if gaussian:
                _near[(parts,)](
                    a, b, row, rows, 0, inverse, *segments, FORM=4, **shape, STEPS=steps, SCALED=False, num_warps=8
                )
            else:
                _near[(parts,)](
                    a, b, 0, count * size, 0, b, *segments, FORM=3, **shape, STEPS=steps, SCALED=False, num_warps=8
                )
            _far[(columns,)](b, b, b, a, row, rows, sign_key, *segments, FORM=1, **wide)
            _add_blocks[(min(lanes, blocks), size // 1024)](sums, b, first, count, lanes, SIZE=size, BLOCK=1024)
    return sums.view(lanes, size)


def check(size: int, sections: int = 1) -> None:
    """Raise UserError if a block is larger than the kernels support."""
    assert sections == 1 or size <= LARGEST_WHOLE
    if size > LARGEST_BLOCK:
        raise UserError(
            f"A block of {size} coordinates is too large for the GPU kernels; d needs it because D is hardly larger.",
            f"A block may have at most {LARGEST_BLOCK} coordinates.",
            "Lower search.d_max, or use projection=one_hot.",
        )


def _groups(blocks: int, size: int) -> list[tuple[int, int]]:
    at_once = max(1, SCRATCH // size)
    return [(first, min(at_once, blocks - first)) for first in range(0, blocks, at_once)]


def _steps(size: int) -> int:
    return size.bit_length() - 1


def _warps(size: int) -> int:
    """Return how many warps hold a block: 16 numbers a thread up to 2^13, so that a multiprocessor runs several blocks.

    Never one: the lanes of a single warp would gather from each other number by number, not through shared memory.
    """
    return max(2, min(16, size // 512))
