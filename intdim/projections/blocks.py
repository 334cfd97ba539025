"""Stacked square blocks H M H B, which fastfood and orthogonal share: compiled, on a GPU, or in torch.

Block k is rows k n to (k + 1) n of P; the last block may be cut. It is H M_k H B_k restricted to as many columns as its
section has coordinates (``sections.py``), where B_k is signs k n to (k + 1) n of one stream and M_k, the *middle*, is a
second diagonal of signs, or a permutation followed by a diagonal of Gaussians. Torch computes several blocks at a time,
few enough to stay in the cache, in the layout ``(n, blocks)``. Both add in the same order and give the same bits.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from intdim.kernels import gpu, native, streams
from intdim.kernels.butterflies import transform
from intdim.kernels.flow import Destination, Gradient, add_lanes, chunks, lanes
from intdim.kernels.signs import flip, pack_signs
from intdim.kernels.streams import MASK64
from intdim.projections.base import work_dtype
from intdim.projections.sections import Sections

if TYPE_CHECKING:
    from intdim.kernels import blocks_gpu


class SignedBlocks:
    """The blocks that cover ``rows`` rows.

    Args:
        rows: number of rows; the last block is cut unless that is a multiple of n.
        sections: which coordinates a block serves, and n, a power of two, at least 64.
        scales: of each section, float64, shape ``(sections,)``.
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
        scales: Tensor,
        sign_key: int,
        middle_key: int,
        order: Tensor | None,
        device: torch.device,
        elements_at_once: int,
    ) -> None:
        self.rows, self.sections, self.size, self.scales = rows, sections, sections.size, scales
        self.sign_key, self.middle_key, self.order = sign_key, middle_key, order
        self._inverse = None if order is None else torch.argsort(order).int()
        self.device, self.elements_at_once = device, elements_at_once
        self.blocks = -(-rows // self.size)
        self.lanes = lanes(self.blocks, self.size, sections.count)
        self.chunks = self._chunks(self.blocks)
        self._float32 = torch.empty(0, dtype=torch.float32, device=device)  # what the kernels compute in
        self._packed: dict[tuple[int, int], tuple[Tensor, Tensor | None]] = {}

    def write(self, z: Tensor, to: Destination) -> None:
        """Write all rows of P z to ``to``: the blocks times the scales of the sections."""
        if gpu.supports(z, to.out, to.base, to.image):
            from intdim.kernels import blocks_gpu

            blocks_gpu.matvec(self._on_gpu, z, self.rows, to)
        else:
            self.matvec(self.sections.spread(z, self.scales), to)

    def read(self, source: Gradient, begin: int = 0) -> Tensor:
        """Return what rows ``begin`` and following, which ``source`` holds, add to P^T S g, shape ``(columns,)``."""
        if gpu.supports(self._float32, source.g):
            from intdim.kernels import blocks_gpu

            return blocks_gpu.rmatvec(self._on_gpu, source, begin)
        return self.sections.gather(self.rmatvec(source, begin), self.scales)

    def matvec(self, padded: Tensor, to: Destination) -> None:
        """Write all rows of (H M H B) z to ``to``; ``padded`` is ``sections.spread`` of z."""
        if native.supports(padded, to.out, to.base, to.image):
            native.matvec("blocks", to, padded, self.rows, self._arguments(self.order), 2 * self.size)
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

    def rmatvec(self, source: Gradient, begin: int = 0) -> Tensor:
        """Return the sum over the blocks of each section of (B H M^T H) S g, shape ``(sections, size)``; ``source``
        holds rows ``begin`` and following."""
        count, rows, block = self.sections.count, source.g.numel(), begin // self.size
        if not rows:
            return source.g.new_zeros(count, self.size, dtype=work_dtype(source.g.dtype))
        blocks = -(-(begin + rows) // self.size) - block
        in_lanes = lanes(blocks, self.size, count)
        if native.supports(source.g):
            arguments, scratch = (begin, *self._arguments(self._inverse)), 2 * self.size
            total = native.rmatvec("blocks", source, rows, arguments, count * self.size, in_lanes // count, scratch)
            return _in_place(total.view(count, self.size), block)

        if begin % self.size:
            source = Gradient(functional.pad(source.take(0, rows), (begin % self.size, 0)))
            rows = source.g.numel()

        sums = source.g.new_zeros(in_lanes, self.size, dtype=work_dtype(source.g.dtype))
        for first, some in self._chunks(blocks):
            signs, second = self._signs(block + first, some)
            start = first * self.size
            piece = source.take(start, min(start + some * self.size, rows))
            if piece.numel() < some * self.size:
                piece = functional.pad(piece, (0, some * self.size - piece.numel()))
            mixed = transform(transposed(piece.view(some, self.size)))
            if second is not None:
                flip(mixed, second, out=mixed)
            elif self._inverse is not None:
                mixed = mixed.mul_(self._weights(block + first, some)).index_select(0, self._inverse)
            values = transposed(transform(mixed))
            lane = first % in_lanes
            sums[lane : lane + some] += flip(values, signs, out=values)
        return _in_place(add_lanes(sums.view(-1, count, self.size)), block)

    def _chunks(self, blocks: int) -> list[tuple[int, int]]:
        """Return which of so many blocks torch computes at a time."""
        return chunks(blocks, lanes(blocks, self.size, self.sections.count), self.elements_at_once // self.size)

    def _arguments(self, order: Tensor | None) -> tuple[object, ...]:
        """Return what ``native`` passes to the compiled function after ``rows``."""
        keys = self.sign_key & MASK64, self.middle_key & MASK64
        return self.size, self.sections.count, *keys, None if order is None else self.gaussians, order

    @cached_property
    def _on_gpu(self) -> blocks_gpu.Blocks:
        """What the kernels of a GPU are told."""
        from intdim.kernels import blocks_gpu

        scales = self.scales.float()
        return blocks_gpu.Blocks(
            columns=self.sections.columns,
            size=self.size,
            scales=scales,
            factors=scales.repeat_interleave(self.size),
            sign_key=self.sign_key,
            middle_key=self.middle_key,
            order=self.order,
            inverse=self._inverse,
        )

    @property
    def engine(self) -> str | None:
        """Which kernels compute the blocks on a GPU, as text for a log; None without a GPU or kernels."""
        if self.device.type != "cuda" or not gpu.available():
            return None
        from intdim.kernels import blocks_gpu

        return blocks_gpu.reason(self.size)

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


def _in_place(total: Tensor, block: int) -> Tensor:
    """Return the sums of the sections in their order, where the first row is of the section of ``block``."""
    return total if total.shape[0] == 1 else total.roll(block % total.shape[0], 0)


def transposed(values: Tensor) -> Tensor:
    """Return a transposed copy, contiguous and safe to overwrite."""
    return values.t().clone(memory_format=torch.contiguous_format)
