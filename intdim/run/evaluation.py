"""Predictions and losses of the present weights, and the score of predictions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from intdim.run.objective import Objective
from intdim.run.precision import forward_pass
from intdim.tasks import batches
from intdim.tasks.metrics import find_metric
from intdim.tasks.stored import Split


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
) -> tuple[Tensor, Tensor]:
    """Return (predictions, losses), both (len(index),), in the order of ``index`` (row numbers of ``split``)."""
    model.eval()
    predictions = torch.empty(len(split.labels), dtype=objective.label_dtype)
    losses = torch.empty(len(split.labels), dtype=torch.float32)

    for rows in batches.sequential(split, batch_size, index):
        inputs = batches.collate(split, rows, pad_id, device)
        labels = inputs.pop("labels")
        with forward_pass(model, precision, device):
            logits = model(**inputs).logits
        losses[rows] = objective.loss(logits, labels, reduction="none").cpu()
        predictions[rows] = objective.predict(logits).to(predictions.dtype).cpu()

    return predictions[index], losses[index]


def score(metric: str, split: Split, index: Tensor, predictions: Tensor) -> float:
    """Return the metric of predictions that are in the order of ``index``."""
    return find_metric(metric)(predictions.numpy(), split.labels[index].numpy())
