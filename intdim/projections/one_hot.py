"""Every weight follows one coordinate, with a sign (a count-sketch; Li et al. 2025, "Uni-LoRA", use one likewise)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intdim.kernels import gpu, native, streams
from intdim.kernels.flow import Destination, Gradient, add_lanes, chunks, lanes
from intdim.kernels.signs import flip, pack_signs
from intdim.kernels.streams import MASK64
from intdim.projections.base import Projection

SHORTEST_STRETCH = 1024
LONG_STRETCH = 1 << 15  # from here on an adjoint has a single lane, shared by threads: more would cost d numbers each
RUN = 4096  # as in kernels/c/cyclic.c


class OneHot(Projection):
    """P[w, c(w)] = sign(w) / sqrt(count of c(w)), and nothing else in row w.

    The assignment is balanced and needs no table: weights are cut into stretches of L = d ceil(1024 / d), and weight
    j of stretch t follows coordinate ``(j + shift_t) mod d`` with one random shift per stretch. So each coordinate
    has L / d weights in every stretch, at random positions (stratified sampling), and floor(D / d) or ceil(D / d)
    weights in all. That neighbouring weights follow neighbouring coordinates means nothing: coordinates have no order,
    and every weight has a sign of its own. A stretch is a slice of z repeated, so both products move contiguous memory.
    Stretches have at least 1024 weights because a slice has a fixed cost.

    Columns are exactly orthonormal. State: none in C, where signs and shifts are made on the fly; one bit per weight
    and 8 bytes per stretch in torch.

    A piece with D < d (see ``Projection``) serves D coordinates, with entries sqrt(d / D).
    """

    name = "one_hot"
    compiled = True
    triton = True

    def _build(self) -> None:
        D, d, seed = self.D, self.d, self.seed
        self.stretch = d * -(-SHORTEST_STRETCH // d)
        self.full = D // self.stretch
        self._shift_key = streams.stream_key(seed, self.name, "shifts")
        self._sign_key = streams.stream_key(seed, self.name, "signs")
        stretches = -(-D // self.stretch)
        self._lanes = lanes(stretches, self.stretch) if self.stretch < LONG_STRETCH else 1
        self.chunks = chunks(stretches, self._lanes, self.elements_at_once // self.stretch)
        self._packed: dict[int, tuple[Tensor, Tensor]] = {}

        rest = D - self.full * self.stretch
        last = (torch.arange(rest, device=self.device) + self._shifts(self.full, 1)) % d
        counts = torch.full((d,), self.full * (self.stretch // d), dtype=torch.int64, device=self.device)
        counts += torch.bincount(last, minlength=d)
        self._lengths = counts.double().rsqrt_() if d <= D else torch.full_like(counts.double(), math.sqrt(d / D))

    def _write(self, z: Tensor, to: Destination) -> None:
        z = z * self._lengths.to(z.dtype)
        twice = z.repeat(self.stretch // self.d + 1)
        if native.supports(twice, to.out, to.base, to.image):
            native.matvec("cyclic", to, twice, self.D, self._arguments(), RUN)
            return
        if gpu.supports(twice, to.out, to.base, to.image):
            from intdim.kernels import one_hot_triton

            keys = self._sign_key, self._shift_key
            one_hot_triton.matvec(to, twice, self.D, self.d, self.stretch, *keys)
            return
        windows = twice.unfold(0, self.stretch, 1)  # (d + 1, stretch), no copy
        for first, count in self.chunks:
            shifts, words = self._random(first, count)
            values = windows.index_select(0, shifts)
            start = first * self.stretch
            to.put(start, flip(values, words, out=values).view(-1)[: self.D - start])

    def _read(self, source: Gradient) -> Tensor:
        length = self.stretch
        if native.supports(source.g):
            total = native.rmatvec("cyclic", source, self.D, self._arguments(), length, self._lanes, max(length, RUN))
        elif gpu.supports(self._lengths.float(), source.g):
            from intdim.kernels import one_hot_triton

            keys = self._sign_key, self._shift_key
            total = one_hot_triton.rmatvec(source, self.D, self.d, length, *keys)
        else:
            sums = source.g.new_zeros(self._lanes, length)
            for first, count in self.chunks:
                shifts, words = self._random(first, count)
                piece = source.take(first * length, min((first + count) * length, self.D))
                if piece.numel() < count * length:
                    piece = torch.cat([piece, piece.new_zeros(count * length - piece.numel())])
                values = flip(piece, words).view(count, length)
                windows = torch.cat([values, values], 1).view(-1).unfold(0, length, 1)
                starts = torch.arange(count, device=self.device) * (2 * length) + (length - shifts)
                lane = first % self._lanes
                sums[lane : lane + count] += windows.index_select(0, starts)
            total = add_lanes(sums)
        folded = total[: self.d]
        for start in range(self.d, length, self.d):
            folded = folded + total[start : start + self.d]
        return folded * self._lengths.to(folded.dtype)

    def _arguments(self) -> tuple[int, ...]:
        return self.d, self.stretch, self._sign_key & MASK64, self._shift_key & MASK64

    def _shifts(self, first: int, count: int) -> Tensor:
        return streams.integers(self._shift_key, first, count, self.d, self.device)

    def _random(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Return the shifts of some stretches, and their signs, packed."""
        if first not in self._packed:
            signs = streams.sign_bits(self._sign_key, first * self.stretch, count * self.stretch, self.device)
            self._packed[first] = self._shifts(first, count), pack_signs(signs)
        return self._packed[first]
