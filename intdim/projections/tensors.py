"""P^T g tensor by tensor: each gradient is reduced to the coordinates as soon as autograd has it, and then freed.

So no buffer of D gradients exists. Every tensor has a sum of its own, d numbers, and these are added in the order of
the tensors at the end of a step: the result does not depend on the order in which gradients arrive.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from intdim.projections.base import Projection, work_dtype

FEWEST_WEIGHTS = 1 << 22  # 16 MiB of gradients: below it, a call for each tensor costs more time than memory is worth
LARGEST_SHARE = 0.25  # of D, that the numbers in all sums may be: more would save little memory


def worth_it(projection: Projection, tensors: int) -> bool:
    """Return whether the sums of so many tensors save memory, and products of their rows cost no time that matters."""
    large = projection.by_rows and projection.D >= FEWEST_WEIGHTS
    return large and tensors * projection.d <= LARGEST_SHARE * projection.D


class TensorSums:
    """The sums of the tensors of a model, whose gradients hooks reduce when backward has accumulated them.

    A weight whose gradient was reduced has none (``grad`` is None) after a backward pass. A weight whose memory was
    exchanged since then keeps its gradient: it is no longer one of these.

    Args:
        projection: P over all weights.
        weights: the tensors, in the order of their rows, without gaps.

    Attributes:
        sums: (tensors, d): what the rows of each tensor have added to P^T g since ``clear``.
    """

    def __init__(self, projection: Projection, weights: Sequence[nn.Parameter]) -> None:
        self.projection, self.weights = projection, tuple(weights)
        self.starts, start = [], 0
        for weight in weights:
            self.starts.append(start)
            start += weight.numel()

        first = weights[0]
        dtype = work_dtype(first.dtype)
        self.sums = torch.zeros(len(weights), projection.d, dtype=dtype, device=first.device)
        self._memory = [weight.data_ptr() for weight in weights]
        handles = [
            weight.register_post_accumulate_grad_hook(_hook(weakref.ref(self), number))
            for number, weight in enumerate(weights)
        ]
        weakref.finalize(self, _remove, handles)

    def reduce(self, number: int) -> None:
        """Add the gradient of a tensor to its sum, if it has one, and free it."""
        weight = self.weights[number]
        gradient = weight.grad
        if gradient is None or weight.data_ptr() != self._memory[number]:
            return
        weight.grad = None
        if gradient.is_sparse:
            gradient = gradient.to_dense()
        self.sums[number] += self.projection.read_rows(gradient.detach().reshape(-1), self.starts[number])

    def collect(self) -> Tensor:
        """Return ``sums``, with gradients that were put there by hand."""
        for number in range(len(self.weights)):
            self.reduce(number)
        return self.sums

    def clear(self) -> None:
        """Forget all gradients."""
        self.sums.zero_()


def _hook(reference: weakref.ref[TensorSums], number: int) -> Callable[[Tensor], None]:
    """The hook of a tensor, which keeps nothing alive."""

    def reduce(_: Tensor) -> None:
        sums = reference()
        if sums is not None:
            sums.reduce(number)

    return reduce


def _remove(handles: list[torch.utils.hooks.RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
