"""Stacked orthogonal blocks H B1 H B2 of signs alone, with exactly orthonormal columns for every D >= d."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.butterflies import block_size
from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.hadamard import hartley
from intdim.kernels.signs import flip, pack_signs
from intdim.projections.base import ELEMENTS_AT_ONCE, Projection
from intdim.projections.blocks import SignedBlocks


class Orthogonal(Projection):
    """P = stack of sqrt(n_k / D) Q_k, where the n_k rows of Q_k have exactly orthonormal columns.

    All blocks but the last have n = block_size(d) rows and Q_k = H B1_k H B2_k / n with Hadamard matrices. A
    Hadamard block that is cut is no longer orthogonal, so the last block takes all rows that are left, between n and
    2n - 1 of them (or all D, if D < n), and uses the Hartley matrix, which exists for every size, in the place of
    Hadamard's: Q = H B1 H B2 / rows. If D is a multiple of n there is no Hartley block.

    Signs of row i are numbers i of the two streams, in every block. State: none in C, where signs are made on the way;
    2 bits per weight in torch.

    A piece with D < d (see ``Projection``) is one Hadamard block cut to D rows, times sqrt(n / D).
    """

    name = "orthogonal"
    compiled = True
    triton = True

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
        self._blocks = SignedBlocks(body, d, self.size, first_key, second_key, None, self.device, elements_at_once)
        self._tail_first, self._tail_second = (
            pack_signs(streams.sign_bits(key, body, self.tail, self.device)) for key in (first_key, second_key)
        )
        self._scale = math.sqrt(self.size / D) / self.size
        self._tail_scale = 1 / math.sqrt(self.tail * D) if self.tail else 0.0

    def _write(self, z: Tensor, to: Destination) -> None:
        body = self.D - self.tail
        self._blocks.matvec(z * self._scale, to.part(0, body))
        if self.tail:
            padded = z.new_zeros(self.tail)
            padded[: self.d] = z * self._tail_scale
            inner = hartley(flip(padded, self._tail_first))
            to.put(body, hartley(flip(inner, self._tail_second)))

    def _read(self, source: Gradient) -> Tensor:
        body = self.D - self.tail
        total = self._blocks.rmatvec(source.part(0, body)) * self._scale
        if self.tail:
            inner = flip(hartley(source.take(body, self.D).to(total.dtype)), self._tail_second)
            total += flip(hartley(inner), self._tail_first)[: self.d] * self._tail_scale
        return total
