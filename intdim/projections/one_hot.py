"""Every weight follows one coordinate, with a sign (a count-sketch; Li et al. 2025, "Uni-LoRA", use one likewise)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from intdim.kernels import gpu, native, streams
from intdim.kernels.flow import Destination, Gradient, add_lanes, chunks, lanes
from intdim.kernels.signs import flip, pack_signs
from intdim.kernels.streams import MASK64
from intdim.projections.base import Projection, work_dtype

SHORTEST_STRETCH = 1024
VECTOR = 4  # weights that a GPU moves at a time: 16 bytes in float32
LONG_STRETCH = 1 << 15  # from here on an adjoint has a single lane, shared by threads: more would cost d numbers each
RUN = 4096  # as in kernels/c/cyclic.c


class OneHot(Projection):
    """P[w, c(w)] = sign(w) / sqrt(count of c(w)), and nothing else in row w.

    The assignment is balanced and needs no table: weights are cut into stretches of L, and weight j of stretch t
    follows coordinate ``(j + shift_t) mod d`` with one random shift per stretch. So each coordinate has L / d weights
    in every stretch, at random positions (stratified sampling), and floor(D / d) or ceil(D / d) weights in all. That
    neighbouring weights follow neighbouring coordinates means nothing: coordinates have no order, and every weight has
    a sign of its own. A stretch is a slice of z repeated, so both products move contiguous memory.

    L is the smallest multiple of d and of 4 from 1024 on: a slice has a fixed cost. Shifts are t mod 4 plus a random
    multiple of 4 below the least common multiple of d and 4. So four weights from a multiple of 4 on keep their
    alignment, which a GPU needs, and still follow every coordinate in one stretch or another: with multiples of 4
    alone, and d one, no two weights could share a coordinate unless their numbers are equal mod 4.

    Columns are exactly orthonormal. State: none in C, where signs and shifts are made on the fly; one bit per weight
    and 8 bytes per stretch in torch.

    A piece with D < d (see ``Projection``) serves D coordinates, with entries sqrt(d / D).
    """

    name = "one_hot"
    compiled = True
    by_rows = True
    triton = True

    def _build(self) -> None:
        D, d, seed = self.D, self.d, self.seed
        cycle = math.lcm(d, VECTOR)
        self.draws = cycle // VECTOR
        self.stretch = cycle * -(-SHORTEST_STRETCH // cycle)
        self.full = D // self.stretch
        self._keys = tuple(streams.stream_key(seed, self.name, part) for part in ("signs", "shifts"))
        self.chunks = self._chunks(-(-D // self.stretch))
        self._packed: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

        rest = D - self.full * self.stretch
        last = (torch.arange(rest, device=self.device) + self._shifts(self.full, 1)) % d
        counts = torch.full((d,), self.full * (self.stretch // d), dtype=torch.int64, device=self.device)
        counts += torch.bincount(last, minlength=d)
        lengths = counts.double().rsqrt_() if d <= D else torch.full_like(counts.double(), math.sqrt(d / D))
        self._lengths = {dtype: lengths.to(dtype) for dtype in (torch.float32, torch.float64)}

    def _write(self, z: Tensor, to: Destination) -> None:
        lengths = self._lengths[z.dtype]
        if gpu.supports(z, to.out, to.base, to.image):
            from intdim.kernels import one_hot_triton

            one_hot_triton.matvec(to, z, lengths, self.D, self.draws, self.stretch, *self._keys)
            return

        twice = (z * lengths).repeat((self.stretch + VECTOR * self.draws) // self.d)
        if native.supports(twice, to.out, to.base, to.image):
            native.matvec("cyclic", to, twice, self.D, self._arguments(), RUN)
            return
        windows = twice.unfold(0, self.stretch, 1)  # (4 draws + 1, stretch), no copy
        for first, count in self.chunks:
            shifts, words = self._random(first, count)
            values = windows.index_select(0, shifts)
            start = first * self.stretch
            to.put(start, flip(values, words, out=values).view(-1)[: self.D - start])

    def _read(self, source: Gradient) -> Tensor:
        return self._adjoint(source, 0)

    def _read_rows(self, g: Tensor, start: int) -> Tensor:
        return self._adjoint(Gradient(g), start)

    def _adjoint(self, source: Gradient, start: int) -> Tensor:
        """Return P^T S g of rows ``start`` and following."""
        lengths = self._lengths[work_dtype(source.g.dtype)]
        if gpu.supports(lengths, source.g):
            from intdim.kernels import one_hot_triton

            return one_hot_triton.rmatvec(source, lengths, self.draws, self.stretch, *self._keys, begin=start)
        return add_lanes(self._sums(source, start).view(-1, self.d)) * lengths

    def _sums(self, source: Gradient, start: int) -> Tensor:
        """Return what each place of a stretch collects from rows ``start`` and following, shape ``(stretch,)``."""
        length, rows = self.stretch, source.g.numel()
        before = start // length
        stretches = -(-(start + rows) // length) - before
        in_lanes = self._lanes(stretches)
        if native.supports(source.g):
            arguments = start, *self._arguments()
            return native.rmatvec("cyclic", source, rows, arguments, length, in_lanes, max(length, RUN))
        lead = start - before * length
        sums = source.g.new_zeros(in_lanes, length, dtype=work_dtype(source.g.dtype))
        for first, count in self._chunks(stretches):
            shifts, words = self._random(before + first, count)
            low, high = first * length - lead, (first + count) * length - lead
            piece = functional.pad(source.take(max(low, 0), min(high, rows)), (max(-low, 0), max(high - rows, 0)))
            values = flip(piece, words).view(count, length)
            windows = torch.cat([values, values], 1).view(-1).unfold(0, length, 1)
            starts = torch.arange(count, device=self.device) * (2 * length) + (length - shifts)
            lane = first % in_lanes
            sums[lane : lane + count] += windows.index_select(0, starts)
        return add_lanes(sums)

    def _lanes(self, stretches: int) -> int:
        return lanes(stretches, self.stretch) if self.stretch < LONG_STRETCH else 1

    def _chunks(self, stretches: int) -> list[tuple[int, int]]:
        return chunks(stretches, self._lanes(stretches), self.elements_at_once // self.stretch)

    def _arguments(self) -> tuple[int, ...]:
        return self.draws, self.stretch, *(key & MASK64 for key in self._keys)

    def _shifts(self, first: int, count: int) -> Tensor:
        drawn = streams.integers(self._keys[1], first, count, self.draws, self.device)
        return VECTOR * drawn + torch.arange(first, first + count, device=self.device) % VECTOR

    def _random(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Return the shifts of some stretches, and their signs, packed."""
        if (first, count) not in self._packed:
            signs = streams.sign_bits(self._keys[0], first * self.stretch, count * self.stretch, self.device)
            self._packed[first, count] = self._shifts(first, count), pack_signs(signs)
        return self._packed[first, count]
