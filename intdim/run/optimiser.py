"""The one optimiser step: clip, set the rate of this step, AdamW, clear the gradients."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


def rate_factor(step: int, total: int, warmup: float) -> float:
    """Return the schedule's factor for 0-based ``step``: linear warm-up over a share of all steps, then linear to 0."""
    rising = math.ceil(warmup * total)
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (total - step) / max(1, total - rising))


def split_by_decay(weights: list[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Return AdamW's parameter groups: decay on matrices alone, as is usual for transformers."""
    matrices = [weight for weight in weights if weight.ndim > 1]
    vectors = [weight for weight in weights if weight.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


class Optimiser:
    """AdamW with clipping and a schedule.

    Args:
        groups: parameter groups, each with its ``weight_decay``.
        rate: the highest rate of the schedule.
        total: optimiser steps of the whole training.
        warmup: share of them in which the rate rises.
        clip: largest norm of the gradient; 0: no clipping.
        betas: decay rates of AdamW's two moments.
        eps: AdamW's epsilon.
        fused: torch's fused kernel, which rounds otherwise than the plain one.
        clipped: the weights in the order in which their norms are added up; by default that of the groups.

    Attributes:
        inner: torch's AdamW, for checkpoints.
        keep: gradients are set to zero after a step, and stay where they are, in place of being dropped.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        rate: float,
        total: int,
        warmup: float,
        clip: float,
        betas: tuple[float, float],
        eps: float = 1e-8,
        fused: bool | None = True,
        clipped: list[nn.Parameter] | None = None,
    ) -> None:
        self.rate, self.total, self.warmup, self.clip = rate, total, warmup, clip
        first = next(weight for group in groups for weight in group["params"])
        on_gpu = first.device.type == "cuda"  # there a CUDA graph may hold the step: the rate is read from the device
        lr: Any = torch.tensor(rate, device=first.device) if on_gpu else rate
        self.inner = torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, fused=fused, capturable=on_gpu)
        self._current, self.keep = rate, False
        in_groups = [weight for group in self.inner.param_groups for weight in group["params"]]
        self.clipped = in_groups if clipped is None else clipped

    @property
    def current_rate(self) -> float:
        """The rate of the last step."""
        return self._current

    def clip_gradients(self) -> Tensor | None:
        """Shorten the gradient to the norm ``clip``; return its norm before, None where nothing is clipped."""
        return nn.utils.clip_grad_norm_(self.clipped, self.clip) if self.clip else None

    def update(self, step: int) -> None:
        """Take the step number ``step`` (from 0) with the gradients as they are, then clear them."""
        self.set_rate(step)
        self.take()

    def set_rate(self, step: int) -> None:
        """Set the rate of the step number ``step`` (from 0)."""
        self._current = self.rate * rate_factor(step, self.total, self.warmup)
        for group in self.inner.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(self._current)
            else:
                group["lr"] = self._current

    def take(self) -> None:
        """Take a step at the rate that is set, with the gradients as they are, then clear them."""
        self.inner.step()
        self.inner.zero_grad(set_to_none=not self.keep)

    def step(self, step: int) -> None:
        """Clip, then take the step number ``step`` (from 0)."""
        self.clip_gradients()
        self.update(step)
