"""Stacked square blocks H M H B, which fastfood and orthogonal share, compiled or in torch.

Block k is rows k n to (k + 1) n of P; the last block may be cut. It is H M_k H B_k restricted to as many columns as its
section has coordinates (``sections.py``), where B_k is signs k n to (k + 1) n of one stream and M_k, the *middle*, is a
second diagonal of signs, or a permutation followed by a diagonal of Gaussians. Torch computes several blocks at a time,
few enough to stay in the cache, in the layout ``(n, blocks)``. Both add in the same order and give the same bits.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from intdim.kernels import gpu, native, streams
from intdim.kernels.butterflies import transform
from intdim.kernels.flow import Destination, Gradient, add_lanes, chunks, lanes
from intdim.kernels.signs import flip, pack_signs
from intdim.kernels.streams import MASK64
from intdim.projections.base import work_dtype
from intdim.projections.sections import Sections


class SignedBlocks:
    """The blocks that cover ``rows`` rows.

    Args:
        rows: number of rows; the last block is cut unless that is a multiple of n.
        sections: which coordinates a block serves, and n, a power of two, at least 64.
        sign_key: stream of B.
        middle_key: stream of the Gaussians if there is an ``order``, else of the second signs.
        order: Pi as int32, shape ``(n,)``: position i takes number ``order[i]``; or None.
        device: where the state lives.
        elements_at_once: numbers that torch computes at a time; changes neither P nor a bit of a product.
    """

    def __init__(
        self,
        rows: int,
        sections: Sections,
        sign_key: int,
        middle_key: int,
        order: Tensor | None,
        device: torch.device,
        elements_at_once: int,
    ) -> None:
        self.rows, self.sections, self.size, self.sign_key = rows, sections, sections.size, sign_key
        self.middle_key, self.order = middle_key, order
        self._inverse = None if order is None else torch.argsort(order).int()
        self.device, self.elements_at_once = device, elements_at_once
        self.blocks = -(-rows // self.size)
        self.lanes = lanes(self.blocks, self.size, sections.count)
        self.chunks = chunks(self.blocks, self.lanes, elements_at_once // self.size)
        self._float32 = torch.empty(0, dtype=torch.float32, device=device)  # what the kernels compute in
        self._packed: dict[tuple[int, int], tuple[Tensor, Tensor | None]] = {}

    def matvec(self, padded: Tensor, to: Destination) -> None:
        """Write all rows of (H M H B) z to ``to``; ``padded`` is ``sections.spread`` of z."""
        if native.supports(padded, to.out, to.base, to.image):
            native.matvec("blocks", to, padded, self.rows, self._arguments(self.order), 2 * self.size)
            return
        if gpu.supports(padded, to.out, to.base, to.image):
            from intdim.kernels import blocks_triton

            blocks_triton.matvec(to, padded, self.rows, self.sign_key, self.middle_key, self.order)
            return

        for first, count in self.chunks:
            signs, second = self._signs(first, count)
            served = torch.arange(first, first + count, device=self.device) % self.sections.count
            values = padded.index_select(0, served)
            rows = transform(transposed(flip(values, signs, out=values)))
            if second is not None:
                flip(rows, second, out=rows)
            elif self.order is not None:
                rows = rows.index_select(0, self.order).mul_(self._weights(first, count))
            rows = transform(rows)

            start = first * self.size
            stop = min(start + count * self.size, self.rows)
            buffer = to.buffer(start, stop, padded)
            if buffer.numel() == rows.numel():
                buffer.view(count, self.size).copy_(rows.t())
            else:
                buffer.copy_(rows.t().reshape(-1)[: buffer.numel()])
            to.put(start, buffer)

    def rmatvec(self, source: Gradient) -> Tensor:
        """Return the sum over the blocks of each section of (B H M^T H) S g, shape ``(sections, size)``."""
        count = self.sections.count
        if not self.rows:
            return source.g.new_zeros(count, self.size, dtype=work_dtype(source.g.dtype))
        if native.supports(source.g):
            arguments, scratch = self._arguments(self._inverse), 2 * self.size
            length, lanes_each = count * self.size, self.lanes // count
            total = native.rmatvec("blocks", source, self.rows, arguments, length, lanes_each, scratch)
            return total.view(count, self.size)
        if gpu.supports(self._float32, source.g):
            from intdim.kernels import blocks_triton

            keys = self.sign_key, self.middle_key
            return blocks_triton.rmatvec(source, self.rows, count, self.size, *keys, self._inverse)

        sums = source.g.new_zeros(self.lanes, self.size)
        for first, blocks in self.chunks:
            signs, second = self._signs(first, blocks)
            start = first * self.size
            piece = source.take(start, min(start + blocks * self.size, self.rows))
            if piece.numel() < blocks * self.size:
                piece = torch.cat([piece, piece.new_zeros(blocks * self.size - piece.numel())])
            rows = transform(transposed(piece.view(blocks, self.size)))
            if second is not None:
                flip(rows, second, out=rows)
            elif self._inverse is not None:
                rows = rows.mul_(self._weights(first, blocks)).index_select(0, self._inverse)
            values = transposed(transform(rows))
            lane = first % self.lanes
            sums[lane : lane + blocks] += flip(values, signs, out=values)
        return add_lanes(sums.view(-1, count, self.size))

    def _arguments(self, order: Tensor | None) -> tuple[object, ...]:
        """Return what ``native`` passes to the compiled function after ``rows``."""
        keys = self.sign_key & MASK64, self.middle_key & MASK64
        return self.size, self.sections.count, *keys, None if order is None else self.gaussians, order

    @cached_property
    def gaussians(self) -> Tensor:
        """G, float32, for every row of the uncut blocks; not used on a GPU, where the kernel generates them."""
        count, step = self.blocks * self.size, max(2, self.elements_at_once)
        made = torch.empty(count, dtype=torch.float32, device=self.device)
        for start in range(0, count, step):
            size = min(step, count - start)
            made[start : start + size] = streams.gaussians(self.middle_key, start, size, self.device)
        return made

    def _weights(self, first: int, count: int) -> Tensor:
        """Return G of some blocks, shape ``(n, blocks)``."""
        return self.gaussians[first * self.size : (first + count) * self.size].view(count, self.size).t()

    def _signs(self, first: int, count: int) -> tuple[Tensor, Tensor | None]:
        """Return the packed signs of some blocks: B in the layout ``(blocks, n)``, the second in ``(n, blocks)``."""
        if (first, count) not in self._packed:
            start, elements, second = first * self.size, count * self.size, None
            if self.order is None:
                bits = streams.sign_bits(self.middle_key, start, elements, self.device)
                second = pack_signs(bits.view(count, self.size).t())
            bits = streams.sign_bits(self.sign_key, start, elements, self.device)
            self._packed[first, count] = pack_signs(bits), second
        return self._packed[first, count]


def transposed(values: Tensor) -> Tensor:
    """Return a transposed copy, contiguous and safe to overwrite."""
    return values.t().clone(memory_format=torch.contiguous_format)
