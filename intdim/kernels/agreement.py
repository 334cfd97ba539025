"""How much of an update a forward pass sees: the update that was meant against the one in weights of lower precision.

The weights should move by S P z; the forward pass computes with rounded weights. So it sees the difference between
these and theta_0, which lacks what rounding lost, and has the error of rounding theta_0 itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

AT_ONCE = 1 << 18  # weights compared at a time: 2 MiB in float64
AT_ONCE_ON_GPU = 1 << 22  # there each piece waits for the device a few times


@dataclass(frozen=True)
class Agreement:
    """The update that the forward pass sees against the one that was meant, over all weights.

    Attributes:
        cosine: of the angle between them; NaN where one of them is zero.
        kept: the length of the seen update along the one that was meant, as a share of it: 1 where rounding is right in
            the mean, less where updates are lost; NaN where none was meant.
        moved: share of the weights that should move and that the forward pass sees elsewhere than at z = 0; NaN where
            none should.
    """

    cosine: float
    kept: float
    moved: float


@dataclass
class Sums:
    """What an ``Agreement`` is made of, added up piece by piece in float64."""

    meant_meant: float = 0.0
    meant_seen: float = 0.0
    seen_seen: float = 0.0
    should_move: int = 0
    moved: int = 0

    def add(self, meant: Tensor, before: Tensor, at_zero: Tensor, now: Tensor) -> None:
        """Add a piece of the weights, all of one shape and any floating-point dtype.

        Args:
            meant: S P z.
            before: theta_0.
            at_zero: what the forward pass sees of the weights at z = 0.
            now: what it sees of them.
        """
        wanted, seen = meant.double(), now.double() - before.double()
        self.meant_meant += torch.dot(wanted, wanted).item()
        self.meant_seen += torch.dot(wanted, seen).item()
        self.seen_seen += torch.dot(seen, seen).item()

        should = meant != 0
        self.should_move += int(should.sum())
        self.moved += int((should & (now != at_zero)).sum())

    def agreement(self) -> Agreement:
        """Return what was added up."""
        lengths = math.sqrt(self.meant_meant) * math.sqrt(self.seen_seen)
        return Agreement(
            cosine=max(-1.0, min(1.0, self.meant_seen / lengths)) if lengths else math.nan,
            kept=self.meant_seen / self.meant_meant if self.meant_meant else math.nan,
            moved=self.moved / self.should_move if self.should_move else math.nan,
        )
