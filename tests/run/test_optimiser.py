"""The one optimiser step against torch's own pieces, in their order."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from intdim.run.optimiser import Optimiser, rate_factor, split_by_decay


def test_the_rate_rises_then_falls():
    factors = [rate_factor(step, 20, 0.2) for step in range(20)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert all(a > b > 0 for a, b in pairwise(factors[4:]))
    assert rate_factor(0, 5, 0.0) == 1.0


def weights():
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(5))]


@pytest.mark.parametrize("clip", [0.0, 0.5])
@pytest.mark.parametrize("fused", [True, None])
def test_a_step_is_clipping_the_rate_of_the_step_and_adamw(clip, fused):
    ours, theirs = weights(), weights()
    made = Optimiser(
        split_by_decay(ours, 0.1), rate=0.01, total=10, warmup=0.3, clip=clip, betas=(0.9, 0.98), eps=1e-7, fused=fused
    )
    adam = torch.optim.AdamW(
        [{"params": theirs[:1], "weight_decay": 0.1}, {"params": theirs[1:], "weight_decay": 0.0}],
        lr=0.01, betas=(0.9, 0.98), eps=1e-7, fused=fused,
    )  # fmt: skip
    for step in range(10):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad, other.grad = (torch.full_like(mine, 0.3 + step) for _ in range(2))
        made.step(step)
        if clip:
            nn.utils.clip_grad_norm_(theirs, clip)
        for group in adam.param_groups:
            group["lr"] = 0.01 * rate_factor(step, 10, 0.3)
        adam.step()
        assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))
        assert all(mine.grad is None for mine in ours), "gradients are cleared"
    assert made.current_rate == 0.01 * rate_factor(9, 10, 0.3)


def test_without_matrices_or_vectors_there_is_no_empty_group():
    assert len(split_by_decay(weights()[:1], 0.1)) == 1
    assert len(split_by_decay(weights(), 0.1)) == 2
