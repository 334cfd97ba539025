"""What is trained in a run: the coordinates of a subspace, or all weights."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from intdim.kernels.agreement import Agreement
from intdim.parameters import ParameterTable
from intdim.run.optimiser import split_by_decay
from intdim.subspace import Subspace


class Trainable(Protocol):
    """What is trained in a run; ``d`` counts it, ``D`` the weights that it moves; ``by_step``: what is written depends
    on the step."""

    d: int
    D: int
    by_step: bool

    def groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Return AdamW's parameter groups."""
        ...

    def write(self, step: int = 0) -> None:
        """Put the trained values into the model's weights; ``step`` is that of the training."""
        ...

    def reduce_grad(self) -> None:
        """End a backward pass: nothing that its Python objects hold may be needed later."""
        ...

    def read_grad(self) -> None:
        """Bring the weights' gradients to what is trained."""
        ...

    def forget_grad(self) -> None:
        """Forget the weights' gradients that were not brought to what is trained."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return what is trained, by name."""
        ...

    def agreement(self) -> Agreement | None:
        """Return what the forward pass sees of the update, after ``write``; None where that is not measured."""
        ...


class SubspaceTrainable:
    """Trains z and, for SAID, the scales; no weight decay on either."""

    def __init__(self, subspace: Subspace) -> None:
        self.subspace, self.d, self.D = subspace, subspace.d, subspace.D
        self.write, self.read_grad, self.agreement = subspace.write, subspace.read_grad, subspace.agreement
        self.reduce_grad, self.forget_grad = subspace.reduce_grad, subspace.forget_grad
        self.by_step = subspace.rounding is not None and subspace.rounding.stochastic

    def groups(self, weight_decay: float) -> list[dict[str, Any]]:
        return [{"params": list(self.subspace.parameters()), "weight_decay": 0.0}]

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.subspace.state_dict())


class FullTrainable:
    """Trains every weight that is not excluded; weight decay on matrices alone, as is usual for transformers."""

    def __init__(self, model: nn.Module, exclude: tuple[str, ...]) -> None:
        self.table = ParameterTable.of(model, exclude=exclude)
        inside = {entry.name for entry in self.table.entries}
        self.weights = {name: weight for name, weight in model.named_parameters() if name in inside}
        for name, weight in model.named_parameters():
            weight.requires_grad_(name in inside)
        self.d = self.D = self.table.D
        self.by_step = False

    def groups(self, weight_decay: float) -> list[dict[str, Any]]:
        return split_by_decay(list(self.weights.values()), weight_decay)

    def write(self, step: int = 0) -> None:
        """Nothing to do: the optimiser changed the weights themselves."""

    def reduce_grad(self) -> None:
        """Nothing to do: the weights hold their gradients."""

    def read_grad(self) -> None:
        """Nothing to do: the gradients are where the optimiser looks."""

    def forget_grad(self) -> None:
        """Nothing to do: the optimiser clears the gradients."""

    def tensors(self) -> dict[str, Tensor]:
        return {name: weight.detach() for name, weight in self.weights.items()}

    def agreement(self) -> None:
        """The weights before training are not kept."""
