"""Very sparse random projections: signs at density 1/sqrt(D) (Li, Hastie & Church 2006)."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from intdim.kernels import streams
from intdim.kernels.ordered import add_at
from intdim.kernels.signs import flip, pack_signs
from intdim.projections.base import ELEMENTS_AT_ONCE, Projection

LARGEST_STORED = 1 << 28  # non-zero entries: 1.1 GB of state; beyond, made again in every product at ten times the cost


class Sparse(Projection):
    """Column j has m = round(sqrt(D)) entries +-1/sqrt(m), one at a random row in each of m equal layers of rows.

    Layer t is rows floor(t D / m) to floor((t + 1) D / m). Li, Hastie & Church draw every entry on its own, which
    gives binomial counts around sqrt(D) and columns that must be normalised afterwards; one entry per layer has the
    same density, the same binomial number of entries in a row, exactly unit columns, and it keeps each layer's
    gathers and sums within sqrt(D) neighbouring weights, which is what the cache likes.

    Entries are kept by column within layers (``_rows[t, j]``), which serves both products: the adjoint gathers and
    sums over layers, the product adds into the layer's rows in the order of the columns. Row w is hit by about
    d / sqrt(D) entries, so for small d most weights never move: see ``movable_share``.

    State: 4 bytes and one bit per non-zero entry, d sqrt(D) of them, or nothing beyond 2^28 entries.
    """

    name = "sparse"

    def __init__(
        self,
        D: int,
        d: int,
        seed: int = 0,
        device: torch.device | str = "cpu",
        elements_at_once: int = ELEMENTS_AT_ONCE,
        stored: bool | None = None,
    ) -> None:
        super().__init__(D, d, seed, device, elements_at_once)
        self.layers = max(1, round(math.sqrt(D)))
        self._row_key = streams.stream_key(seed, self.name, "rows")
        self._sign_key = streams.stream_key(seed, self.name, "signs")
        at_once = max(1, elements_at_once // d)
        self.chunks = [(first, min(at_once, self.layers - first)) for first in range(0, self.layers, at_once)]
        self.stored = self.layers * d <= LARGEST_STORED if stored is None else stored
        self._kept = [self._make(*chunk) for chunk in self.chunks] if self.stored else []

    @cached_property
    def movable_share(self) -> float:
        """The share of weights that P can move at all: about 1 - exp(-d / sqrt(D))."""
        hit = torch.zeros(self.D, dtype=torch.bool, device=self.device)
        for number in range(len(self.chunks)):
            hit[self._chunk(number)[0].long()] = True
        return hit.sum().item() / self.D

    def _make(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Return the rows (flat, layer by layer) and the packed signs of some layers."""
        layer = torch.arange(first, first + count + 1, dtype=torch.int64, device=self.device)
        bounds = layer * self.D // self.layers
        sizes = (bounds[1:] - bounds[:-1]).repeat_interleave(self.d)
        rows = streams.integers(self._row_key, first * self.d, count * self.d, sizes, self.device)
        rows += bounds[:-1].repeat_interleave(self.d)
        words = pack_signs(streams.sign_bits(self._sign_key, first * self.d, count * self.d, self.device))
        return (rows.int() if self.D < 1 << 31 else rows), words

    def _chunk(self, number: int) -> tuple[Tensor, Tensor]:
        return self._kept[number] if self.stored else self._make(*self.chunks[number])

    def _matvec(self, z: Tensor, out: Tensor) -> None:
        out.zero_()
        z = z / math.sqrt(self.layers)
        for number, (_, count) in enumerate(self.chunks):
            rows, words = self._chunk(number)
            values = z.repeat(count, 1)
            add_at(out, rows, flip(values, words, out=values).view(-1))

    def _rmatvec(self, g: Tensor) -> Tensor:
        total = g.new_zeros(self.d)
        for number, (_, count) in enumerate(self.chunks):
            rows, words = self._chunk(number)
            values = g.index_select(0, rows)
            total += flip(values, words, out=values).view(count, self.d).sum(0)
        return total / math.sqrt(self.layers)
