"""Predictions and losses of the present weights, and the score of predictions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from intdim.run.objective import Objective
from intdim.run.precision import forward_pass
from intdim.run.replay import Replay
from intdim.tasks import batches
from intdim.tasks.metrics import find_metric
from intdim.tasks.stored import Split


class Answering:
    """What a model answers and loses on a batch; on a GPU recorded for each width of a batch.

    Args:
        model: on its device.
        objective: makes predictions and losses of logits.
        precision: of forward passes.
        device: where the model is.
        say: takes lines for the user.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        precision: str,
        device: torch.device,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.model, self.objective, self.precision, self.device = model, objective, precision, device
        self.on_gpu = device.type == "cuda"
        if self.on_gpu:
            self.replay = Replay(self._answer, undo=lambda: None, say=say, pool=torch.cuda.graph_pool_handle())

    def __call__(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return (predictions, losses) for what ``batches.collate`` returns; good until the next call."""
        return self.replay(inputs) if self.on_gpu else self._answer(inputs)

    def _answer(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        inputs = dict(inputs)
        labels = inputs.pop("labels")
        with forward_pass(self.model, self.precision, self.device):
            logits = self.model(**inputs).logits
        return self.objective.predict(logits), self.objective.loss(logits, labels, reduction="none")


@torch.inference_mode()
def predict(
    model: nn.Module,
    split: Split,
    index: Tensor,
    *,
    objective: Objective,
    pad_id: int,
    batch_size: int,
    precision: str,
    device: torch.device,
    answering: Answering | None = None,
) -> tuple[Tensor, Tensor]:
    """Return (predictions, losses), both (len(index),), in the order of ``index`` (row numbers of ``split``).

    ``answering`` is of the same model, objective, precision and device; it remembers what it recorded.
    """
    answer = answering or Answering(model, objective, precision, device)
    model.eval()
    parts, answered, lost = batches.sequential(split, batch_size, index), [], []
    for rows in parts:
        prediction, loss = answer(batches.collate(split, rows, pad_id, device))
        answered.append(prediction.clone())
        lost.append(loss.clone())

    order = torch.cat(parts)
    predictions = torch.empty(len(split.labels), dtype=objective.label_dtype)
    losses = torch.empty(len(split.labels), dtype=torch.float32)
    predictions[order] = torch.cat(answered).to(predictions.dtype).cpu()
    losses[order] = torch.cat(lost).float().cpu()
    return predictions[index], losses[index]


def score(metric: str, split: Split, index: Tensor, predictions: Tensor) -> float:
    """Return the metric of predictions that are in the order of ``index``."""
    return find_metric(metric)(predictions.numpy(), split.labels[index].numpy())
