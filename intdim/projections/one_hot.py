"""Every weight follows one coordinate, with a sign (count-sketch; Li et al. 2025, "Uni-LoRA", for the same use)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.ordered import add_at
from intdim.kernels.signs import flip, pack_signs
from intdim.projections.base import ELEMENTS_AT_ONCE, Projection

SHORTEST_STRETCH = 1024


class OneHot(Projection):
    """P[w, c(w)] = sign(w) / sqrt(count of c(w)), and nothing else in row w.

    The assignment is balanced and needs no table: weights are cut into stretches of L = d ceil(1024 / d), and weight
    j of stretch t follows coordinate ``(j + shift_t) mod d`` with one random shift per stretch. So each coordinate
    takes L / d weights from every stretch, at a random place (stratified sampling), and serves floor(D / d) or
    ceil(D / d) weights in all. Neighbouring weights follow neighbouring coordinates, which says nothing, as
    coordinates are names and every weight has a sign of its own. A stretch is a slice of z written twice, so both
    products move contiguous memory. Stretches are at least 1024 long because a slice has a fixed cost.

    Columns are exactly orthogonal and exactly of unit length. State: one bit per weight, 8 bytes per stretch.
    A piece with D < d (see ``Projection``) serves D coordinates, with entries sqrt(d / D).
    """

    name = "one_hot"

    def __init__(
        self,
        D: int,
        d: int,
        seed: int = 0,
        device: torch.device | str = "cpu",
        elements_at_once: int = ELEMENTS_AT_ONCE,
    ) -> None:
        super().__init__(D, d, seed, device, elements_at_once)
        self.stretch = d * -(-SHORTEST_STRETCH // d)
        self.full = D // self.stretch
        shift_key = streams.stream_key(seed, self.name, "shifts")
        self._shifts = streams.integers(shift_key, 0, self.full + 1, d, self.device)
        sign_key = streams.stream_key(seed, self.name, "signs")
        at_once = max(1, elements_at_once // self.stretch)
        self.chunks = [(first, min(at_once, self.full - first)) for first in range(0, self.full, at_once)]
        self._words = [
            pack_signs(streams.sign_bits(sign_key, first * self.stretch, count * self.stretch, self.device))
            for first, count in self.chunks
        ]
        rest = D - self.full * self.stretch
        self._rest_words = pack_signs(streams.sign_bits(sign_key, D - rest, rest, self.device))
        counts = torch.full((d,), self.full * (self.stretch // d), dtype=torch.int64, device=self.device)
        counts += torch.bincount(self._rest_coordinates(), minlength=d)
        self._lengths = counts.double().rsqrt_() if d <= D else torch.full_like(counts.double(), math.sqrt(d / D))

    def _rest_coordinates(self) -> Tensor:
        """Return which coordinates the weights after the last full stretch follow, int64."""
        rest = self.D - self.full * self.stretch
        return (torch.arange(rest, device=self.device) + self._shifts[-1]) % self.d

    def _matvec(self, z: Tensor, out: Tensor) -> None:
        z = z * self._lengths.to(z.dtype)
        windows = z.repeat(self.stretch // self.d + 1).unfold(0, self.stretch, 1)  # (d + 1, stretch), no copy
        for (first, count), words in zip(self.chunks, self._words, strict=True):
            piece = out[first * self.stretch : (first + count) * self.stretch]
            torch.index_select(windows, 0, self._shifts[first : first + count], out=piece.view(count, self.stretch))
            flip(piece, words, out=piece)
        rest = out[self.full * self.stretch :]
        rest.copy_(flip(z[self._rest_coordinates()], self._rest_words))

    def _rmatvec(self, g: Tensor) -> Tensor:
        d, total = self.d, g.new_zeros(self.d)
        for (first, count), words in zip(self.chunks, self._words, strict=True):
            piece = flip(g[first * self.stretch : (first + count) * self.stretch], words)
            rows = piece.view(count, self.stretch // d, d)
            twice = g.new_empty(count, 2, d)
            torch.sum(rows, 1, keepdim=True, out=twice[:, :1])
            twice[:, 1] = twice[:, 0]
            starts = torch.arange(count, device=g.device) * (2 * d) + (d - self._shifts[first : first + count])
            total += twice.view(-1).unfold(0, d, 1).index_select(0, starts).sum(0)
        add_at(total, self._rest_coordinates(), flip(g[self.full * self.stretch :], self._rest_words))
        return total * self._lengths.to(g.dtype)
