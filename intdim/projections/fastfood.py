"""Stacked Fastfood blocks H G Pi H B (Le, Sarlos & Smola 2013, "Fastfood: approximating kernel expansions")."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.butterflies import block_size
from intdim.kernels.flow import Destination, Gradient
from intdim.projections.base import ELEMENTS_AT_ONCE, Projection
from intdim.projections.blocks import SignedBlocks


class Fastfood(Projection):
    """P = (n D)^(-1/2) stack_k(H G_k Pi H B_k), n = block_size(d), cut to D rows and d columns.

    Signs B_k and Gaussians G_k are fresh in every block; the permutation Pi is one for all blocks. Given Pi the
    blocks are independent, so sharing it changes no expectation, and it saves a table of D indices. The Gaussians
    are the stream's, rounded to float32: that is part of the definition, so P is the same in float64.

    Every entry has variance 1/D, hence columns of unit length in expectation; their squared length has a standard
    deviation of about sqrt(2 / D). State: 4 bytes per weight (G), and in torch one bit (B); on a
    GPU none.
    """

    name = "fastfood"
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
        self._scale = 1 / math.sqrt(self.size * D)
        sign_key, permutation_key, gaussian_key = (
            streams.stream_key(seed, self.name, part) for part in ("signs", "permutation", "gaussians")
        )
        order = streams.permutation(permutation_key, self.size, self.device).int()
        keys = sign_key, gaussian_key
        self._blocks = SignedBlocks(D, d, self.size, *keys, order, self.device, elements_at_once)

    def _write(self, z: Tensor, to: Destination) -> None:
        self._blocks.matvec(z * self._scale, to)

    def _read(self, source: Gradient) -> Tensor:
        return self._blocks.rmatvec(source) * self._scale
