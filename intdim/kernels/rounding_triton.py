"""Stochastic rounding to bfloat16 on a GPU, like ``rounding.round_randomly``: one pass, random bits from counters."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from intdim.kernels.streams_triton import random_words

BLOCK = 1024


@triton.jit
def _round_randomly(values, key, first, count, BLOCK_: tl.constexpr):
    """Weight i adds bits 16 (i mod 4) and following of word i // 4 to its last 16 bits, which are then cut off."""
    place = tl.program_id(0).to(tl.int64) * BLOCK_ + tl.arange(0, BLOCK_)
    inside = place < count
    bits = tl.load(values + place, mask=inside, other=0.0).to(tl.int32, bitcast=True)
    weight = first + place
    random = (random_words(key, weight >> 2) >> (16 * (weight & 3))).to(tl.int32) & 0xFFFF
    special = (bits & 0x7F800000) == 0x7F800000  # NaN and infinity stay
    rounded = tl.where(special, bits, (bits + random) & -65536)
    tl.store(values + place, rounded.to(tl.float32, bitcast=True), mask=inside)


def round_randomly(values: Tensor, key: int, first: int) -> None:
    """Round float32 (flat, contiguous) in place to bfloat16 numbers; they are weights ``first`` and following."""
    count = values.numel()
    if count:
        _round_randomly[(triton.cdiv(count, BLOCK),)](values, key, first, count, BLOCK_=BLOCK)
