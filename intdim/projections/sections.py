"""How stacked blocks serve many coordinates: split into sections, so that no block outgrows the cache.

A block of n numbers serves up to n coordinates at a cost of log2 n additions a number, and several times that once it
no longer fits into the first cache. So more than ``LARGEST_BLOCK`` coordinates are split into C sections, coordinate j
into section j mod C, and block k serves section k mod C alone. A coordinate then moves every C-th block of the weights
instead of every one, and columns of different sections have no row in common. C = 1 is the textbook matrix; as many
sections as coordinates would be ``one_hot``.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from intdim.kernels.butterflies import block_size
from intdim.kernels.reference import LARGEST_BLOCK


@dataclass(frozen=True)
class Sections:
    """``columns`` coordinates in ``count`` sections, each served by blocks of ``size`` numbers."""

    columns: int
    count: int
    size: int

    @property
    def width(self) -> int:
        """The coordinates of the largest section, at most ``size`` where there are several."""
        return -(-self.columns // self.count)

    def rows(self, covered: int) -> list[int]:
        """Return how many rows each section has if ``covered`` rows are cut into blocks, of which the last may be
        short."""
        whole, rest = divmod(covered, self.size)
        rows = [(whole - section + self.count - 1) // self.count * self.size for section in range(self.count)]
        rows[whole % self.count] += rest
        return rows

    def spread(self, z: Tensor, scales: Tensor) -> Tensor:
        """Return the coordinates of each section times its scale, padded with zeros, shape ``(count, size)``."""
        by_section = functional.pad(z, (0, self.count * self.width - self.columns)).view(self.width, self.count).t()
        return functional.pad(by_section * scales[:, None].to(z.dtype), (0, self.size - self.width)).contiguous()

    def gather(self, totals: Tensor, scales: Tensor) -> Tensor:
        """Return the adjoint of ``spread``, shape ``(columns,)``; ``totals`` has shape ``(count, size)``."""
        scaled = totals[:, : self.width] * scales[:, None].to(totals.dtype)
        return scaled.t().reshape(-1)[: self.columns]


def split(D: int, d: int, largest: int = LARGEST_BLOCK) -> Sections:
    """Return the sections of d coordinates over D rows.

    There is only one, with a block that holds d, if d is at most ``largest`` or if there are not enough whole blocks
    for every section (D is less than d rounded up to blocks).
    """
    count = -(-d // largest)
    size = block_size(-(-d // count))
    return Sections(d, count, size) if D // size >= count else Sections(d, 1, block_size(d))
