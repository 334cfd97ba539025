"""The Walsh-Hadamard transform by butterflies in torch: additions and subtractions in the order of the compiled one.

H_n (entries +1 and -1, Sylvester's order, n a power of two) in log2 n steps: at distance h = 1, 2, 4, ..., the numbers
a and b become a + b and a - b. Each output is one tree of sums, so every implementation that takes the distances in
this order gives the same bits, whatever the vectors, threads or device. Transforms are not normalised (H H = n I).
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST_BLOCK = 256


def block_size(columns: int) -> int:
    """Return the power of two that holds ``columns`` coordinates, at least 256.

    Smaller blocks would hardly be cheaper and mix badly: with n = 2 a product of two Hadamard matrices and signs is a
    signed permutation.
    """
    return max(SMALLEST_BLOCK, 1 << (columns - 1).bit_length())


def transform(rows: Tensor) -> Tensor:
    """Return H applied along the first axis, shape ``(n, count)``; ``rows``, contiguous, is overwritten.

    The blocks are the columns, so that every step adds long rows.
    """
    size, count = rows.shape
    source, target = rows, torch.empty_like(rows)
    half = 1
    while half < size:
        pairs, made = (values.view(size // (2 * half), 2, half * count) for values in (source, target))
        torch.add(pairs[:, 0], pairs[:, 1], out=made[:, 0])
        torch.sub(pairs[:, 0], pairs[:, 1], out=made[:, 1])
        source, target, half = target, source, 2 * half
    return source
