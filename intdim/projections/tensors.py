"""P^T g tensor by tensor: each gradient is reduced to the coordinates as soon as autograd has it, and then freed.

So no buffer of D gradients exists. Every tensor has a sum of its own, d numbers, and these are added in the order of
the tensors at the end of a step: the result does not depend on the order in which gradients arrive. On a GPU, where a
product of few rows takes as long as one of a million, neighbouring tensors are gathered into *runs* of about four
million weights, each of which is reduced, and has its sum, as if it were one tensor.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Container, Sequence

import torch
from torch import Tensor, nn

from intdim.projections.base import Projection, work_dtype

FEWEST_WEIGHTS = 1 << 22  # 16 MiB of gradients: below it, a call for each tensor costs more time than memory is worth
LARGEST_SHARE = 0.25  # of D, that the numbers in all sums may be: more would save little memory
RUN = 1 << 22  # weights of a run on a GPU, at least; one more tensor may be in it


def worth_it(projection: Projection, sums: int) -> bool:
    """Return whether so many sums save memory, and products of their rows cost no time that matters."""
    large = projection.by_rows and projection.D >= FEWEST_WEIGHTS
    return large and sums * projection.d <= LARGEST_SHARE * projection.D


def runs_of(sizes: Sequence[int], together: int, ends: Container[int] = ()) -> list[range]:
    """Return which neighbouring tensors are reduced together: runs that end when they have ``together`` weights, and at
    the weights ``ends``."""
    runs, first, held, start = [], 0, 0, 0
    for number, size in enumerate(sizes):
        held, start = held + size, start + size
        if held >= together or start in ends or number == len(sizes) - 1:
            runs.append(range(first, number + 1))
            first, held = number + 1, 0
    return runs


class TensorSums:
    """The sums of the tensors of a model, whose gradients hooks reduce when backward has accumulated them.

    A weight whose gradient was reduced has none (``grad`` is None) after a backward pass. A weight whose memory was
    exchanged since then keeps its gradient: it is no longer one of these.

    Args:
        projection: P over all weights.
        weights: the tensors, in the order of their rows, without gaps.
        runs: which of them are reduced together; by default each by itself.

    Attributes:
        sums: (runs, d): what the rows of each run have added to P^T g since ``clear``.
    """

    def __init__(
        self, projection: Projection, weights: Sequence[nn.Parameter], runs: Sequence[range] | None = None
    ) -> None:
        self.projection, self.weights = projection, tuple(weights)
        self.starts = [0]
        for weight in weights:
            self.starts.append(self.starts[-1] + weight.numel())
        self.runs = [range(number, number + 1) for number in range(len(weights))] if runs is None else list(runs)
        self._run_of = {number: place for place, run in enumerate(self.runs) for number in run}
        self._held: dict[int, tuple[Tensor, set[int]]] = {}  # of runs that are not complete: gradients, which arrived

        first = weights[0]
        dtype = work_dtype(first.dtype)
        self.sums = torch.zeros(len(self.runs), projection.d, dtype=dtype, device=first.device)
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
        self._add(number, gradient.detach().reshape(-1))

    def reduce_rest(self) -> None:
        """Reduce the runs of which backward left some tensors without a gradient."""
        for place in sorted(self._held):
            self._reduce_run(place)

    def collect(self) -> Tensor:
        """Return ``sums``, with gradients that were put there by hand."""
        for number in range(len(self.weights)):
            self.reduce(number)
        self.reduce_rest()
        return self.sums

    def clear(self) -> None:
        """Forget all gradients."""
        self._held.clear()
        self.sums.zero_()

    def _add(self, number: int, gradient: Tensor) -> None:
        """Reduce a gradient, or put it into its run, which is reduced when it is complete."""
        place = self._run_of[number]
        run = self.runs[place]
        if len(run) == 1:
            self.sums[place] += self.projection.read_rows(gradient, self.starts[number])
            return

        if place in self._held and number in self._held[place][1]:  # of an earlier backward pass
            self._reduce_run(place)
        first, last = self.starts[run.start], self.starts[run.stop]
        if place not in self._held:
            self._held[place] = gradient.new_empty(last - first), set()
        gathered, arrived = self._held[place]
        gathered[self.starts[number] - first : self.starts[number + 1] - first] = gradient
        arrived.add(number)
        if len(arrived) == len(run):
            self._reduce_run(place)

    def _reduce_run(self, place: int) -> None:
        """Reduce a run; tensors of it that have not arrived have a gradient of zero."""
        gathered, arrived = self._held.pop(place)
        run = self.runs[place]
        first = self.starts[run.start]
        for number in run:
            if number not in arrived:
                gathered[self.starts[number] - first : self.starts[number + 1] - first] = 0
        self.sums[place] += self.projection.read_rows(gathered, first)


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
