"""An objective from outside the package: a large-margin loss in place of cross-entropy."""

from __future__ import annotations

from torch import Tensor, nn

from intdim.run.objective import Classification


class Margin(Classification):
    """One of several classes by the multi-class hinge loss."""

    name = "margin"

    def loss(self, logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        return nn.functional.multi_margin_loss(logits.float(), labels, reduction=reduction)
