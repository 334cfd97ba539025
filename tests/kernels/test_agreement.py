"""The agreement of an update with what the forward pass sees of it."""

import math

import pytest
import torch
from torch import nn

from intdim import Subspace
from intdim.kernels import streams
from intdim.kernels.agreement import Sums
from intdim.kernels.rounding import Rounding, round_to_nearest


def test_by_hand():
    sums = Sums()
    sums.add(torch.tensor([3.0, 0.0]), torch.ones(2), torch.ones(2), torch.tensor([5.0, 1.0]))
    sums.add(torch.tensor([4.0]), torch.ones(1), torch.ones(1), torch.ones(1))
    found = sums.agreement()
    assert (found.cosine, found.kept, found.moved) == (pytest.approx(0.6), pytest.approx(12 / 25), 0.5)


def test_nothing_meant_is_not_a_number():
    sums = Sums()
    sums.add(torch.zeros(3), torch.ones(3), torch.ones(3), torch.ones(3))
    assert all(math.isnan(value) for value in vars(sums.agreement()).values())


def model(dtype=torch.float32) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(300, 300), nn.Linear(300, 300)).to(dtype)


@pytest.mark.parametrize("method", ["did", "said"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rounding", [None, Rounding(), Rounding(stochastic=True, seed=4)])
def test_a_subspace_against_its_definition(rounding, dtype, method):
    """In one go over whole vectors; and the weights are left as they were."""
    space = Subspace(model(), 20, "orthogonal", method, rounding=rounding, dtype=dtype)
    with torch.no_grad():
        space.z.normal_(0, 0.03, generator=torch.Generator().manual_seed(1))
        if space.scales is not None:
            space.scales += 0.5
    space.write(7)
    before = space.theta.clone()
    found = space.agreement()
    assert torch.equal(space.theta, before)

    factor = 1.5 if method == "said" else 1.0
    meant = factor * space.projection.matvec(space.z.detach().double())
    at_zero = space.theta_0.clone()
    if rounding is not None:
        rounding.apply(at_zero, 7)
    seen = before.double() - space.theta_0.double()
    assert found.cosine == pytest.approx((meant @ seen / meant.norm() / seen.norm()).item(), abs=1e-6)
    assert found.kept == pytest.approx((meant @ seen / meant.square().sum()).item(), abs=1e-6)
    assert found.moved == pytest.approx((before != at_zero.to(dtype)).double().mean().item(), abs=1e-4)
    if rounding is None and dtype == torch.float32:
        assert found.cosine > 1 - 1e-9


def test_what_autocast_makes_of_float32_weights():
    space = Subspace(model(), 20, "orthogonal")
    with torch.no_grad():
        space.z.fill_(0.01)
    space.write()
    exact, rounded = space.agreement(), space.agreement(autocast=torch.bfloat16)
    seen = space.theta.bfloat16().double() - space.theta_0.double()
    meant = space.projection.matvec(space.z.detach()).double()
    assert exact.cosine > 1 - 1e-6
    assert rounded.cosine == pytest.approx((meant @ seen / meant.norm() / seen.norm()).item(), abs=1e-9)
    assert rounded.cosine < 0.9


def test_a_checkpoint_in_bf16_loses_small_updates_to_the_nearest_and_none_in_the_mean_at_random():
    """The law of bf16: a weight moves if the update exceeds about 1/512 of it."""
    kept = []
    for rounding in (Rounding(), Rounding(stochastic=True)):
        made = model()
        with torch.no_grad():
            for weight in made.parameters():
                values = 0.02 * streams.gaussians(streams.stream_key(1, "w"), 0, weight.numel()).float()
                round_to_nearest(values, 7)
                weight.copy_(values.view(weight.shape))
        space = Subspace(made, 20, "one_hot", rounding=rounding)
        with torch.no_grad():
            space.z.fill_(1e-5 * (space.D / 20) ** 0.5)
        space.write(3)
        kept.append(space.agreement().kept)
    assert kept[0] < 0.6
    assert kept[1] == pytest.approx(1, abs=0.03)
