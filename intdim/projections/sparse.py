"""Very sparse random projections: signs at density 1/sqrt(D) (Li, Hastie & Church 2006)."""

from __future__ import annotations

import math
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from intdim.kernels import native, streams
from intdim.kernels.flow import Destination, Gradient, add_lanes, chunks, lanes
from intdim.kernels.ordered import add_at
from intdim.kernels.signs import flip, pack_signs
from intdim.kernels.streams import MASK64
from intdim.projections.base import Projection


class Sparse(Projection):
    """Column j has m = round(sqrt(D)) entries +-1/sqrt(m), one at a random row in each of m equal strata of rows.

    Stratum t is rows floor(t D / m) to floor((t + 1) D / m). Li, Hastie & Church draw every entry independently, which
    gives binomial counts around sqrt(D) and columns that must be normalised afterwards. One entry per stratum has the
    same density, the same binomial number of entries in a row, and exactly unit columns; and the gathers and sums of a
    stratum stay within sqrt(D) neighbouring weights, which suits the cache.

    Entries are ordered by column within strata, which serves both products: the adjoint gathers and sums over strata,
    the product adds into the rows of a stratum in the order of the columns. A row has about d / sqrt(D) entries, so for
    small d most weights never move: see ``movable_share``.

    In C nothing is stored: rows and signs are generated again in every product, faster than they could be read. In
    torch the d sqrt(D) entries are stored, 4 bytes and one bit each, or generated again beyond 2^28 of them.
    """

    name = "sparse"
    compiled = True
    largest_stored: ClassVar[int] = 1 << 28  # entries, 1.1 GB; generating more in every product costs ten times as much

    def _build(self) -> None:
        D, d, seed = self.D, self.d, self.seed
        self.strata = max(1, round(math.sqrt(D)))
        self._row_key = streams.stream_key(seed, self.name, "rows")
        self._sign_key = streams.stream_key(seed, self.name, "signs")
        self.stored = self.strata * d <= self.largest_stored
        self._lanes = lanes(self.strata, d)
        self.chunks = chunks(self.strata, self._lanes, self.elements_at_once // d)
        self._packed: dict[int, tuple[Tensor, Tensor]] = {}

    @cached_property
    def movable_share(self) -> float:
        """The fraction of weights that P can move: about 1 - exp(-d / sqrt(D))."""
        hit = torch.zeros(self.D, dtype=torch.bool, device=self.device)
        for number in range(len(self.chunks)):
            hit[self._chunk(number)[0].long()] = True
        return hit.sum().item() / self.D

    def _make(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Return the rows (flat, stratum by stratum) and the packed signs of some strata."""
        stratum = torch.arange(first, first + count + 1, dtype=torch.int64, device=self.device)
        bounds = stratum * self.D // self.strata
        sizes = (bounds[1:] - bounds[:-1]).repeat_interleave(self.d)
        rows = streams.integers(self._row_key, first * self.d, count * self.d, sizes, self.device)
        rows += bounds[:-1].repeat_interleave(self.d)
        words = pack_signs(streams.sign_bits(self._sign_key, first * self.d, count * self.d, self.device))
        return (rows.int() if self.D < 1 << 31 else rows), words

    def _chunk(self, number: int) -> tuple[Tensor, Tensor]:
        """Return rows and packed signs of a chunk of strata, stored or generated."""
        if not self.stored:
            return self._make(*self.chunks[number])
        if number not in self._packed:
            self._packed[number] = self._make(*self.chunks[number])
        return self._packed[number]

    def _arguments(self) -> tuple[int, ...]:
        return self.d, self.strata, self._row_key & MASK64, self._sign_key & MASK64

    def _write(self, z: Tensor, to: Destination) -> None:
        z = z / math.sqrt(self.strata)
        if native.supports(z, to.out, to.base, to.image):
            native.matvec("strata", to, z, self.D, self._arguments(), self.D // self.strata + 1)
            return

        values = to.buffer(0, self.D, z).zero_()
        for number, (_, count) in enumerate(self.chunks):
            rows, words = self._chunk(number)
            entries = z.repeat(count, 1)
            add_at(values, rows, flip(entries, words, out=entries).view(-1))
        to.put(0, values)

    def _read(self, source: Gradient) -> Tensor:
        if native.supports(source.g):
            longest = self.D // self.strata + 1
            total = native.rmatvec("strata", source, self.D, self._arguments(), self.d, self._lanes, longest)
            return total / math.sqrt(self.strata)

        g, sums = source.take(0, self.D), source.g.new_zeros(self._lanes, self.d)
        for number, (first, count) in enumerate(self.chunks):
            rows, words = self._chunk(number)
            values = g.index_select(0, rows)
            lane = first % self._lanes
            sums[lane : lane + count] += flip(values, words, out=values).view(count, self.d)
        total = add_lanes(sums)
        return total / math.sqrt(self.strata)
