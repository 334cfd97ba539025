"""Signs of one bit each: packed once, and applied by flipping the sign bits of floating-point numbers.

M signs are stored in W = ceil(M / 32) int32 words by *planes*: sign ``e`` is bit ``31 - e // W`` of word ``e mod W``.
So plane ``p``, the signs of W consecutive elements, is the top bits of ``words << p``, and shifting and flipping go
over contiguous memory.
"""

from __future__ import annotations

import torch
from torch import Tensor

PLANES = 32
TOP_BIT = -(1 << 31)


def pack_signs(negative: Tensor) -> Tensor:
    """Pack booleans (True is minus), any shape with M elements, into int32 words, shape ``(ceil(M / 32),)``."""
    flat = negative.reshape(-1)
    width = -(-flat.numel() // PLANES)
    padded = torch.zeros(PLANES * width, dtype=torch.int32, device=flat.device)
    padded[: flat.numel()] = flat
    words = torch.zeros(width, dtype=torch.int32, device=flat.device)
    for plane, chunk in enumerate(padded.view(PLANES, width)):
        words |= chunk << (PLANES - 1 - plane)
    return words


def flip(values: Tensor, words: Tensor, out: Tensor | None = None) -> Tensor:
    """Return ``values`` with the packed signs applied.

    Args:
        values: contiguous float32 or float64, M elements.
        words: the result of ``pack_signs`` for M booleans.
        out: where the result goes, contiguous, same size and dtype; may be ``values``. A new tensor by default.
    """
    out = torch.empty_like(values) if out is None else out
    shifts = torch.arange(PLANES, dtype=torch.int32, device=words.device)
    masks = torch.bitwise_left_shift(words, shifts[:, None]).bitwise_and_(TOP_BIT).view(-1)[: values.numel()]
    integer = torch.int32
    if values.dtype == torch.float64:
        integer, masks = torch.int64, masks.to(torch.int64) << 32
    torch.bitwise_xor(values.view(-1).view(integer), masks, out=out.view(-1).view(integer))
    return out
