"""Weights of lower precision: float32 rounded to a mantissa of fewer bits, to the nearest or at random.

A mantissa of 7 bits is bfloat16, which has the exponents of float32, so every such number is a float32 too: what a
model computes from bf16 weights in float32 arithmetic is what it computes from these.

*Nearest*, ties to even, loses an update that is smaller than half the distance of the numbers around a weight.
*Stochastic* rounding goes up with the probability of how far up the number lies, so that its mean is the number itself
(Gupta et al. 2015, "Deep learning with limited numerical precision"). Its random numbers are 16 bits each, four to a
word of the stream with the key ``(seed, "rounding", step)``: weight i takes bits 16 (i mod 4) and following of word
i // 4. So they are the same on every device and in whatever pieces they are made.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from intdim.kernels import gpu, streams

MANTISSA = 23  # bits of float32, the implied one not counted
BF16_MANTISSA = 7
RANDOM_BITS = 16  # of a weight: exact for bf16, which drops as many; for fewer bits the mean is off by 2^-16 of a step
AT_ONCE = 1 << 18  # numbers, so that a piece and its scratch stay in the cache


@dataclass(frozen=True)
class Rounding:
    """How weights are rounded when they are written.

    Attributes:
        bits: of the mantissa, the implied one not counted: 1 to 22; 7 is bf16.
        stochastic: at random in place of to the nearest.
        seed: decides the random numbers, together with the step.
    """

    bits: int = BF16_MANTISSA
    stochastic: bool = False
    seed: int = 0

    def key(self, step: int) -> int:
        """Return the key of a step's random numbers."""
        return streams.stream_key(self.seed, "rounding", step)

    def apply(self, values: Tensor, step: int, first: int = 0) -> None:
        """Round ``values`` (flat, contiguous, float32) in place; they are weights ``first`` and following."""
        key = self.key(step) if self.stochastic else 0
        if self.stochastic and self.bits == BF16_MANTISSA and gpu.supports(values):
            from intdim.kernels import rounding_triton

            rounding_triton.round_randomly(values, key, first)
            return

        for start in range(0, values.numel(), AT_ONCE):
            piece = values[start : start + AT_ONCE]
            if self.stochastic:
                round_randomly(piece, self.bits, key, first + start)
            else:
                round_to_nearest(piece, self.bits)


def round_to_nearest(values: Tensor, bits: int) -> None:
    """Round float32 in place to the nearest number with a mantissa of ``bits`` bits, ties to the even one."""
    if bits == BF16_MANTISSA:
        values.copy_(values.to(torch.bfloat16))
        return
    words, dropped = values.view(torch.int32), MANTISSA - bits
    odd = (words >> dropped) & 1
    _replace(words, odd.add_((1 << (dropped - 1)) - 1), dropped)


def round_randomly(values: Tensor, bits: int, key: int, first: int) -> None:
    """Round float32 in place to one of the two neighbours with a mantissa of ``bits`` bits, by the random numbers
    ``first`` and following of the stream; a number that is its own neighbour stays."""
    words, dropped = values.view(torch.int32), MANTISSA - bits
    random = random_halves(key, first, values.numel(), values.device)
    if dropped <= RANDOM_BITS:
        random >>= RANDOM_BITS - dropped
    else:
        random <<= dropped - RANDOM_BITS
    _replace(words, random, dropped)


def random_halves(key: int, first: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Return 16 random bits for each of the weights ``first`` to ``first + count``, int32, shape ``(count,)``."""
    start = first >> 2
    words = streams.bits(key, start, ((first + count + 3) >> 2) - start, device)
    halves = (
        words.view(torch.int16).int() & 0xFFFF
    )  # the lowest bits come first: every machine of ours is little-endian
    return halves[first - (start << 2) :][:count]


def _replace(words: Tensor, added: Tensor, dropped: int) -> None:
    """Add to the bits of float32 and cut the last ``dropped``: a carry goes into the next binade. NaN and infinity
    stay as they are."""
    special = (words & 0x7F800000) == 0x7F800000
    added.masked_fill_(special, 0)
    added += words
    added &= -1 << dropped
    words.copy_(torch.where(special, words, added))
