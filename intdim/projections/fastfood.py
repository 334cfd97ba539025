"""Stacked Fastfood blocks H G Pi H B (Le, Sarlos & Smola 2013, "Fastfood: approximating kernel expansions")."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.hadamard import block_size
from intdim.projections.base import ELEMENTS_AT_ONCE, Projection
from intdim.projections.blocks import SignedBlocks


class Fastfood(Projection):
    """P = (n D)^(-1/2) stack_k(H G_k Pi H B_k), n = block_size(d), cut to D rows and d columns.

    Signs B_k and Gaussians G_k are fresh in every block; the permutation Pi is one for all blocks. Given Pi the
    blocks are independent, so sharing it changes no expectation, and it saves a table of D indices. The Gaussians
    are the stream's, rounded to float32: that is part of the definition, so P is the same in float64.

    Every entry has variance 1/D, hence columns of unit length in expectation; their squared length has a standard
    deviation of about sqrt(2 / D). State: 4 bytes (G) and one bit (B) per weight.
    """

    name = "fastfood"

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
        key = streams.stream_key(seed, self.name, "signs")
        self._blocks = SignedBlocks(D, d, self.size, key, self.device, elements_at_once)
        self._scale = 1 / math.sqrt(self.size * D)
        self._permutation = streams.permutation(
            streams.stream_key(seed, self.name, "permutation"), self.size, self.device
        )
        self._inverse = torch.argsort(self._permutation)
        gaussian_key = streams.stream_key(seed, self.name, "gaussians")
        self._gaussians = [
            streams.gaussians(gaussian_key, first * self.size, count * self.size, self.device)
            .to(torch.float32)
            .view(count, self.size)
            .t()
            .contiguous()
            for first, count in self._blocks.chunks
        ]

    def _matvec(self, z: Tensor, out: Tensor) -> None:
        self._blocks.matvec(z * self._scale, out, self._middle)

    def _rmatvec(self, g: Tensor) -> Tensor:
        return self._blocks.rmatvec(g, self._middle_adjoint) * self._scale

    def _middle(self, chunk: int, values: Tensor, spare: Tensor) -> tuple[Tensor, Tensor]:
        rows, permuted = values.view(self.size, -1), spare.view(self.size, -1)
        torch.index_select(rows, 0, self._permutation, out=permuted)
        permuted.mul_(self._gaussians[chunk])
        return spare, values

    def _middle_adjoint(self, chunk: int, values: Tensor, spare: Tensor) -> tuple[Tensor, Tensor]:
        rows, restored = values.view(self.size, -1), spare.view(self.size, -1)
        rows.mul_(self._gaussians[chunk])
        torch.index_select(rows, 0, self._inverse, out=restored)
        return spare, values
