"""The random streams of ``streams.py`` inside Triton kernels: the same words from the same counters, no tables.

Words, signs and integers are the same bit for bit. Gaussians are made from the same uniforms in float32, so they agree
to float32's rounding. Counters are int64.
"""

from __future__ import annotations

import triton
import triton.language as tl

GAMMA = tl.constexpr(0x9E3779B97F4A7C15 - (1 << 64))
MULTIPLIER_1 = tl.constexpr(0xBF58476D1CE4E5B9 - (1 << 64))
MULTIPLIER_2 = tl.constexpr(0x94D049BB133111EB - (1 << 64))
TO_UNIT = tl.constexpr(2.0**-53)
LOG_2 = tl.constexpr(0.6931471805599453)
TWO_PI = tl.constexpr(6.283185307179586)


@triton.jit
def _right(word, count: tl.constexpr):
    """Shift int64 logically to the right."""
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
def sign_masks(key, first, SIZE: tl.constexpr):
    """SIZE signs from ``first`` on, as int32 masks of a float's sign bit, to be XORed with the float.

    ``first`` (int64) and SIZE are multiples of 64. A word is made once for its 64 signs, not once for each number.
    """
    return _unpacked(random_words(key, (first >> 6) + tl.arange(0, SIZE // 64)), SIZE)


@triton.jit
def any_sign_masks(key, first, SIZE: tl.constexpr):
    """``sign_masks`` for any ``first``."""
    index, place = (first >> 6) + tl.arange(0, SIZE // 64), first & 63
    shift = tl.where(place == 0, 1, place)  # a shift by 64 is undefined; the result is not used then
    low, high = random_words(key, index), random_words(key, index + 1)
    both = ((low >> shift) & ((1 << (64 - shift)) - 1)) | (high << (64 - shift))
    return _unpacked(tl.where(place == 0, low, both), SIZE)


@triton.jit
def _unpacked(words, SIZE: tl.constexpr):
    halves = tl.reshape(tl.join(words.to(tl.int32), (words >> 32).to(tl.int32)), (SIZE // 32, 1))
    return tl.reshape((halves << (31 - tl.arange(0, 32))[None, :]) & -2147483648, (SIZE,))


@triton.jit
def flipped(value, masks):
    """``value`` (float32) with the signs of ``sign_masks``."""
    return (value.to(tl.int32, bitcast=True) ^ masks).to(tl.float32, bitcast=True)


@triton.jit
def random_below(key, index, high):
    """Integers in [0, high), high at most 2^31: the upper half of the 128-bit product of a word and ``high``."""
    word = random_words(key, index)
    upper, lower = _right(word, 32), word & 0xFFFFFFFF
    return (upper * high + ((lower * high) >> 32)) >> 32


@triton.jit
def normals(key, first, SIZE: tl.constexpr):
    """SIZE Gaussians from ``first`` on; both are even."""
    words = random_words(key, first + tl.arange(0, SIZE))
    u, v = tl.split(tl.reshape(words, (SIZE // 2, 2)))
    a, b = _box_muller(u, v)
    return tl.reshape(tl.join(a, b), (SIZE,))


@triton.jit
def random_pair(key, index):
    """Gaussians ``index`` and ``index + 1``; ``index`` is even."""
    return _box_muller(random_words(key, index), random_words(key, index + 1))


@triton.jit
def random_normals(key, index):
    """Gaussians ``index``, in any order; for consecutive ones ``normals`` costs half."""
    a, b = random_pair(key, (index >> 1) * 2)
    return tl.where((index & 1) == 1, b, a)


@triton.jit
def _box_muller(u, v):
    """Return r cos(2 pi v), r sin(2 pi v), r = sqrt(-2 log(1 - u)), for words u and v: the upper 53 bits of u as a
    fraction, and the upper 32 of v, which neglects 2^-32 of a turn.

    In float32 throughout: float64's logarithm and cosine took four fifths of a kernel's time and registers. u, 1 - u
    and the distance of v to the nearest quarter turn are exact integers before they are rounded, so nothing cancels.
    log(1 + f) is a polynomial, fitted at Chebyshev points to 3e-8 on [sqrt(1/2) - 1, sqrt(2) - 1]. The result is within
    6e-7 of the exact one.
    """
    u, v = _right(u, 11), (v >> 32).to(tl.int32)
    rest = ((1 << 53) - u).to(tl.float32) * TO_UNIT
    bits = rest.to(tl.int32, bitcast=True)
    exponent = (bits - 0x3F3504F3) >> 23  # rest = m 2^exponent with m from sqrt(1/2) to sqrt(2)
    f = (bits - (exponent << 23)).to(tl.float32, bitcast=True) - 1.0
    f = tl.where(exponent == 0, u.to(tl.float32) * -TO_UNIT, f)
    p = f * 0.07149753719568253 - 0.115712009370327
    p = p * f + 0.11661510914564133
    p = p * f - 0.12411050498485565
    p = p * f + 0.14249937236309052
    p = p * f - 0.1666848063468933
    p = p * f + 0.20000708103179932
    p = p * f - 0.24999989569187164
    p = p * f + 0.3333333134651184
    log = f + f * f * (p * f - 0.5) + exponent.to(tl.float32) * LOG_2
    radius = tl.sqrt(-2.0 * log)
    turns = (v + (1 << 29)) >> 30  # quarters, modulo 4
    x = (v - (turns << 30)).to(tl.float32) * (TWO_PI * 2.0**-32)
    a, b = cosine_sine(turns, x)
    return radius * a, radius * b


@triton.jit
def cosine_sine(turns, x):
    """Cosine and sine of ``turns`` quarter turns and x, in [-pi / 4, pi / 4]: polynomials, fitted to 3e-8."""
    z = x * x
    sine = x + x * z * ((z * -0.00019587950373534113 + 0.008332748897373676) * z - 0.166666641831398)
    cosine = 1.0 - 0.5 * z + z * z * ((z * 2.4547875000280328e-05 - 0.001388830249197781) * z + 0.0416666641831398)
    odd = (turns & 1) == 1
    a = flipped(tl.where(odd, sine, cosine), ((turns + 1) & 2) << 30)
    b = flipped(tl.where(odd, cosine, sine), (turns & 2) << 30)
    return a, b
