"""Stacked square blocks H M H B: the two Hadamard transforms and the first signs, which fastfood and orthogonal share.

Block k holds rows k n to (k + 1) n of P; the last block may be cut. It is H M_k H B_k restricted to its first d
columns, where B_k are the signs k n to (k + 1) n of one stream and M_k, the *middle*, belongs to the projection.
Several blocks are worked on at once, few enough to stay in cache; between the transforms the layout is
``(n, blocks)`` (see ``kernels.hadamard``).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.hadamard import turn_in, turn_out
from intdim.kernels.signs import flip, pack_signs

# Takes the chunk's number and two flat buffers of ``n * blocks``; the first holds the values, layout ``(n, blocks)``.
# Returns the same two buffers, the one with the result first.
Middle = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]


class SignedBlocks:
    """The chunks of blocks that cover ``rows`` rows, and their first signs.

    Args:
        rows: how many rows; the last block is cut if they are no multiple of n.
        columns: d, at most ``size``.
        size: n, a power of two.
        sign_key: stream of B.
        device: where the signs live.
        elements_at_once: a chunk has at most so many elements, but at least one block.
    """

    def __init__(
        self, rows: int, columns: int, size: int, sign_key: int, device: torch.device, elements_at_once: int
    ) -> None:
        self.rows, self.columns, self.size = rows, columns, size
        blocks = -(-rows // size)
        at_once = max(1, elements_at_once // size)
        self.chunks = [(first, min(at_once, blocks - first)) for first in range(0, blocks, at_once)]
        self.words = [
            pack_signs(streams.sign_bits(sign_key, first * size, count * size, device)) for first, count in self.chunks
        ]

    def matvec(self, z: Tensor, out: Tensor, middle: Middle) -> None:
        """Write all rows of (H M H B) z into ``out``, shape ``(rows,)``; ``z`` has ``columns`` entries."""
        padded = z.new_zeros(self.size)
        padded[: self.columns] = z
        buffers = self._buffers(z)
        for number, (first, count) in enumerate(self.chunks):
            start, elements = first * self.size, count * self.size
            a, b, c = (buffer[:elements] for buffer in buffers)
            a.view(count, self.size).copy_(padded)
            flip(a, self.words[number], out=a)
            values, spare = middle(number, *turn_in(a, self.size, (b, c)))
            piece = out[start : start + elements]
            if piece.numel() == elements:
                turn_out(values, self.size, spare, out=piece)
            else:
                piece.copy_(turn_out(values, self.size, spare)[: piece.numel()])

    def rmatvec(self, g: Tensor, middle: Middle) -> Tensor:
        """Return the sum over blocks of (B H M^T H) g, shape ``(columns,)``; ``middle`` applies M^T."""
        total = g.new_zeros(self.columns)
        buffers = self._buffers(g)
        for number, (first, count) in enumerate(self.chunks):
            start, elements = first * self.size, count * self.size
            a, b, c = (buffer[:elements] for buffer in buffers)
            piece = g[start : start + elements]
            if piece.numel() < elements:
                a[: piece.numel()] = piece
                a[piece.numel() :] = 0
                piece = a
            values, spare = middle(number, *turn_in(piece, self.size, (b, c)))
            values = turn_out(values, self.size, spare)
            flip(values, self.words[number], out=values)
            total += values.view(count, self.size)[:, : self.columns].sum(0)
        return total

    def _buffers(self, like: Tensor) -> list[Tensor]:
        elements = self.chunks[0][1] * self.size if self.chunks else 0
        return [like.new_empty(elements) for _ in range(3)]
