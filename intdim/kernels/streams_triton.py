"""The random streams of ``streams.py`` inside Triton kernels: the same words from the same counters, no tables.

Words, signs and integers are the same bit for bit; Gaussians are computed in float64 from the same uniforms and rounded
to float32, so they agree to the rounding of the device's logarithm and cosine. Counters are int64.
"""

from __future__ import annotations

import triton
import triton.language as tl

GAMMA = tl.constexpr(0x9E3779B97F4A7C15 - (1 << 64))
MULTIPLIER_1 = tl.constexpr(0xBF58476D1CE4E5B9 - (1 << 64))
MULTIPLIER_2 = tl.constexpr(0x94D049BB133111EB - (1 << 64))
UNIT = tl.constexpr(2.0**-53)
TWO_PI = tl.constexpr(6.283185307179586)


@triton.jit
def _right(word, count: tl.constexpr):
    """Shift int64 to the right with zeros coming in."""
    return (word >> count) & ((1 << (64 - count)) - 1)


@triton.jit
def random_words(key, index):
    """Words ``index`` (int64) of stream ``key`` (int64), as int64."""
    word = key + (index + 1) * GAMMA
    word = (word ^ _right(word, 30)) * MULTIPLIER_1
    word = (word ^ _right(word, 27)) * MULTIPLIER_2
    return word ^ _right(word, 31)


@triton.jit
def random_signs(key, index):
    """Signs ``index``, +1.0 or -1.0 in float32: bit ``index mod 64`` of word ``index // 64``, 1 is minus."""
    bit = (random_words(key, index >> 6) >> (index & 63)) & 1
    return 1.0 - 2.0 * bit.to(tl.float32)


@triton.jit
def random_below(key, index, high):
    """Integers in [0, high), high at most 2^31: the upper half of the 128-bit product of a word and ``high``."""
    word = random_words(key, index)
    upper, lower = _right(word, 32), word & 0xFFFFFFFF
    return (upper * high + ((lower * high) >> 32)) >> 32


@triton.jit
def random_normals(key, index):
    """Gaussians ``index`` by Box and Muller, rounded to float32."""
    first = (index >> 1) * 2
    u = _right(random_words(key, first), 11).to(tl.float64) * UNIT
    v = _right(random_words(key, first + 1), 11).to(tl.float64) * UNIT
    radius = tl.sqrt(-2.0 * tl.log(1.0 - u))  # 1 - u is exact: u is a multiple of 2^-53
    angle = v * TWO_PI
    return (radius * tl.where((index & 1) == 1, tl.sin(angle), tl.cos(angle))).to(tl.float32)


@triton.jit
def put(out, base, image, row, value, mask, offset, starts, factors, segments, HAS_BASE, HAS_IMAGE, SCALED):
    """Write P z of some rows: ``image = value`` and ``out = base + factor value``, or ``out = value`` without a base.

    Rows are int64 and count from the start of the tensors; ``offset`` is added to look up the segment. ``starts`` are
    int64, ascending from 0, ``factors`` float32, both ``segments`` long.
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
    """The last segment that starts at or before ``row``, by bisection; segments are few and stay in the cache."""
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
