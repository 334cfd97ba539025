"""What a Gluon kernel does with blocks of n = 2^s numbers in registers: butterflies, signs, Gaussians, permutations.

A program holds 2^K numbers, a thread 2^R of them, and the places of a thread's numbers are chosen (``NEAR``, ``FAR``),
so butterflies need no exchange between threads: those at distances below 2^R are done where a thread holds 2^R
neighbours (near), the others where it holds numbers that are at least 32 apart (far). Passing from one to the other is
a transposition through shared memory, within a warp up to n = 2^(R + 5).

Words and Gaussians are those of ``streams_triton.py``: Gluon compiles what other Triton kernels call, as long as it
makes no ranges of its own.
"""

from __future__ import annotations

from triton.experimental import gluon
from triton.experimental.gluon import language as gl

from intdim.kernels.streams_triton import flipped, random_pair, random_words


@gluon.constexpr_function
def _layout(registers, lanes, total):
    """Of 2^total places: which bits of a place registers and lanes stand for; warps stand for the others."""
    warps = [bit for bit in range(total) if bit not in registers and bit not in lanes]
    registers, lanes, warps = ([[1 << bit] for bit in bits] for bits in (registers, lanes, warps))
    return gl.DistributedLinearLayout(registers, lanes, warps, [], [1 << total])


@gluon.constexpr_function
def near(R, total):
    """A thread holds 2^R neighbours."""
    return _layout(list(range(R)), list(range(R, R + 5)), total)


@gluon.constexpr_function
def middle(R, total):
    """A warp holds runs of 32 neighbours, and a thread the 2^R next places."""
    return _layout(list(range(R, 2 * R)), list(range(5)), total)


@gluon.constexpr_function
def far(steps, R, total):
    """A warp holds runs of 32 neighbours, one number a thread, and a thread the highest bits of a block of 2^steps."""
    low = max(5, steps - R)
    return _layout(list(range(low, low + R)), list(range(5)), total)


@gluon.constexpr_function
def by_words(layout):
    """A layout of N places as one of (N // 32, 32)."""
    bases = ([[base[0] >> 5, base[0] & 31] for base in bases] for bases in _bases(layout))
    return gl.DistributedLinearLayout(*bases, [], [layout.shape[0] // 32, 32])


@gluon.constexpr_function
def by_pairs(layout):
    """The layout of N // 2 pairs of neighbours, of which ``layout``, near, holds each in one thread."""
    registers, lanes, warps = ([[base[0] >> 1] for base in bases] for bases in _bases(layout))
    return gl.DistributedLinearLayout(registers[1:], lanes, warps, [], [layout.shape[0] // 2])


@gluon.constexpr_function
def _bases(layout):
    return layout.reg_bases, layout.lane_bases, layout.warp_bases


@gluon.jit
def butterflies(x, FIRST: gl.constexpr, LAST: gl.constexpr, LAYOUT: gl.constexpr):
    """Butterflies at distances 2^FIRST, ..., 2^(LAST - 1), which are bits of a thread's own numbers."""
    N: gl.constexpr = x.shape[0]
    for step in gl.static_range(FIRST, LAST):
        a, b = gl.split(gl.permute(gl.reshape(x, (N >> (step + 1), 2, 1 << step)), (0, 2, 1)))
        made = gl.reshape(gl.permute(gl.join(a + b, a - b), (0, 2, 1)), (N,))
        x = gl.convert_layout(made, LAYOUT, assert_trivial=True)
    return x


@gluon.jit
def ascending(x, STEPS: gl.constexpr, R: gl.constexpr, TOTAL: gl.constexpr):
    """H x of each block of 2^STEPS, distances in ascending order; x is near, the result far."""
    FAR: gl.constexpr = far(STEPS, R, TOTAL)
    x = butterflies(x, 0, R, near(R, TOTAL))
    if STEPS > 2 * R:
        MIDDLE: gl.constexpr = middle(R, TOTAL)
        x = butterflies(gl.convert_layout(x, MIDDLE), R, 2 * R, MIDDLE)
        return butterflies(gl.convert_layout(x, FAR), 2 * R, STEPS, FAR)
    else:
        return butterflies(gl.convert_layout(x, FAR), R, STEPS, FAR)


@gluon.jit
def descending(x, STEPS: gl.constexpr, R: gl.constexpr, TOTAL: gl.constexpr):
    """H x of each block of 2^STEPS in another order of additions; x is far, the result near."""
    NEAR: gl.constexpr = near(R, TOTAL)
    FAR: gl.constexpr = far(STEPS, R, TOTAL)
    if STEPS > 2 * R:
        MIDDLE: gl.constexpr = middle(R, TOTAL)
        x = butterflies(x, 2 * R, STEPS, FAR)
        x = butterflies(gl.convert_layout(x, MIDDLE), R, 2 * R, MIDDLE)
    else:
        x = butterflies(x, R, STEPS, FAR)
    return butterflies(gl.convert_layout(x, NEAR), 0, R, NEAR)


@gluon.jit
def half_words(key, first, N: gl.constexpr, NEAR: gl.constexpr):
    """Signs ``first`` to ``first + N``, 32 in an int32; a thread makes those of its own neighbours."""
    number = gl.arange(0, N // 32, layout=gl.SliceLayout(1, by_words(NEAR)))
    words = random_words(key, (first >> 6) + (number >> 1))
    return gl.where((number & 1) == 1, (words >> 32).to(gl.int32), words.to(gl.int32))


@gluon.jit
def with_signs(x, halves, LAYOUT: gl.constexpr):
    """``x`` with the signs of ``half_words``. In a far layout every thread reads all half-words of its warp."""
    WORDS: gl.constexpr = by_words(LAYOUT)
    N: gl.constexpr = x.shape[0]
    halves = gl.convert_layout(halves, gl.SliceLayout(1, WORDS))
    place = gl.arange(0, 32, layout=gl.SliceLayout(0, WORDS))
    masks = (halves[:, None] << (31 - place)[None, :]) & -2147483648
    return flipped(x, gl.convert_layout(gl.reshape(masks, (N,)), LAYOUT, assert_trivial=True))


@gluon.jit
def gaussians(key, first, N: gl.constexpr, NEAR: gl.constexpr):
    """Gaussians ``first`` to ``first + N``."""
    pair = gl.arange(0, N // 2, layout=by_pairs(NEAR))
    a, b = random_pair(key, first + 2 * pair)
    return gl.convert_layout(gl.reshape(gl.join(a, b), (N,)), NEAR, assert_trivial=True)
