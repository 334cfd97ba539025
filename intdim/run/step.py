"""One optimiser step: a pass over each micro-batch, then the update of what is trained and of the weights.

On a CPU each part is called as it is. On a GPU the step is recorded as a CUDA graph for each width of its batches,
which are padded to few widths; with several micro-batches a step, passes and update are recorded apart. Where the
device's memory does not hold a micro-batch, it is cut into halves, whose gradients add up to the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from intdim.errors import UserError, first_line
from intdim.models.buffers import Still
from intdim.run.objective import Objective
from intdim.run.optimiser import Optimiser
from intdim.run.precision import forward_pass
from intdim.run.replay import Replay
from intdim.run.trainable import Trainable
from intdim.tasks import batches
from intdim.tasks.stored import Split


class Step:
    """The optimiser step of a run.

    Args:
        model: on its device.
        trainable: what is trained in it.
        optimiser: of what is trained.
        objective: gives the loss.
        still: puts the model into training mode.
        split: the training examples.
        pad_id: token that fills up a batch.
        precision: of forward passes.
        accumulation: micro-batches of a step.
        device: where the model is.
        say: takes lines for the user.
        compiled_rows: micro-batches of so many examples go through torch.compile; 0: none.

    Attributes:
        losses: sum of the training losses, which the owner reads and clears.
        recent_losses: the same, cleared at other times.
    """

    def __init__(
        self,
        model: nn.Module,
        trainable: Trainable,
        optimiser: Optimiser,
        *,
        objective: Objective,
        still: Still,
        split: Split,
        pad_id: int,
        precision: str,
        accumulation: int,
        device: torch.device,
        say: Callable[[str], None],
        compiled_rows: int = 0,
    ) -> None:
        self.model, self.trainable, self.optimiser, self.still = model, trainable, optimiser, still
        self.objective, self.split, self.pad_id, self.precision = objective, split, pad_id, precision
        self.device, self.say, self.on_gpu = device, say, device.type == "cuda"
        self.compiled_rows = compiled_rows
        self.compiled: Any = torch.compile(model, dynamic=False) if compiled_rows else None

        self.losses, self.recent_losses = torch.zeros((), device=device), torch.zeros((), device=device)
        self.writes = self.on_gpu and not trainable.by_step  # as a part of what is recorded
        self.parts = 1  # of a micro-batch; doubled where memory does not hold it
        self.at_once = self.on_gpu and accumulation == 1
        self.optimiser.keep = not self.at_once and self.on_gpu
        if self.on_gpu:
            shared: dict[str, Any] = {"undo": self._undo, "say": say, "pool": torch.cuda.graph_pool_handle()}
            self.whole = Replay(self._whole, **shared)
            self.some = Replay(self._pass, **shared)
            self.end = Replay(lambda inputs: self._update(), **shared)

    def make(self, number: int, rows: list[Tensor]) -> None:
        """Make step ``number`` (from 0) over the given micro-batches; the weights are then those of the next one."""
        if not self.model.training:  # hundreds of modules are told so
            self.still.train()
        self.optimiser.set_rate(number)
        if not self.on_gpu:
            for inputs in self._inputs(rows):
                self._pass(inputs)
            self._update()
        else:
            while not self._made(rows):
                self._cut(rows)
        if not self.writes:
            self.trainable.write(number + 1)

    # -- on a GPU ----------------------------------------------------------------------------------------------------

    def _made(self, rows: list[Tensor]) -> bool:
        """Make the step; return False, with everything as before, where memory does not hold it."""
        before = self.losses.clone(), self.recent_losses.clone()
        try:
            if self.at_once:
                (inputs,) = self._inputs(rows)
                self.whole(inputs)
            else:
                for inputs in self._inputs(rows):
                    self.some(inputs)
        except torch.OutOfMemoryError:
            self._undo()
            self.losses.copy_(before[0])
            self.recent_losses.copy_(before[1])
            return False

        if not self.at_once:
            self.end({})
        return True

    def _cut(self, rows: list[Tensor]) -> None:
        """Halve the micro-batches.

        Raises:
            UserError: they are single examples already.
        """
        torch.cuda.empty_cache()
        most = max(len(part) for part in rows)
        if most <= self.parts:
            free, whole = (number / 2**30 for number in torch.cuda.mem_get_info())
            raise UserError(
                f"a step with one example at a time does not fit the GPU's memory ({free:.1f} of {whole:.1f} GiB free)",
                "a model and a task.max_length that fit",
                "Set model.gradient_checkpointing=true, lower task.max_length, or make fewer runs at a time "
                "(launch.slots).",
            )
        self.parts *= 2
        self.at_once, self.optimiser.keep = False, True
        size = -(-most // self.parts)
        self.say(f"the GPU's memory does not hold {most} examples at once: {size} at a time, with the same gradients")

    def _undo(self) -> None:
        """Forget the gradients of a step that broke off."""
        self.trainable.forget_grad()
        self.optimiser.inner.zero_grad(set_to_none=not self.optimiser.keep)

    # -- the parts of a step -----------------------------------------------------------------------------------------

    def _inputs(self, rows: list[Tensor]) -> list[dict[str, Any]]:
        """Return the inputs of each pass: those of the model, labels, and the share of the step's examples."""
        examples, made = sum(len(part) for part in rows), []
        for part in rows:
            for piece in part.chunk(self.parts):
                inputs: dict[str, Any] = batches.collate(self.split, piece, self.pad_id, self.device)
                share = len(piece) / examples
                inputs["share"] = torch.full((), share, device=self.device) if self.on_gpu else share
                made.append(inputs)
        return made

    def _whole(self, inputs: dict[str, Any]) -> None:
        self._pass(inputs)
        self._update()

    def _pass(self, inputs: dict[str, Any]) -> None:
        """Add the gradient of some examples, and their loss."""
        inputs = dict(inputs)
        labels, share = inputs.pop("labels"), inputs.pop("share")
        with forward_pass(self.model, self.precision, self.device):
            logits = self._logits(inputs, len(labels))
        loss = self.objective.loss(logits, labels) * share
        loss.backward()
        if self.on_gpu:
            self.trainable.reduce_grad()
        self.losses += loss.detach()
        self.recent_losses += loss.detach()

    def _logits(self, inputs: dict[str, Tensor], rows: int) -> Tensor:
        """Return what the model says; compiled, if that is wanted and possible."""
        if rows == self.compiled_rows and self.compiled is not None:
            try:
                return self.compiled(**inputs).logits
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # whatever a compiler does not take: the model runs all the same
                self.compiled = None
                self.say(f"the model is not compiled: {type(error).__name__} ({first_line(error)})")
        return self.model(**inputs).logits

    def _update(self) -> None:
        """Take a step along the gradients, and write the weights."""
        self.trainable.read_grad()
        self.optimiser.clip_gradients()
        self.optimiser.take()
        if self.writes:
            self.trainable.write()
