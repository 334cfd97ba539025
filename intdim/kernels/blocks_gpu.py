"""Stacked blocks on a GPU: which kernels compute them, and what is done around a product.

``blocks_gluon.py`` has the fast kernels; ``blocks_triton.py`` has the slower ones, for other block sizes and for a
Triton without Gluon. If Gluon's cannot be imported or compiled for the card at hand, that is said once in the log.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from functools import cache, cached_property
from types import ModuleType

import torch
import triton
from torch import Tensor
from torch.nn import functional

from intdim.errors import first_line
from intdim.kernels import blocks_triton, streams
from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.flow_triton import spread, sum_lanes
from intdim.kernels.streams import MASK64

logger = logging.getLogger(__name__)

GLUON = "intdim.kernels.blocks_gluon"


@dataclass(frozen=True)
class Blocks:
    """Blocks of ``size`` numbers, each of which serves one of several sections of the coordinates.

    Attributes:
        columns: coordinates; coordinate j is number j // sections of section j mod sections.
        size: n.
        scales: of each section, float32.
        factors: the same for each number of each section, shape ``(sections * n,)``.
        sign_key: stream of B.
        middle_key: stream of the Gaussians if there is an ``order``, else of the second signs.
        order: Pi, int32, or None.
        inverse: that of Pi, int32, or None.
    """

    columns: int
    size: int
    scales: Tensor
    factors: Tensor
    sign_key: int
    middle_key: int
    order: Tensor | None
    inverse: Tensor | None

    @property
    def sections(self) -> int:
        """The number of sections."""
        return self.scales.numel()

    @cached_property
    def _turned(self) -> dict[int, Tensor]:
        return {}

    def order_for(self, turned: int) -> Tensor | None:
        """Return Pi as kernels with ``TURNED = turned`` read it, laid out as ``spread`` lays out a section."""
        if self.order is None or turned == 1:
            return self.order
        if turned not in self._turned:
            self._turned[turned] = self.order.view(-1, turned).t().contiguous().view(-1)
        return self._turned[turned]


def matvec(blocks: Blocks, z: Tensor, rows: int, to: Destination) -> None:
    """Write ``rows`` rows of P z to ``to``; z is float32, shape ``(columns,)``."""
    if not rows:
        return
    for kernels in _serving(blocks.size):
        try:
            padded = spread(z.contiguous(), blocks.scales, blocks.columns, blocks.size, kernels.TURNED)
            order = blocks.order_for(kernels.TURNED)
            kernels.matvec(to, padded, rows, blocks.sign_key, blocks.middle_key, order)
            return
        except Exception as error:
            _refused(kernels, error)


def rmatvec(blocks: Blocks, source: Gradient, begin: int = 0) -> Tensor:
    """Return P^T S g, where ``source`` holds rows ``begin`` and following, shape ``(columns,)``, float32."""
    if not source.g.numel():
        return blocks.factors.new_zeros(blocks.columns)
    size, sections = blocks.size, blocks.sections
    sums = _lanes(blocks, source, begin)
    totals = sum_lanes(sums, sums.shape[0] // sections, sections * size, blocks.factors)
    if sections > 1:
        totals = totals.view(sections, size)[:, : -(-blocks.columns // sections)].t().reshape(-1)
    return totals[: blocks.columns]


def _lanes(blocks: Blocks, source: Gradient, begin: int) -> Tensor:
    """Return the partial sums of an adjoint, shape ``(lanes, n)``; lane k is of section k mod sections."""
    size, sections, keys = blocks.size, blocks.sections, (blocks.sign_key, blocks.middle_key)
    for kernels in _serving(size):
        if kernels is blocks_triton:
            break
        try:
            return kernels.rmatvec(source, begin, sections, size, *keys, blocks.inverse)
        except Exception as error:
            _refused(kernels, error)

    first = begin // size
    before = first * size  # what is before a block: one word for 64 signs, one for each Gaussian
    keys = _key_from(keys[0], before // 64), _key_from(keys[1], before // 64 if blocks.order is None else before)
    if begin % size:
        source = Gradient(functional.pad(source.take(0, source.g.numel()), (begin % size, 0)))
    sums = blocks_triton.rmatvec(source, source.g.numel(), sections, size, *keys, blocks.inverse)
    return sums.roll(first % sections, 0) if first % sections else sums


def reason(size: int) -> str:
    """Return which kernels compute blocks of ``size``, as text for a log."""
    return "Triton" if _serving(size)[0] is blocks_triton else "Triton (Gluon)"


def _serving(size: int) -> list[ModuleType]:
    """Return the kernels that can compute blocks of ``size``, fastest first."""
    fast = _gluon()
    if fast is None or GLUON in _broken or not fast.SMALLEST <= size <= fast.LARGEST:
        return [blocks_triton]
    return [fast, blocks_triton]


@cache
def _gluon() -> ModuleType | None:
    """Return the module of the fast kernels, or None if this Triton has no Gluon that it can use."""
    try:
        return importlib.import_module(GLUON)
    except Exception as error:
        _say(error)
        return None


_broken: set[str] = set()


def _refused(kernels: ModuleType, error: Exception) -> None:
    """Take the slower kernels from now on; an error of theirs, or one that is not about the kernels, is raised."""
    if kernels is blocks_triton or isinstance(error, torch.OutOfMemoryError):
        raise error
    _broken.add(kernels.__name__)
    _say(error)


def _say(error: Exception) -> None:
    logger.warning(
        "orthogonal and fastfood use slower kernels on this GPU: Triton %s does not compile the fast ones (%s: %s)",
        triton.__version__,
        type(error).__name__,
        first_line(error, 200),
    )


def _key_from(key: int, words: int) -> int:
    """Return the key of the stream that begins ``words`` words later."""
    return streams.to_signed((key + streams.GAMMA * words) & MASK64)
