"""Buffers held still: what is trained is theta and nothing else, so that theta alone decides the answers.

A BatchNorm's running statistics, a spectral norm's vectors and the like move in training without being weights. No d
counts them and no artifact holds them, and a model rebuilt from theta would answer otherwise than the one that was
scored. The modules that own such buffers therefore train in evaluation mode, with what the checkpoint says of them.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn

from intdim.errors import UserError
from intdim.models.weights import few

LOG = logging.getLogger(__name__)


def may_move(model: nn.Module) -> bool:
    """Tell whether a model could have a buffer that training moves: one that is saved, or one of its own code. Those
    of transformers' own models that are not saved are constants."""
    own_code = not type(model).__module__.startswith("transformers.")
    return own_code or len(model.state_dict()) > len(list(model.named_parameters(remove_duplicate=False)))


class Still:
    """The buffers of a model, as they were at first, and the modules that would move them.

    Args:
        model: on its device, before it is trained.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.start = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
        self.owners: list[nn.Module] = []

    def find(self, inputs: dict[str, Tensor]) -> None:
        """Find by one pass in training mode which buffers training would move, and keep their modules from it.

        Args:
            inputs: of a few examples, at least two.

        Raises:
            UserError: a buffer moves in evaluation mode too, so that an answer depends on those before it.
        """
        moved = self._moved_by(inputs)
        if not moved:
            return
        modules = dict(self.model.named_modules())
        self.owners = [modules[name] for name in dict.fromkeys(name.rpartition(".")[0] for name in moved)]
        shown = [name for name in moved if not name.endswith("num_batches_tracked")] or moved
        LOG.warning(
            "training would move %s, which no d counts: held still, as the checkpoint has them",
            few(shown),
        )

        remembered = self._moved_by(inputs)
        if remembered:
            raise UserError(
                f"{few(remembered)} of {type(self.model).__name__} change whenever it is used, also in evaluation",
                "a model whose answers depend on its weights and its input alone",
                "Make it leave its buffers alone in evaluation mode.",
            )

    def train(self) -> None:
        """Put the model into training mode, but for the modules whose buffers would move."""
        self.model.train()
        for module in self.owners:
            module.training = False

    def moved(self) -> list[str]:
        """Return the names of the buffers that are not as they were at first."""
        now = dict(self.model.named_buffers())
        return [name for name, buffer in self.start.items() if not _same(now.get(name), buffer)]

    def _moved_by(self, inputs: dict[str, Tensor]) -> list[str]:
        """Return what one pass in training mode moves; put it back."""
        self.train()
        with torch.no_grad():
            self.model(**inputs)
        self.model.eval()

        moved = self.moved()
        for name in moved:
            path, _, own = name.rpartition(".")
            owner: Any = self.model.get_submodule(path)
            owner._buffers[own] = self.start[name].clone()
        return moved


def _same(now: Tensor | None, before: Tensor) -> bool:
    if now is None or now.shape != before.shape or now.dtype != before.dtype:
        return False
    return torch.equal(now.nan_to_num(), before.nan_to_num()) if now.is_floating_point() else torch.equal(now, before)
