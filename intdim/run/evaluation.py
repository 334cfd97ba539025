"""Predictions and losses of the present weights, and the score of predictions."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn

from intdim.run.objective import Objective
from intdim.tasks import batches
from intdim.tasks.metrics import find_metric
from intdim.tasks.stored import Split


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return the context for forward passes: bf16 autocast, or nothing for float32."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


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
        with autocast(precision, device):
            logits = model(**inputs).logits
        losses[rows] = objective.loss(logits, labels, reduction="none").cpu()
        predictions[rows] = objective.predict(logits).to(predictions.dtype).cpu()

    return predictions[index], losses[index]


def score(metric: str, split: Split, index: Tensor, predictions: Tensor) -> float:
    """Return the metric of predictions that are in the order of ``index``."""
    return find_metric(metric)(predictions.numpy(), split.labels[index].numpy())
