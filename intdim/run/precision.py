"""What ``train.precision`` means in a run: the dtype of its weights, how they are rounded, the arithmetic.

In a subspace the weights are computed anew in every step, from theta_0 and z in float32. So with ``bf16`` they are kept
in bf16, rounded to the nearest, and all arithmetic is in bf16; ``bf16-stochastic`` rounds them at random, with the same
numbers on every device. Full fine-tuning adds small steps to its weights, which bf16 would lose: there both mean
weights in float32 and bf16 autocast.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import torch
from torch import Tensor, nn

from intdim.kernels.rounding import Rounding
from intdim.parameters import ParameterTable
from intdim.spec import RunSpec, derive_seed

STOCHASTIC = "bf16-stochastic"


def weight_dtype(spec: RunSpec) -> torch.dtype:
    """Return the dtype of a run's weights."""
    inside = spec.subspace.method != "full"
    return torch.bfloat16 if inside and spec.train.precision != "float32" else torch.float32


def rounding_of(spec: RunSpec) -> Rounding | None:
    """Return how a run's weights are rounded; None: by their dtype."""
    if spec.train.precision != STOCHASTIC or spec.subspace.method == "full":
        return None
    return Rounding(stochastic=True, seed=derive_seed(spec.seed, "rounding"))


def forward_pass(model: nn.Module, precision: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return the context for forward passes: bf16 autocast where weights are float32 and the precision is another."""
    if precision == "float32" or next(model.parameters()).dtype == torch.bfloat16:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@torch.no_grad()
def convert_others(model: nn.Module, dtype: torch.dtype) -> None:
    """Convert the floating-point weights that are not of ``dtype``: those outside the subspace. Buffers stay."""
    for weight in model.parameters():
        if weight.is_floating_point() and weight.dtype != dtype:
            weight.data = weight.data.to(dtype)


@torch.no_grad()
def is_in_bf16(weights: list[Tensor], share: float) -> bool:
    """Return whether at least ``share`` of the numbers in float32 ``weights`` are bf16 numbers. Of weights that were
    never rounded few are: zeros, ones, and one in 65,536 of the others."""
    exact = sum(int((weight == weight.to(torch.bfloat16)).sum()) for weight in weights)
    return exact >= share * sum(weight.numel() for weight in weights)


@torch.no_grad()
def as_computed(model: nn.Module, spec: RunSpec, step: int) -> nn.Module:
    """Return a model with the weights that a run's forward pass computed with at a step.

    Args:
        model: its weights are theta_0 + S P z of that step in float32.
        spec: of the run.
        step: of the training.

    Returns:
        The same model where the run's weights were float32, else a copy.
    """
    if weight_dtype(spec) == torch.float32:
        return model
    lowered, rounding = copy.deepcopy(model), rounding_of(spec)
    if rounding is not None:
        named = dict(lowered.named_parameters())
        for entry in ParameterTable.of(lowered, spec.subspace.exclude).entries:
            flat = named[entry.name].detach().reshape(-1)
            rounding.apply(flat, step, entry.offset)
            named[entry.name].copy_(flat.view(entry.shape))
    convert_others(lowered, torch.bfloat16)
    return lowered
