"""The Walsh-Hadamard transform of one long vector as small matrix products, and the Hartley transform.

H_n (entries +1 and -1, Sylvester's order, n a power of two) is the Kronecker product of smaller ones, so a transform is
a few products with 16 x 16 or 32 x 32 matrices, each along one axis of the vector. That passes over memory four times
less often than butterflies, which matters for a vector that is larger than the cache.

Transforms are not normalised (H H = n I); callers put the scale where it costs least.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


def factors(size: int) -> list[int]:
    """Split a power of two into factors of 16, 32 or 64 (smaller ones only below 256), whose product it is."""
    exponent = size.bit_length() - 1
    count = max(1, exponent // 4 if exponent != 11 else 2)  # 2048 = 32 x 64: three factors would need one of 8
    if exponent > 11:
        count = -(-exponent // 5)
    return [1 << (exponent // count + (i < exponent % count)) for i in range(count)]


@lru_cache(maxsize=64)
def sylvester(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return H of ``size`` (a power of two), entries +1 and -1, shape ``(size, size)``."""
    with torch.inference_mode(False):  # what is cached must also serve callers in another mode
        matrix = torch.ones(1, 1, dtype=dtype, device=device)
        while matrix.shape[0] < size:
            matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)], 0)
    return matrix


def transform(values: Tensor, spare: tuple[Tensor, Tensor], ascending: bool) -> Tensor:
    """Return H x, shape ``(n,)``, n a power of two, in one of the two spare buffers.

    Args:
        values: x, contiguous, shape ``(n,)``; only read, unless it is the second spare buffer.
        spare: two more vectors of n numbers, which are overwritten; the second may be ``values``.
        ascending: from the slowest axis to the fastest, or the other way round. Both give the same result but for
            rounding; which of them a projection uses is part of its bits.
    """
    source, (target, other) = values, spare
    parts = factors(values.numel())
    for factor in parts if ascending else reversed(parts):
        small = sylvester(factor, source.dtype, source.device)
        if ascending:  # the first axis is transformed and becomes the last
            torch.mm(source.view(factor, -1).t(), small, out=target.view(-1, factor))
        else:  # the last axis is transformed and becomes the first
            torch.mm(small, source.view(-1, factor).t(), out=target.view(factor, -1))
        source, target, other = target, other, target
    return source


def hartley(values: Tensor) -> Tensor:
    """Return sum_k cas(2 pi i k / N) x_k for i in 0..N-1, cas = cos + sin, for real x of any length N, shape ``(N,)``.

    Like Hadamard's, the Hartley matrix is symmetric and N times its own inverse; but it exists for every N.
    """
    spectrum = torch.fft.rfft(values)
    upper = (spectrum.real + spectrum.imag)[1 : (values.numel() + 1) // 2]
    return torch.cat([spectrum.real - spectrum.imag, upper.flip(0)])
