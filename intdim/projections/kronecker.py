"""Kronecker product of two small orthonormal matrices, with permuted rows (Lotfi et al. 2022, "PAC-Bayes compression
bounds so tight that they can explain generalization")."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from intdim.kernels import gpu, native, streams
from intdim.kernels.flow import Destination, Gradient, whole_units
from intdim.kernels.reference import LARGEST_SIDE, MOST_COLUMNS
from intdim.projections.base import Projection

if TYPE_CHECKING:
    from intdim.kernels.kronecker_triton import Factors

TILE = 1 << 16  # weights that are shuffled among each other: 256 KiB in float32, so the gather stays in the cache
RUN, ROWS_AT_ONCE, STRIP = 1024, 5, 512  # as in kernels/c/tiles.c


class Kronecker(Projection):
    """P = Pi (Q1 (x) Q2) on the first d columns, with exactly orthonormal columns for every D >= d.

    Q1 is D1 x d1 and Q2 is D2 x d2, with D2 = floor(sqrt(D)), D1 = floor(D / D2), d1 d2 >= d: the orthonormal factors
    of Gaussian matrices, with a positive diagonal of R so that they are unique. With z written as a d1 x d2 matrix Z,
    the rows of (Q1 (x) Q2) z are the entries of Q1 Z Q2^T.

    A product costs D d2 multiplications, so d2 is about sqrt(d) up to 16 and stays there (unless D1 d2 would be less
    than d). If d1 exceeds 256, Q1 is a direct sum of C orthonormal parts of at most 256 columns: rows r and columns j
    with r = j = c modulo C are part c, and all else is zero.

    D1 D2 is less than D by fewer than D2 rows. If d > D1 D2, each of the remaining coordinates gets one of these rows.
    The other rows are twins of as many rows at the end of the product, both divided by sqrt(2): the columns keep
    their lengths and angles, and nothing is cut.

    Pi shuffles weights within *tiles* of R whole rows of the D1 x D2 matrix, R = floor(2^16 / D2): one permutation
    for all tiles but the last, and one for the last (which has at least one row, and the rows that were missing).

    State: 12 bytes per entry of Q1's parts and Q2 (float64 and float32; 16 on a GPU), 4 per weight of a tile, 16 per
    weight of the last one.

    A piece with D < d (see ``Projection``) is the first D rows of a square P, times sqrt(D1 D2 / D).
    """

    name = "kronecker"
    compiled = True
    by_rows = True
    triton = True
    side: ClassVar[int] = LARGEST_SIDE
    columns: ClassVar[int] = MOST_COLUMNS

    def _build(self) -> None:
        D, d = self.D, self.d
        self.D2 = math.isqrt(D) if d <= D else math.isqrt(d - 1) + 1
        self.D1 = D // self.D2 if d <= D else self.D2
        core = self.D1 * self.D2
        missing = max(0, D - core)
        self.extra = max(0, d - core)
        self.twins = missing - self.extra

        inner = d - self.extra
        self.d2 = max(min(self.side, self.D2, math.isqrt(inner - 1) + 1), -(-inner // self.D1))
        self.d1 = -(-inner // self.d2)

        self.parts, used, q1 = -(-self.d1 // self.columns), 0, []
        for part in range(self.parts):
            shape = len(range(part, self.D1, self.parts)), len(range(part, self.d1, self.parts))
            q1.append(self._orthonormal("Q1", *shape, used))
            used += shape[0] * shape[1]
        q2 = self._orthonormal("Q2", self.D2, self.d2)
        self._factors = {torch.float64: (q1, q2), torch.float32: ([part.float() for part in q1], q2.float())}
        self._scale = 1.0 if d <= D else math.sqrt(core / D)

        rows_per_tile = max(1, TILE // self.D2)
        self._tiles = (self.D1 - 1) // rows_per_tile  # all but the last
        self._tile = rows_per_tile * self.D2
        self._last = core + missing - self._tiles * self._tile
        # "hands" and "last hand" are the names of the random streams: other names would be other permutations
        self._order, self._inverse = self._permutation("hands", self._tile if self._tiles else 0)
        if self._tile <= TILE:
            self._order, self._inverse = self._order.to(torch.uint16), self._inverse.to(torch.uint16)
        self._last_order, self._last_inverse = self._permutation("last hand", self._last)
        if self.device.type == "cuda" and gpu.available():
            _ = self._padded  # made now: a product may be part of a CUDA graph

    @cached_property
    def _padded(self) -> Factors:
        """The factors as the GPU kernels read them."""
        from intdim.kernels.kronecker_triton import Factors

        parts, q2 = self._factors[torch.float32]
        q1 = q2.new_zeros(len(parts), *parts[0].shape)
        for padded, part in zip(q1, parts, strict=True):
            padded[: part.shape[0], : part.shape[1]] = part
        permutations = self._order, self._inverse, self._last_order, self._last_inverse
        return Factors(
            q1,
            functional.pad(q2, (0, -self.d2 % 16)).contiguous(),
            *permutations,
            sizes=(self._tile, self._last, self._tiles),
            d=self.d,
            D1=self.D1,
            d1=self.d1,
            d2=self.d2,
            extra=self.extra,
            twins=self.twins,
        )

    def _orthonormal(self, part: str, rows: int, columns: int, start: int = 0) -> Tensor:
        key = streams.stream_key(self.seed, self.name, part)
        q, r = torch.linalg.qr(streams.gaussians(key, start, rows * columns).view(rows, columns))
        return (q * torch.where(r.diagonal() < 0, -1.0, 1.0)).contiguous().to(self.device)

    def _permutation(self, part: str, size: int) -> tuple[Tensor, Tensor]:
        key = streams.stream_key(self.seed, self.name, part)
        order = streams.permutation(key, size, self.device) if size else torch.empty(0, dtype=torch.int64)
        return order, torch.argsort(order)

    def _write(self, z: Tensor, to: Destination) -> None:
        if gpu.supports(z, to.out, to.base, to.image):
            from intdim.kernels import kronecker_triton

            kronecker_triton.matvec(to, z * self._scale, self.D, self._padded)
        elif self.d > self.D:
            everything = z.new_empty(self._tiles * self._tile + self._last)
            self._product(z * self._scale, Destination(everything))
            to.put(0, everything[: self.D])
        else:
            self._product(z, to)

    def _read(self, source: Gradient) -> Tensor:
        if gpu.supports(self._factors[torch.float32][1], source.g):
            return self._read_on_gpu(source, 0)
        if self.d > self.D:
            padded = source.g.new_zeros(self._tiles * self._tile + self._last)
            padded[: self.D] = source.take(0, self.D)
            return self._adjoint(Gradient(padded)) * self._scale
        return self._adjoint(source)

    def _read_on_gpu(self, source: Gradient, start: int) -> Tensor:
        from intdim.kernels import kronecker_triton

        return kronecker_triton.rmatvec(source, start, self._padded) * self._scale

    def _read_rows(self, g: Tensor, start: int) -> Tensor:
        if gpu.supports(self._factors[torch.float32][1], g):
            return self._read_on_gpu(Gradient(g), start)
        if self.d > self.D:
            return super()._read_rows(g, start)
        whole, rows = self._tiles * self._tile, self._tile // self.D2
        total, before = g.new_zeros(self.d), min(max(whole - start, 0), g.numel())  # rows of g in whole tiles
        edge = lambda tile: tile * self._tile  # noqa: E731
        for tile, count, piece in whole_units(g[:before], start, lambda row: row // self._tile, edge):
            left = self._left(Gradient(piece), self._factors[g.dtype][1], count)
            self._add_core(total, left, tile * rows)
        if before < g.numel():
            values = g.new_zeros(self._last)
            first = start + before - whole
            values[first : first + g.numel() - before] = g[before:]
            left, extra = self._left_of_last(values)
            self._add_core(total, left, self._tiles * rows)
            total[self.d - self.extra :] += extra
        return total

    def _product(self, z: Tensor, to: Destination) -> None:
        q1, q2 = self._factors[z.dtype]
        square = z.new_zeros(self.d1 * self.d2)
        square[: self.d - self.extra] = z[: self.d - self.extra]
        square, left = square.view(self.d1, self.d2), z.new_empty(self.D1, self.d2)
        for number, part in enumerate(q1):
            left[number :: self.parts] = part @ square[number :: self.parts]

        rows, whole = self._tile // self.D2, self._tiles * self._tile
        if self._order.dtype == torch.uint16 and native.supports(left, to.out, to.base, to.image):
            panel = 2 * native.width()
            panels = functional.pad(q2, (0, 0, 0, -self.D2 % panel)).view(-1, panel, self.d2).mT.contiguous()
            arguments = (panels, self._order, rows, self.D2, self.d2)
            native.matvec("tiles", to, left, self._tiles, arguments, self._tile + RUN + rows * panel)
        else:
            order = self._order.long()
            for number in range(self._tiles):
                values = torch.mm(left[number * rows : (number + 1) * rows], q2.t())
                to.put(number * self._tile, values.view(-1).index_select(0, order))

        values = torch.mm(left[self._tiles * rows :], q2.t()).view(-1)
        twins = values[values.numel() - self.twins :].mul_(math.sqrt(0.5))
        values = torch.cat([values, z[self.d - self.extra :], twins])
        to.put(whole, values.index_select(0, self._last_order))

    def _adjoint(self, source: Gradient) -> Tensor:
        whole = self._tiles * self._tile
        last, extra = self._left_of_last(source.take(whole, whole + self._last))
        total = last.new_zeros(self.d)
        left = self._left(source.part(0, whole), self._factors[last.dtype][1], self._tiles)
        self._add_core(total, torch.cat([left, last]), 0)
        total[self.d - self.extra :] = extra
        return total

    def _add_core(self, total: Tensor, left: Tensor, first: int) -> None:
        """Add Q1^T G Q2 to the gradient of z, where ``left`` is rows ``first`` and following of G Q2."""
        square = left.new_zeros(self.d1, self.d2)
        for number, part in enumerate(self._factors[left.dtype][0]):
            here = (number - first) % self.parts  # the first of the rows that belongs to this part of Q1
            mine = left[here :: self.parts]
            place = (first + here - number) // self.parts
            square[number :: self.parts] = part[place : place + mine.shape[0]].t() @ mine
        total[: self.d - self.extra] += square.view(-1)[: self.d - self.extra]

    def _left_of_last(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return G Q2 for the rows of the last tile, whose S g is ``values``, and the gradient of the coordinates that
        have a row of their own."""
        values, core = values.index_select(0, self._last_inverse), self._last - self.extra - self.twins
        twins = values[core - self.twins : core]
        twins += values[core + self.extra :]
        twins *= math.sqrt(0.5)
        left = torch.mm(values[:core].view(-1, self.D2), self._factors[values.dtype][1])
        return left, values[core : core + self.extra]

    def _left(self, source: Gradient, q2: Tensor, tiles: int) -> Tensor:
        """Return G Q2 for the rows of some tiles, where G is S g unshuffled and ``source`` holds their weights."""
        rows = self._tile // self.D2
        if self._order.dtype == torch.uint16 and native.supports(source.g):
            width = -(-self.d2 // native.width()) * native.width()
            padded = functional.pad(q2, (0, width - self.d2)).contiguous()
            arguments, scratch = (padded, self._inverse, rows, self.D2, width), self._tile + ROWS_AT_ONCE * STRIP
            left = native.rmatvec("tiles", source, tiles, arguments, tiles * rows * width, 0, scratch)
            return left.view(-1, width)[:, : self.d2]

        left, inverse = q2.new_empty(tiles * rows, self.d2), self._inverse.long()
        for number in range(tiles):
            start = number * self._tile
            values = source.take(start, start + self._tile).index_select(0, inverse)
            torch.mm(values.view(rows, self.D2), q2, out=left[number * rows : (number + 1) * rows])
        return left
