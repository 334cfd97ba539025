"""Stacked Fastfood blocks H G Pi H B (Le, Sarlos & Smola 2013, "Fastfood: approximating kernel expansions")."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.flow import Destination, Gradient
from intdim.projections.base import Projection
from intdim.projections.blocks import SignedBlocks
from intdim.projections.sections import LARGEST_BLOCK, split


class Fastfood(Projection):
    """P = (n D)^(-1/2) stack_k(H G_k Pi H B_k), n = block_size(d), cut to D rows and d columns, for d up to 4096.

    More coordinates are split into sections of at most 4096 (``sections.py``). Each section has such a matrix over the
    D_c rows of its own blocks, with D_c instead of D.

    Signs B_k and Gaussians G_k are new in every block; all blocks share the permutation Pi. Given Pi the blocks are
    independent, so sharing it changes no expectation, and it saves a table of D indices. The Gaussians are those of
    the stream rounded to float32: that is part of the definition, so P is the same in float64.

    Every entry has variance 1/D, so columns have unit length in expectation; their squared length has a standard
    deviation of about sqrt(2 / D). State: 4 bytes per weight (G), and in torch one bit (B); none on a GPU.
    """

    name = "fastfood"
    compiled = True
    by_rows = True
    triton = True
    largest_block: ClassVar[int] = LARGEST_BLOCK

    def _build(self) -> None:
        D, d, seed = self.D, self.d, self.seed
        self.sections = split(D, d, self.largest_block)
        size = self.sections.size
        scales = torch.tensor(
            [1 / math.sqrt(size * rows) for rows in self.sections.rows(D)], device=self.device, dtype=torch.float64
        )

        sign_key, permutation_key, gaussian_key = (
            streams.stream_key(seed, self.name, part) for part in ("signs", "permutation", "gaussians")
        )

        order = streams.permutation(permutation_key, size, self.device).int()
        keys = sign_key, gaussian_key
        self._blocks = SignedBlocks(D, self.sections, scales, *keys, order, self.device, self.elements_at_once)

    @property
    def engine(self) -> str:
        """What computes the products in float32, as text for a log."""
        return self._blocks.engine or super().engine

    def _write(self, z: Tensor, to: Destination) -> None:
        self._blocks.write(z, to)

    def _read(self, source: Gradient) -> Tensor:
        return self._blocks.read(source)

    def _read_rows(self, g: Tensor, start: int) -> Tensor:
        return self._blocks.read(Gradient(g), start)
