"""One independent projection per piece of the weights: all of ``subspace.scope`` but ``global``."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.flow import Destination, Gradient
from intdim.projections.base import ELEMENTS_AT_ONCE, Projection, work_dtype
from intdim.projections.windows import seen, windows


class Stacked(Projection):
    """P = [P_1 W_1; ...; P_K W_K] N^(-1/2), where P_k covers piece k and has one column of unit length for each
    coordinate in the piece's window, W_k picks these coordinates, and N counts the pieces that see a coordinate.

    So P has columns of unit length, and a coordinate moves all pieces that see it by the same length, whatever their
    size. Which those are is said in ``windows.py``: a piece sees hardly more coordinates than it has weights. Piece k
    is made from ``stream_key(seed, "piece", k)``. A piece with fewer rows than its window has coordinates has columns
    of unit length in expectation (see ``Projection``); that happens under ``first`` alone.

    Args:
        kind: the class of the pieces.
        sizes: rows of each piece, in the order of the weights.
        d: columns.
        seed: decides all pieces.
        device: where the state lives.
        sharing: a name in ``windows.SHARINGS``.
        elements_at_once: as for the pieces.
    """

    def __init__(
        self,
        kind: type[Projection],
        sizes: Sequence[int],
        d: int,
        seed: int,
        device: torch.device | str,
        sharing: str,
        elements_at_once: int = ELEMENTS_AT_ONCE,
    ) -> None:
        super().__init__(sum(sizes), d, seed, device, elements_at_once)
        self.kind = kind
        self.sizes = tuple(sizes)
        self.sharing = sharing
        self.windows = windows(sizes, d, sharing)
        self.pieces = [
            kind(size, window.count, streams.stream_key(seed, "piece", number), self.device, elements_at_once)
            for number, (size, window) in enumerate(zip(sizes, self.windows, strict=True))
        ]
        self._lengths = seen(self.windows, d).double().rsqrt_().to(self.device)
        self._starts = [0, *itertools.accumulate(self.sizes[:-1])]
        self._reach = max(window.start + window.count for window in self.windows)  # beyond d, where a window goes round

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.kind.name

    @property
    def by_rows(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.kind.by_rows

    @property
    def engine(self) -> str:
        return self.pieces[0].engine

    def _write(self, z: Tensor, to: Destination) -> None:
        scaled = z * self._lengths.to(z.dtype)
        if self._reach > self.d:
            scaled = torch.cat([scaled, scaled[: self._reach - self.d]])
        start = 0
        for piece, window in zip(self.pieces, self.windows, strict=True):
            piece._write(scaled[window.start : window.start + window.count], to.part(start, start + piece.D))
            start += piece.D

    def _read(self, source: Gradient) -> Tensor:
        total, start = source.g.new_zeros(self._reach, dtype=work_dtype(source.g.dtype)), 0
        for piece, window in zip(self.pieces, self.windows, strict=True):
            part = piece._read(source.part(start, start + piece.D))
            total[window.start : window.start + window.count] += part
            start += piece.D
        return self._folded(total)

    def _read_rows(self, g: Tensor, start: int) -> Tensor:
        total, stop = g.new_zeros(self._reach, dtype=work_dtype(g.dtype)), start + g.numel()
        number = max(0, bisect_right(self._starts, start) - 1)
        while number < len(self.pieces) and self._starts[number] < stop:
            piece, window, before = self.pieces[number], self.windows[number], self._starts[number]
            first, last = max(start, before), min(stop, before + piece.D)
            part = piece._read_rows(g[first - start : last - start], first - before)
            total[window.start : window.start + window.count] += part
            number += 1
        return self._folded(total)

    def _folded(self, total: Tensor) -> Tensor:
        """Return the gradient of the coordinates, of which those beyond the last are the first ones again."""
        folded = total[: self.d]
        folded[: self._reach - self.d] += total[self.d :]
        return folded * self._lengths.to(total.dtype)
