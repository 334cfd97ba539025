"""Stacked orthogonal blocks H B1 H B2 with random signs only; exactly orthonormal columns for every D >= d."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from intdim.kernels import gpu, streams
from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.hadamard import hartley
from intdim.kernels.signs import flip, pack_signs
from intdim.projections.base import Projection
from intdim.projections.blocks import SignedBlocks
from intdim.projections.sections import LARGEST_BLOCK, split

if TYPE_CHECKING:
    from intdim.kernels import hartley_triton

LARGEST_TAIL = 8192  # rows of a last block that a kernel computes; as many as one of 2^12 coordinates may have


class Orthogonal(Projection):
    """P = stack of sqrt(n_k / D) Q_k, where the n_k rows of Q_k have exactly orthonormal columns.

    For d up to 4096, all blocks but the last have n = block_size(d) rows and Q_k = H B1_k H B2_k / n with Hadamard
    matrices. A Hadamard block that is cut is no longer orthogonal, so the last block has all remaining rows, between n
    and 2n - 1 of them (or all D, if D < n), and uses the Hartley matrix, which exists for every size, instead of
    Hadamard's: Q = H B1 H B2 / rows. If D is a multiple of n there is no Hartley block.

    More coordinates are split into sections of at most 4096 (``sections.py``). Each section has such a matrix over the
    D_c rows of its own blocks, with D_c instead of D; the last block belongs to the section whose turn it is.

    The signs of row i are numbers i of the two streams, in every block. State: none in C, where signs are made on the
    fly; 2 bits per weight in torch; on a GPU 8 bytes for each row of the last block.

    A piece with D < d (see ``Projection``) is one Hadamard block cut to D rows, times sqrt(n / D).
    """

    name = "orthogonal"
    compiled = True
    by_rows = True
    triton = True
    largest_block: ClassVar[int] = LARGEST_BLOCK

    def _build(self) -> None:
        D, d, seed = self.D, self.d, self.seed
        self.sections = split(D, d, self.largest_block)
        size, count = self.sections.size, self.sections.count
        if d > D or D % size == 0:
            self.tail = 0
        else:
            self.tail = D % size + (size if size < D else 0)

        body = D - self.tail
        last = body // size % count  # the section of the last block
        self._of_tail = slice(last, None, count)  # the coordinates that the last block serves
        rows = self.sections.rows(body)
        rows[last] += self.tail

        first_key = streams.stream_key(seed, self.name, "first signs")
        second_key = streams.stream_key(seed, self.name, "second signs")
        keys = first_key, second_key
        scales = torch.tensor(
            [math.sqrt(size / number) / size for number in rows], device=self.device, dtype=torch.float64
        )
        self._blocks = SignedBlocks(body, self.sections, scales, *keys, None, self.device, self.elements_at_once)
        self._tail_first, self._tail_second = (
            pack_signs(streams.sign_bits(key, body, self.tail, self.device)) for key in keys
        )
        self._tail_scale = 1 / math.sqrt(self.tail * rows[last]) if self.tail else 0.0

    @property
    def engine(self) -> str:
        """What computes the products in float32, as text for a log."""
        return self._blocks.engine or super().engine

    def _write(self, z: Tensor, to: Destination) -> None:
        body = self.D - self.tail
        self._blocks.write(z, to.part(0, body))
        if not self.tail:
            return

        if self._tail_on_gpu(z, to.out, to.base, to.image):
            from intdim.kernels import hartley_triton

            hartley_triton.matvec(self._gpu_tail, z.contiguous(), to.part(body, self.D))
            return
        served = z[self._of_tail] * self._tail_scale
        padded = z.new_zeros(self.tail)
        padded[: served.numel()] = served
        inner = hartley(flip(padded, self._tail_first))
        to.put(body, hartley(flip(inner, self._tail_second)))

    def _read(self, source: Gradient) -> Tensor:
        body = self.D - self.tail
        total = self._blocks.read(source.part(0, body))
        if self.tail:
            self._add_tail(total, source.part(body, self.D), 0)
        return total

    def _read_rows(self, g: Tensor, start: int) -> Tensor:
        body = self.D - self.tail
        before = min(max(body - start, 0), g.numel())  # rows of g in whole blocks
        total = self._blocks.read(Gradient(g[:before]), start)
        if before < g.numel():
            self._add_tail(total, Gradient(g[before:]), start + before - body)
        return total

    def _add_tail(self, total: Tensor, source: Gradient, first: int) -> None:
        """Add to P^T g what rows ``first`` and following of the last block give."""
        if self._tail_on_gpu(total, source.g):
            from intdim.kernels import hartley_triton

            hartley_triton.add_rmatvec(total, self._gpu_tail, source, first)
            return
        count = source.g.numel()
        values = total.new_zeros(self.tail)
        values[first : first + count] = source.take(0, count)
        inner = flip(hartley(values), self._tail_second)
        served = total[self._of_tail]
        served += flip(hartley(inner), self._tail_first)[: served.numel()] * self._tail_scale

    def _tail_on_gpu(self, work: Tensor, *weights: Tensor | None) -> bool:
        """Return whether a kernel computes the last block."""
        return self.tail <= LARGEST_TAIL and gpu.supports(work, *weights)

    @cached_property
    def _gpu_tail(self) -> hartley_triton.Tail:
        """The last block as the kernel is told of it."""
        from intdim.kernels import hartley_triton

        ones = torch.ones(self.tail, device=self.device)
        start, _, stride = self._of_tail.indices(self.d)
        return hartley_triton.Tail(
            first=flip(ones, self._tail_first),
            second=flip(ones, self._tail_second),
            scale=self._tail_scale,
            start=start,
            stride=stride,
            count=len(range(start, self.d, stride)),
        )
