"""Counter-based random numbers: the same on every device and in whatever pieces they are made.

Word ``i`` of the stream with key ``k`` is ``mix(k + (i + 1) * GAMMA)`` modulo 2^64, where ``mix`` is the finaliser of
SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"). It depends on ``(k, i)`` alone:
not on the device, the chunks in which a stream is made, the number of threads, or torch's global random state. Torch
has no unsigned 64-bit arithmetic, so words are int64 and wrap around; a logical shift to the right is an arithmetic
shift with its sign bits masked. Each function below says how its numbers follow from words, so that a GPU kernel can
do the same.

All counters are int64: streams are valid up to index 2^62.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

GAMMA = 0x9E3779B97F4A7C15
MULTIPLIER_1 = 0xBF58476D1CE4E5B9
MULTIPLIER_2 = 0x94D049BB133111EB
MASK64 = (1 << 64) - 1
SCRAMBLE_ROUNDS = 4


def to_signed(word: int) -> int:
    """Return the int64 with the same 64 bits as ``word`` modulo 2^64."""
    word &= MASK64
    return word - (1 << 64) if word >> 63 else word


def mix(word: int) -> int:
    """Return the SplitMix64 finaliser of a 64-bit word, in plain Python integers (unsigned in, unsigned out)."""
    word &= MASK64
    word = ((word ^ (word >> 30)) * MULTIPLIER_1) & MASK64
    word = ((word ^ (word >> 27)) * MULTIPLIER_2) & MASK64
    return word ^ (word >> 31)


def word(key: int, index: int) -> int:
    """Return word ``index`` of stream ``key`` as an unsigned Python integer; ``bits`` gives the same as tensors."""
    return mix(key + (index + 1) * GAMMA)


def stream_key(seed: int, *path: int | str) -> int:
    """Return the int64 key of the stream for ``seed`` and all parts of ``path``, in order.

    Streams of different paths are independent. A part is a name or a number; ``1`` and ``"1"`` differ.
    """
    key = mix(seed)
    for part in path:
        text = f"{type(part).__name__}:{part}"
        part_word = int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")
        key = mix((key ^ part_word) + GAMMA)
    return to_signed(key)


def shift_right(words: Tensor, count: int) -> Tensor:
    """Return ``words`` (int64) logically shifted right by ``count`` in [1, 63]."""
    return (words >> count) & ((1 << (64 - count)) - 1)


def mix_tensor(words: Tensor) -> Tensor:
    """Overwrite ``words`` (int64) with their SplitMix64 finaliser and return them."""
    words ^= shift_right(words, 30)
    words *= to_signed(MULTIPLIER_1)
    words ^= shift_right(words, 27)
    words *= to_signed(MULTIPLIER_2)
    words ^= shift_right(words, 31)
    return words


def bits(key: int, start: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Return words ``start .. start + count`` of the stream as int64, shape ``(count,)``."""
    words = torch.arange(start + 1, start + count + 1, dtype=torch.int64, device=device)
    words *= to_signed(GAMMA)
    words += to_signed(key)
    return mix_tensor(words)


def sign_bits(key: int, start: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Return signs ``start .. start + count`` as booleans (True is minus), shape ``(count,)``.

    Sign ``i`` is bit ``i mod 64`` of word ``i // 64``: one word serves 64 signs.
    """
    first = start >> 6
    words = bits(key, first, ((start + count + 63) >> 6) - first, device)
    positions = torch.arange(64, dtype=torch.int64, device=device)
    unpacked = ((words[:, None] >> positions) & 1).to(torch.bool).reshape(-1)
    return unpacked[start - (first << 6) :][:count]


def signs(
    key: int, start: int, count: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return ``sign_bits`` as numbers, +1 or -1, shape ``(count,)``."""
    return 1 - 2 * sign_bits(key, start, count, device).to(dtype)


def uniforms(key: int, start: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Return float64 in [0, 1), shape ``(count,)``: the upper 53 bits of each word times 2^-53."""
    return shift_right(bits(key, start, count, device), 11).to(torch.float64) * 2.0**-53


def gaussians(key: int, start: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Return standard normal float64, shape ``(count,)``, by Box and Muller's formula.

    Gaussians ``2p`` and ``2p + 1`` are ``r cos(a)`` and ``r sin(a)`` with ``r = sqrt(-2 log(1 - u))``, ``a = 2 pi v``,
    where u and v are uniforms ``2p`` and ``2p + 1``. The words are the same on every device, logarithm and cosine to
    rounding.
    """
    first = start >> 1
    pairs = ((start + count + 1) >> 1) - first

    uniform = uniforms(key, 2 * first, 2 * pairs, device).view(pairs, 2)
    radius = torch.log1p(-uniform[:, 0]).mul_(-2).sqrt_()
    angle = uniform[:, 1] * (2 * math.pi)
    both = torch.empty(pairs, 2, dtype=torch.float64, device=device)
    torch.mul(radius, torch.cos(angle), out=both[:, 0])
    torch.mul(radius, torch.sin(angle), out=both[:, 1])
    return both.view(-1)[start - 2 * first :][:count]


def integers(key: int, start: int, count: int, high: int | Tensor, device: torch.device | str = "cpu") -> Tensor:
    """Return int64 in [0, high), shape ``(count,)``: the upper half of the 128-bit product of word and ``high``.

    ``high`` is at most 2^31 (or a tensor of such, one per number); no value is more likely than another by more than
    high / 2^64.
    """
    words = bits(key, start, count, device)
    upper, lower = shift_right(words, 32), words & 0xFFFFFFFF
    return (upper * high + ((lower * high) >> 32)) >> 32


def scramble(key: int, log2_size: int, index: Tensor) -> Tensor:
    """Return where a keyed bijection of ``[0, 2^log2_size)`` sends each index (int64, any shape).

    Four rounds of "multiply by an odd word, add a word, fold the upper half onto the lower", each of which can be
    inverted, so that a permutation of 2^25 numbers needs neither a table nor a sort. Not meant for cryptography.
    """
    mask = (1 << log2_size) - 1
    fold = max(1, (log2_size + 1) // 2)
    for turn in range(SCRAMBLE_ROUNDS):
        odd, offset = word(key, 2 * turn) | 1, word(key, 2 * turn + 1)
        index = (index * to_signed(odd) + to_signed(offset)) & mask
        index = index ^ (index >> fold)
    return index


def permutation(key: int, size: int, device: torch.device | str = "cpu") -> Tensor:
    """Return a permutation of ``0 .. size - 1`` as int64, shape ``(size,)``.

    It is the list of the images of 0, 1, 2, ... under ``scramble`` on the next power of two, without the images that
    are not below ``size``.
    """
    log2_size = (size - 1).bit_length()
    images = scramble(key, log2_size, torch.arange(1 << log2_size, dtype=torch.int64, device=device))
    return images[images < size]
