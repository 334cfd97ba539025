"""Gaussian columns, as Li et al. (2018) define their projection: for small problems and for comparison."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from intdim.kernels import gpu, streams
from intdim.kernels.flow import Destination, Gradient
from intdim.projections.base import Projection, work_dtype


class Dense(Projection):
    """P[i, j] = g_{i d + j} / length of column j, with standard normal g, rounded to float32.

    Up to 2^24 entries are stored; more are generated again in every product, tile by tile, at about 15 ns per entry and
    thread. So D d = 10^9 takes a quarter of a minute per product, which is why the other projections exist. The lengths
    of the columns are computed once, in float64, by one more pass at the first product.

    State: 4 bytes per entry if stored, else none; 8 bytes per column.
    """

    name = "dense"
    by_rows = True
    largest_stored: ClassVar[int] = 1 << 24  # entries: 64 MiB

    def _build(self) -> None:
        D, d, seed = self.D, self.d, self.seed
        self._key = streams.stream_key(seed, self.name)
        step = max(1, self.elements_at_once // d)
        self.tiles = [(start, min(start + step, D)) for start in range(0, D, step)]
        self.stored = D * d <= self.largest_stored
        self._stored_tiles = [self._make(*tile) for tile in self.tiles] if self.stored else []

    @cached_property
    def _lengths(self) -> Tensor:
        """The lengths of the columns before normalisation, float64, shape ``(d,)``."""
        if not self.stored and gpu.supports(torch.empty(0, dtype=torch.float32, device=self.device)):
            from intdim.kernels import dense_triton

            return dense_triton.squares(self.D, self.d, self._key, self.device).sqrt_()

        squares = torch.zeros(self.d, dtype=torch.float64, device=self.device)
        for number in range(len(self.tiles)):
            squares += self._tile(number).double().square_().sum(0)
        return squares.sqrt_()

    def _make(self, start: int, stop: int) -> Tensor:
        count = (stop - start) * self.d
        return streams.gaussians(self._key, start * self.d, count, self.device).float().view(stop - start, self.d)

    def _tile(self, number: int) -> Tensor:
        return self._stored_tiles[number] if self.stored else self._make(*self.tiles[number])

    @property
    def engine(self) -> str:
        return gpu.reason() if self.device.type == "cuda" and not self.stored else "torch"

    def _write(self, z: Tensor, to: Destination) -> None:
        if self.stored or not gpu.supports(z, to.out, to.base, to.image):
            super()._write(z, to)
            return
        from intdim.kernels import dense_triton

        dense_triton.matvec(to, (z / self._lengths).float(), self.D, self.d, self._key)

    def _read(self, source: Gradient) -> Tensor:
        if self.stored or not gpu.supports(self._lengths.float(), source.g):
            return super()._read(source)
        from intdim.kernels import dense_triton

        return (dense_triton.rmatvec(source, self.D, self.d, self._key) / self._lengths).float()

    def _read_rows(self, g: Tensor, start: int) -> Tensor:
        total, stop = g.new_zeros(self.d, dtype=work_dtype(g.dtype)), start + g.numel()
        for number, (low, high) in enumerate(self.tiles):
            if low < stop and start < high:
                first, last = max(low, start), min(high, stop)
                tile = self._stored_tiles[number][first - low : last - low] if self.stored else self._make(first, last)
                total += (tile * g[first - start : last - start, None]).sum(0)
        return (total / self._lengths).to(total.dtype)

    def _matvec(self, z: Tensor, out: Tensor) -> None:
        z = (z / self._lengths).to(z.dtype)
        for number, (start, stop) in enumerate(self.tiles):
            torch.mv(self._tile(number).to(z.dtype), z, out=out[start:stop])

    def _rmatvec(self, g: Tensor) -> Tensor:
        total = g.new_zeros(self.d)
        for number, (start, stop) in enumerate(self.tiles):
            # torch sums in a tree, a matrix product in sequence: with few columns that would cost float32 two digits
            total += (self._tile(number) * g[start:stop, None]).sum(0)
        return (total / self._lengths).to(g.dtype)
