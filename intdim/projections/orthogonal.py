"""Stacked orthogonal blocks H B1 H B2 of signs alone, with exactly orthonormal columns for every D >= d."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.hadamard import block_size, hartley
from intdim.kernels.signs import flip, pack_signs
from intdim.projections.base import ELEMENTS_AT_ONCE, Projection
from intdim.projections.blocks import SignedBlocks


class Orthogonal(Projection):
    """P = stack of sqrt(n_k / D) Q_k, where the n_k rows of Q_k have exactly orthonormal columns.

    All blocks but the last have n = block_size(d) rows and Q_k = H B1_k H B2_k / n with Hadamard matrices. A
    Hadamard block that is cut is no longer orthogonal, so the last block takes all rows that are left, between n and
    2n - 1 of them (or all D, if D < n), and uses the Hartley matrix, which exists for every size, in the place of
    Hadamard's: Q = H B1 H B2 / rows. If D is a multiple of n there is no Hartley block.

    Signs of row i are numbers i of the two streams, in every block. State: 2 bits per weight.

    A piece with D < d (see ``Projection``) is one Hadamard block cut to D rows, times sqrt(n / D).
    """

    name = "orthogonal"

    def __init__(
        self,
        D: int,
        d: int,
        seed: int = 0,
        device: torch.device | str = "cpu",
        elements_at_once: int = ELEMENTS_AT_ONCE,
    ) -> None:
        super().__init__(D, d, seed, device, elements_at_once)
        self.size = block_size(d)
        if d > D or D % self.size == 0:
            self.tail = 0
        else:
            self.tail = D % self.size + (self.size if self.size < D else 0)
        body = D - self.tail
        first_key = streams.stream_key(seed, self.name, "first signs")
        second_key = streams.stream_key(seed, self.name, "second signs")
        self._blocks = SignedBlocks(body, d, self.size, first_key, self.device, elements_at_once)
        self._second = [
            pack_signs(
                streams.sign_bits(second_key, first * self.size, count * self.size, self.device).view(count, -1).t()
            )
            for first, count in self._blocks.chunks
        ]
        self._tail_first, self._tail_second = (
            pack_signs(streams.sign_bits(key, body, self.tail, self.device)) for key in (first_key, second_key)
        )
        self._scale = math.sqrt(self.size / D) / self.size
        self._tail_scale = 1 / math.sqrt(self.tail * D) if self.tail else 0.0

    def _matvec(self, z: Tensor, out: Tensor) -> None:
        self._blocks.matvec(z * self._scale, out[: self.D - self.tail], self._middle)
        if self.tail:
            padded = z.new_zeros(self.tail)
            padded[: self.d] = z * self._tail_scale
            inner = hartley(flip(padded, self._tail_first))
            out[self.D - self.tail :] = hartley(flip(inner, self._tail_second))

    def _rmatvec(self, g: Tensor) -> Tensor:
        total = self._blocks.rmatvec(g[: self.D - self.tail], self._middle) * self._scale
        if self.tail:
            inner = flip(hartley(g[self.D - self.tail :]), self._tail_second)
            total += flip(hartley(inner), self._tail_first)[: self.d] * self._tail_scale
        return total

    def _middle(self, chunk: int, values: Tensor, spare: Tensor) -> tuple[Tensor, Tensor]:
        flip(values, self._second[chunk], out=values)
        return values, spare
