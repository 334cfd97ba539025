"""One Fastfood block over all weights, as Li, Farkhoor, Liu & Yosinski (2018) have it, for comparison."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.hadamard import transform
from intdim.kernels.ordered import add_at
from intdim.kernels.signs import flip, pack_signs
from intdim.projections.base import Projection


class FastfoodPadded(Projection):
    """P = (N D)^(-1/2) H G Pi H B, N the power of two that holds D (and d), cut to D rows and d columns.

    The padded input is zero beyond d, so its transform of length N is one of length n, the power of two that holds d,
    repeated N / n times: ``(H_N x)[i] = (H_n x)[i mod n]``. So only the index ``Pi(i) mod n`` is stored for each i, in
    the smallest integer type that holds it. Gaussians are rounded to float32 by definition.

    State per padded weight (N is between D and 2 D): 4 bytes (G) and 2 or 4 bytes (indices). Scratch: 2 N numbers.
    """

    name = "fastfood_padded"

    def _build(self) -> None:
        D, d, seed = self.D, self.d, self.seed
        log2_padded = (max(D, d) - 1).bit_length()
        self.padded = 1 << log2_padded
        self.size = 1 << (d - 1).bit_length()
        self._scale = 1 / math.sqrt(self.padded * D)

        sign_key = streams.stream_key(seed, self.name, "signs")
        self._words = pack_signs(streams.sign_bits(sign_key, 0, self.size, self.device))
        self._gaussians = torch.empty(self.padded, dtype=torch.float32, device=self.device)
        narrow = torch.int16 if self.size <= 1 << 15 else torch.int32
        self._index = torch.empty(self.padded, dtype=narrow, device=self.device)
        permutation_key = streams.stream_key(seed, self.name, "permutation")
        gaussian_key = streams.stream_key(seed, self.name, "gaussians")
        for start, stop in self._ranges():
            index = torch.arange(start, stop, dtype=torch.int64, device=self.device)
            self._index[start:stop] = streams.scramble(permutation_key, log2_padded, index) & (self.size - 1)
            self._gaussians[start:stop] = streams.gaussians(gaussian_key, start, stop - start, self.device)

    def _ranges(self) -> list[tuple[int, int]]:
        step = max(1, self.elements_at_once)
        return [(start, min(start + step, self.padded)) for start in range(0, self.padded, step)]

    def _matvec(self, z: Tensor, out: Tensor) -> None:
        small = z.new_zeros(self.size)
        small[: self.d] = z * self._scale
        flip(small, self._words, out=small)
        small = transform(small, (torch.empty_like(small), small), ascending=False)

        values, spare = z.new_empty(self.padded), z.new_empty(self.padded)
        for start, stop in self._ranges():
            torch.index_select(small, 0, self._index[start:stop].int(), out=values[start:stop])
            values[start:stop] *= self._gaussians[start:stop]
        out.copy_(transform(values, (spare, values), ascending=True)[: self.D])

    def _rmatvec(self, g: Tensor) -> Tensor:
        padded = g.new_zeros(self.padded)
        padded[: self.D] = g
        values = transform(padded, (g.new_empty(self.padded), padded), ascending=False)

        small = g.new_zeros(self.size, dtype=torch.float64)  # it adds up to 2^25 terms in sequence
        for start, stop in self._ranges():
            weighted = values[start:stop].mul_(self._gaussians[start:stop])
            add_at(small, self._index[start:stop].int(), weighted.double())

        small = small.to(g.dtype)
        small = transform(small, (torch.empty_like(small), small), ascending=True)
        return flip(small, self._words, out=small)[: self.d] * self._scale
