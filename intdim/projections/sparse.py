"""Very sparse random projections: signs at density 1/sqrt(D) (Li, Hastie & Church 2006)."""

from __future__ import annotations

import math
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from intdim.kernels import gpu, native, streams
from intdim.kernels.flow import Destination, Gradient, add_lanes, chunks, lanes
from intdim.kernels.ordered import add_at
from intdim.kernels.signs import flip, pack_signs
from intdim.kernels.streams import MASK64
from intdim.projections.base import Projection, work_dtype
from intdim.spec import check_entries


class Sparse(Projection):
    """Column j has m = round(sqrt(D)) entries +-1/sqrt(m), one at a random row in each of m equal strata of rows.

    Stratum t is rows floor(t D / m) to floor((t + 1) D / m). Li, Hastie & Church draw every entry independently, which
    gives binomial counts around sqrt(D) and columns that must be normalised afterwards. One entry per stratum has the
    same density, the same binomial number of entries in a row, and exactly unit columns; and the gathers and sums of a
    stratum stay within sqrt(D) neighbouring weights, which suits the cache.

    Entries are ordered by column within strata, which serves both products: the adjoint gathers and sums over strata,
    the product adds into the rows of a stratum in the order of the columns. A row has about d / sqrt(D) entries, so for
    small d most weights never move: see ``movable_share``.

    In C and on a GPU nothing is stored: rows and signs are generated again in every product, faster than they could be
    read. In torch the d sqrt(D) entries are stored, 4 bytes and one bit each, or generated again beyond 2^28 of them.
    """

    name = "sparse"
    compiled = True
    by_rows = True
    triton = True
    largest_stored: ClassVar[int] = 1 << 28  # entries, 1.1 GB; generating more in every product costs ten times as much

    def _build(self) -> None:
        D, d, seed = self.D, self.d, self.seed
        if d <= D:  # a piece of fewer rows is small
            check_entries(self.name, D, d)
        self.strata = max(1, round(math.sqrt(D)))
        self._row_key = streams.stream_key(seed, self.name, "rows")
        self._sign_key = streams.stream_key(seed, self.name, "signs")
        self.stored = self.strata * d <= self.largest_stored
        self.chunks = self._chunks(self.strata)
        self._packed: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    @cached_property
    def movable_share(self) -> float:
        """The fraction of weights that P can move: about 1 - exp(-d / sqrt(D))."""
        hit = torch.zeros(self.D, dtype=torch.bool, device=self.device)
        for first, count in self.chunks:
            hit[self._chunk(first, count)[0].long()] = True
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

    def _chunk(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Return rows and packed signs of a chunk of strata, stored or generated."""
        if not self.stored:
            return self._make(first, count)
        if (first, count) not in self._packed:
            self._packed[first, count] = self._make(first, count)
        return self._packed[first, count]

    def _chunks(self, strata: int) -> list[tuple[int, int]]:
        return chunks(strata, lanes(strata, self.d), self.elements_at_once // self.d)

    def _arguments(self) -> tuple[int, ...]:
        return self.d, self.strata, self._row_key & MASK64, self._sign_key & MASK64

    def _write(self, z: Tensor, to: Destination) -> None:
        z = z / math.sqrt(self.strata)
        if native.supports(z, to.out, to.base, to.image):
            native.matvec("strata", to, z, self.D, self._arguments(), self.D // self.strata + 1)
            return
        if gpu.supports(z, to.out, to.base, to.image):
            from intdim.kernels import sparse_triton

            sparse_triton.matvec(to, z, self.D, self.strata, self._row_key, self._sign_key)
            return

        values = to.buffer(0, self.D, z).zero_()
        for first, count in self.chunks:
            rows, words = self._chunk(first, count)
            entries = z.repeat(count, 1)
            add_at(values, rows, flip(entries, words, out=entries).view(-1))
        to.put(0, values)

    def _read(self, source: Gradient) -> Tensor:
        return self._sums(source, 0) / math.sqrt(self.strata)

    def _read_rows(self, g: Tensor, start: int) -> Tensor:
        return self._sums(Gradient(g), start) / math.sqrt(self.strata)

    def _sums(self, source: Gradient, start: int) -> Tensor:
        """Return the sums over rows ``start`` and following, which ``source`` holds, shape ``(d,)``."""
        if gpu.supports(source.g.new_empty(0, dtype=work_dtype(source.g.dtype)), source.g):
            from intdim.kernels import sparse_triton

            keys = self._row_key, self._sign_key
            return sparse_triton.rmatvec(source, start, self.D, self.d, self.strata, *keys)

        stop = start + source.g.numel()
        stratum, last = (((row + 1) * self.strata - 1) // self.D for row in (start, stop - 1))
        strata = last + 1 - stratum
        in_lanes = lanes(strata, self.d)
        if native.supports(source.g):
            arguments = start, stop, stratum, last + 1, *self._arguments()
            longest = self.D // self.strata + 1
            return native.rmatvec("strata", source, self.D, arguments, self.d, in_lanes, longest)

        begin, end = (edge * self.D // self.strata for edge in (stratum, last + 1))
        g, sums = source.take(0, stop - start), source.g.new_zeros(in_lanes, self.d)
        if begin < start or stop < end:
            g = functional.pad(g, (start - begin, end - stop))
        for first, count in self._chunks(strata):
            rows, words = self._chunk(stratum + first, count)
            values = g.index_select(0, rows - begin if begin else rows)
            lane = first % in_lanes
            sums[lane : lane + count] += flip(values, words, out=values).view(count, self.d)
        return add_lanes(sums)
