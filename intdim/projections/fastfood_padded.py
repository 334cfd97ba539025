"""One Fastfood block over everything (Li, Farkhoor, Liu & Yosinski 2018): the faithful form, for comparison."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.hadamard import turn_in, turn_out
from intdim.kernels.ordered import add_at
from intdim.kernels.signs import flip, pack_signs
from intdim.projections.base import ELEMENTS_AT_ONCE, Projection


class FastfoodPadded(Projection):
    """P = (N D)^(-1/2) H G Pi H B, N the power of two that holds D (and d), cut to D rows and d columns.

    The padded input is zero beyond d, so the first transform of length N is one of length n, the power of two that
    holds d, repeated N / n times: ``(H_N x)[i] = (H_n x)[i mod n]``. Only the place ``Pi(i) mod n`` is kept for each
    i, in the smallest integer that holds it. Gaussians are rounded to float32 by definition.

    State per padded weight (N is between D and 2 D): 4 bytes (G) and 2 or 4 bytes (places). Scratch: 2 N numbers.
    """

    name = "fastfood_padded"

    def __init__(
        self,
        D: int,
        d: int,
        seed: int = 0,
        device: torch.device | str = "cpu",
        elements_at_once: int = ELEMENTS_AT_ONCE,
    ) -> None:
        super().__init__(D, d, seed, device, elements_at_once)
        log2_padded = (max(D, d) - 1).bit_length()
        self.padded = 1 << log2_padded
        self.size = 1 << (d - 1).bit_length()
        self._scale = 1 / math.sqrt(self.padded * D)
        self._words = pack_signs(
            streams.sign_bits(streams.stream_key(seed, self.name, "signs"), 0, self.size, self.device)
        )
        self._gaussians = torch.empty(self.padded, dtype=torch.float32, device=self.device)
        narrow = torch.int16 if self.size <= 1 << 15 else torch.int32
        self._places = torch.empty(self.padded, dtype=narrow, device=self.device)
        permutation_key = streams.stream_key(seed, self.name, "permutation")
        gaussian_key = streams.stream_key(seed, self.name, "gaussians")
        for start, stop in self._ranges():
            index = torch.arange(start, stop, dtype=torch.int64, device=self.device)
            self._places[start:stop] = streams.scramble(permutation_key, log2_padded, index) & (self.size - 1)
            self._gaussians[start:stop] = streams.gaussians(gaussian_key, start, stop - start, self.device)

    def _ranges(self) -> list[tuple[int, int]]:
        step = max(1, self.elements_at_once)
        return [(start, min(start + step, self.padded)) for start in range(0, self.padded, step)]

    def _matvec(self, z: Tensor, out: Tensor) -> None:
        small = z.new_zeros(self.size)
        small[: self.d] = z * self._scale
        flip(small, self._words, out=small)
        small, _ = turn_in(small, self.size, (torch.empty_like(small), torch.empty_like(small)))
        values, spare = z.new_empty(self.padded), z.new_empty(self.padded)
        for start, stop in self._ranges():
            torch.index_select(small, 0, self._places[start:stop].int(), out=values[start:stop])
            values[start:stop] *= self._gaussians[start:stop]
        out.copy_(turn_out(values, self.padded, spare)[: self.D])

    def _rmatvec(self, g: Tensor) -> Tensor:
        padded = g.new_zeros(self.padded)
        padded[: self.D] = g
        values, _ = turn_in(padded, self.padded, (g.new_empty(self.padded), padded))
        small = g.new_zeros(self.size, dtype=torch.float64)  # up to 2^25 terms one after the other
        for start, stop in self._ranges():
            weighted = values[start:stop].mul_(self._gaussians[start:stop])
            add_at(small, self._places[start:stop].int(), weighted.double())
        small = small.to(g.dtype)
        small = turn_out(small, self.size, torch.empty_like(small))
        return flip(small, self._words, out=small)[: self.d] * self._scale
