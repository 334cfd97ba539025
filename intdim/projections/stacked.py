"""One independent projection per piece of the weights: ``subspace.scope=tensor`` and ``subspace.scope=layer``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.flow import Destination, Gradient
from intdim.projections.base import Projection, work_dtype


class Stacked(Projection):
    """P = K^(-1/2) [P_1; ...; P_K], where P_k covers piece k and has d columns of unit length, as P then has.

    Every piece moves by the same length, whatever its size: a weight of a bias vector moves far more than one of a
    matrix. Piece k is made from ``stream_key(seed, "piece", k)``. A piece with fewer than d rows has columns of unit
    length in expectation (see ``Projection``).

    Args:
        kind: the class of the pieces.
        sizes: rows of each piece, in the order of the weights.
        d: columns.
        seed: decides all pieces.
        device: where the state lives.
    """

    def __init__(
        self, kind: type[Projection], sizes: Sequence[int], d: int, seed: int, device: torch.device | str
    ) -> None:
        super().__init__(sum(sizes), d, seed, device)
        self.kind = kind
        self.sizes = tuple(sizes)
        self.pieces = [
            kind(size, d, streams.stream_key(seed, "piece", number), self.device) for number, size in enumerate(sizes)
        ]
        self._scale = 1 / math.sqrt(len(self.pieces))

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.kind.name

    @property
    def engine(self) -> str:
        return self.pieces[0].engine

    def _write(self, z: Tensor, to: Destination) -> None:
        scaled, start = z * self._scale, 0
        for piece in self.pieces:
            piece._write(scaled, to.part(start, start + piece.D))
            start += piece.D

    def _read(self, source: Gradient) -> Tensor:
        total, start = source.g.new_zeros(self.d, dtype=work_dtype(source.g.dtype)), 0
        for piece in self.pieces:
            total += piece._read(source.part(start, start + piece.D))
            start += piece.D
        return total * self._scale
