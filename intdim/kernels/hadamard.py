"""Walsh-Hadamard transforms of many blocks at once, as small matrix products; and the Hartley transform.

H_n (entries +1 and -1, Sylvester's order, n a power of two) is the Kronecker product of smaller ones, so one
transform is a handful of products with 16 x 16 or 32 x 32 matrices. A product along the last axis that writes the
result to the *first* axis costs no more than one in place, and after all factors the layout has turned from
``(blocks, n)`` into ``(n, blocks)``: that is where a permutation of rows moves long contiguous pieces, and where a
second transform can start and turn everything back. Chunks are sized to stay in the processor's cache; the same
transform on the whole array at once is seven times slower.

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
    with torch.inference_mode(False):  # the cache outlives the caller's mode
        matrix = torch.ones(1, 1, dtype=dtype, device=device)
        while matrix.shape[0] < size:
            matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)], 0)
    return matrix


def turn_in(blocks: Tensor, size: int, spare: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Transform every block; layout ``(count, size)`` becomes ``(size, count)``.

    Args:
        blocks: contiguous, ``count * size`` elements; only read.
        size: n, a power of two.
        spare: two flat buffers of as many elements; ``blocks`` may be the second one, not the first.

    Returns:
        The result and the other buffer, both flat.
    """
    source, (target, other) = blocks.view(-1), spare
    for factor in reversed(factors(size)):
        small = sylvester(factor, source.dtype, source.device)
        torch.mm(small, source.view(-1, factor).t(), out=target.view(factor, -1))
        source, target, other = target, other, target
    return source, target


def turn_out(rows: Tensor, size: int, spare: Tensor, out: Tensor | None = None) -> Tensor:
    """Transform every block; layout ``(size, count)`` becomes ``(count, size)``.

    Args:
        rows: flat buffer of ``size * count`` elements; overwritten.
        size: n, a power of two.
        spare: another flat buffer of as many elements; overwritten.
        out: where the result goes (contiguous, as many elements); default one of the two buffers.

    Returns:
        The result, flat.
    """
    source, target = rows, spare
    parts = factors(size)
    for place, factor in enumerate(parts):
        if out is not None and place == len(parts) - 1:
            target = out.view(-1)
        small = sylvester(factor, source.dtype, source.device)
        torch.mm(source.view(factor, -1).t(), small, out=target.view(-1, factor))
        source, target = target, source
    return source


def hartley(values: Tensor) -> Tensor:
    """Return sum_k cas(2 pi i k / N) x_k for i in 0..N-1, cas = cos + sin, for real x of any length N, shape ``(N,)``.

    The Hartley matrix is symmetric, and N times its own inverse, as Hadamard's, but exists for every N.
    """
    spectrum = torch.fft.rfft(values)
    upper = (spectrum.real + spectrum.imag)[1 : (values.numel() + 1) // 2]
    return torch.cat([spectrum.real - spectrum.imag, upper.flip(0)])
