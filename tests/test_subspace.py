"""theta = theta_0 + S P z: the gradient against autograd, ties, groups, scopes, accumulation, refusals."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from intdim import Subspace
from intdim.errors import UserError
from intdim.kernels import reference
from intdim.spec import SCOPES


class Small(nn.Module):
    """Embedding tied to the output, two blocks with norms, a head, a weight that nothing uses."""

    def __init__(self, dtype=torch.float64):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.blocks = nn.ModuleList([nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6)) for _ in range(2)])
        self.pooler = nn.Linear(6, 6)
        self.out = nn.Linear(6, 11, bias=False)
        self.out.weight = self.embed.weight
        self.unused = nn.Parameter(torch.ones(5))
        self.to(dtype)

    def forward(self, ids):
        x = self.embed(ids).mean(1)
        for block in self.blocks:
            x = x + torch.tanh(block(x))
        return self.out(torch.tanh(self.pooler(x)))


IDS = torch.randint(0, 11, (5, 4), generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 3, 5, 7, 10])


def small(dtype=torch.float64):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Small(dtype)


def loss_of(model):
    return nn.functional.cross_entropy(model(IDS), LABELS)


def dense_gradients(space, theta_0, model_factory):
    """Gradients of z and scales by autograd through the dense matrix and a functional call."""
    P = space.projection.to_dense().to(torch.float64)
    z = space.z.detach().clone().requires_grad_()
    scales = None if space.scales is None else space.scales.detach().clone().requires_grad_()
    moved = P @ z
    if scales is not None:
        per_weight = torch.empty(space.D, dtype=torch.long)
        for number, start, stop in space._slices:
            per_weight[start:stop] = number
        moved = scales[per_weight] * moved
    theta = theta_0 + moved
    model = model_factory()
    weights = {entry.name: theta[entry.place].view(entry.shape) for entry in space.table.entries}
    weights = dict(model.named_parameters()) | weights
    out = torch.func.functional_call(model, weights, (IDS,), tie_weights=True)
    nn.functional.cross_entropy(out, LABELS).backward()
    return theta.detach(), z.grad, None if scales is None else scales.grad


@pytest.mark.parametrize("exclude", [(), ("pooler.*",)])
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(
    ("method", "groups"), [("did", "layer"), ("said", "layer"), ("said", "module"), ("said", "tensor")]
)
@pytest.mark.parametrize("projection", ["dense", "fastfood", "one_hot"])
def test_gradient_equals_autograd(projection, method, groups, scope, exclude):
    model = small()
    space = Subspace(model, 40, projection, method, scope, groups, seed=5, exclude=exclude)
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        space.z.copy_(0.3 * torch.randn(len(space.z), generator=rng, dtype=torch.float64))
        if space.scales is not None:
            space.scales.copy_(1 + 0.2 * torch.randn(len(space.scales), generator=rng, dtype=torch.float64))
    theta_0 = space.theta_0.clone()
    space.write()
    loss_of(model).backward()
    space.read_grad()
    theta, z_grad, scales_grad = dense_gradients(space, theta_0, small)
    assert torch.allclose(space.theta, theta, rtol=0, atol=1e-12)
    assert (space.z.grad - z_grad).norm() <= 1e-12 * z_grad.norm()
    if method == "said":
        assert len(space.z) + space.num_groups == 40
        assert (space.scales.grad - scales_grad).norm() <= 1e-12 * scales_grad.norm()


@pytest.mark.parametrize(
    ("scope", "sizes", "sharing"),
    [
        ("layer", [71, 54, 54, 42], "first"),
        ("tensor", [5, 66, 6, 6, 36, 6, 6, 6, 36, 6, 36, 6], "first"),
        ("tensor_turns", [5, 66, 6, 6, 36, 6, 6, 6, 36, 6, 36, 6], "turns"),
    ],
)
def test_a_scope_is_the_published_form_or_its_fellow_over_the_pieces_of_the_model(scope, sizes, sharing):
    space = Subspace(small(), 50, "fastfood", scope=scope, seed=3)
    expected = reference.stacked("fastfood", sizes, 50, 3, sharing)
    assert (space.projection.to_dense() - expected).abs().max().item() < 1e-12


def test_zero_is_theta_0_bit_for_bit_and_nothing_is_wrapped():
    model, twin = small(torch.float32), small(torch.float32)
    names = [name for name, _ in model.named_parameters()]
    Subspace(model, 10, "orthogonal").write()
    assert [name for name, _ in model.named_parameters()] == names
    assert type(model) is Small
    assert model.out.weight is model.embed.weight
    for (name, weight), (_, other) in zip(model.named_parameters(), twin.named_parameters(), strict=True):
        assert torch.equal(weight, other), name
    assert set(model.state_dict()) == set(twin.state_dict())


def test_ties_count_once_and_exclusion_freezes():
    model = small()
    D = sum(weight.numel() for weight in model.parameters())
    assert Subspace(small(), 5).D == D
    space = Subspace(model, 5, exclude=["pooler.*", "unused"])
    assert D - space.D == 6 * 6 + 6 + 5
    assert not model.pooler.weight.requires_grad
    before = model.pooler.weight.clone()
    with torch.no_grad():
        space.z.fill_(1.0)
    space.write()
    assert torch.equal(model.pooler.weight, before)
    assert not torch.equal(model.embed.weight, small().embed.weight)


def test_accumulation_is_one_product_of_the_sum():
    one, many = small(), small()
    a, b = Subspace(one, 20, seed=1), Subspace(many, 20, seed=1)
    a.write()
    b.write()
    loss_of(one).backward()
    a.read_grad()
    for row in range(len(IDS)):
        (nn.functional.cross_entropy(many(IDS[row : row + 1]), LABELS[row : row + 1]) / len(IDS)).backward()
    b.read_grad()
    assert torch.allclose(a.z.grad, b.z.grad, rtol=0, atol=1e-14)
    b.read_grad()
    assert torch.allclose(a.z.grad, b.z.grad, rtol=0, atol=1e-14), "read gradients are cleared"


def test_gradients_set_to_none_by_the_user_are_still_right():
    expected, model = small(), small()
    a, b = Subspace(expected, 20, seed=1), Subspace(model, 20, seed=1)
    for module, space in ((expected, a), (model, b)):
        space.write()
        if module is model:
            module.zero_grad(set_to_none=True)
        loss_of(module).backward()
        space.read_grad()
    assert torch.equal(a.z.grad, b.z.grad)
    model.zero_grad(set_to_none=True)
    b.z.grad = None
    b.read_grad()
    assert torch.equal(b.z.grad, torch.zeros_like(b.z)), "no backward since: no gradient"


def test_state_round_trip_and_a_training_step():
    model = small()
    space = Subspace(model, 30, "kronecker", "said", groups="layer", seed=4)
    optimiser = torch.optim.AdamW(space.parameters(), lr=0.2 / 30**0.5, weight_decay=0.0)
    losses = []
    for _ in range(60):
        space.write()
        loss = loss_of(model)
        loss.backward()
        space.read_grad()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    saved = {name: value.clone() for name, value in space.state_dict().items()}
    again = small()
    other = Subspace(again, 30, "kronecker", "said", groups="layer", seed=4)
    other.load_state_dict(saved)
    other.write()
    space.write()
    assert torch.equal(other.theta, space.theta)


@pytest.mark.parametrize("autocast", [False, True])
def test_bf16_autocast_and_bf16_weights(autocast):
    model = small(torch.float32 if autocast else torch.bfloat16)
    space = Subspace(model, 20, "one_hot")
    space.write()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        loss = nn.functional.cross_entropy(model(IDS).float(), LABELS)
    loss.backward()
    space.read_grad()
    assert space.z.dtype == torch.float32
    assert space.z.grad.isfinite().all()
    assert space.z.grad.norm() > 0


def test_a_model_moved_or_converted_afterwards_is_refused():
    model = small()
    space = Subspace(model, 5)
    space.write()
    model.to(torch.float32)
    with pytest.raises(UserError, match="moved or converted"):
        space.write()
    with pytest.raises(UserError, match="moved or converted"):
        space.read_grad()


def test_a_second_subspace_starts_where_the_first_one_stands():
    model = small()
    first = Subspace(model, 10, "orthogonal")
    with torch.no_grad():
        first.z.fill_(0.5)
    first.write()
    second = Subspace(model, 10, "orthogonal", seed=1)
    assert torch.equal(second.theta_0, first.theta)
    with pytest.raises(UserError, match="has left the subspace"):
        first.write()


def test_weights_in_any_memory_layout():
    model = small()
    model.pooler.weight.data = model.pooler.weight.data.t().contiguous().t()
    before = model.pooler.weight.detach().clone()
    space = Subspace(model, 5)
    space.write()
    assert torch.equal(model.pooler.weight, before)
    assert model.pooler.weight.is_contiguous()


def test_buffers_stay_and_a_deep_copy_is_on_its_own():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    space = Subspace(model, 3, "orthogonal")
    assert space.D == 4 * 4 + 4 + 4 + 4, "running mean and variance are no weights"
    twin = copy.deepcopy(model)
    before = [weight.clone() for weight in twin.parameters()]
    model.train()(torch.randn(8, 4, generator=torch.Generator().manual_seed(0)))
    assert model[1].running_mean.abs().sum() > 0
    with torch.no_grad():
        space.z.fill_(1.0)
    space.write()
    assert all(torch.equal(a, b) for a, b in zip(twin.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"d": 0}, "d must be an integer from 1 to D="),
        ({"d": 10.5}, "d must be an integer from 1 to D="),
        ({"d": True}, "d must be an integer from 1 to D="),
        ({"d": float("nan")}, "d must be an integer from 1 to D="),
        ({"d": None}, "d must be an integer from 1 to D="),
        ({"d": 10**6}, "exceeds D="),
        ({"d": 4, "method": "said"}, "counted in d"),
        ({"d": 5, "projection": "fastfud"}, "fastfood"),
        ({"d": 5, "method": "sayd"}, "said"),
        ({"d": 5, "method": "full"}, "Known: did, said"),
        ({"d": 5, "projection": nn.Linear}, "subclass of intdim.projections.Projection"),
        ({"d": 5, "scope": "model"}, "global"),
        ({"d": 50, "method": "said", "groups": "block"}, "layer, module or tensor"),
        ({"d": 5, "exclude": ["nothing.*"]}, "matches no weight"),
        ({"d": 5, "exclude": ["*"]}, "no weight is left"),
    ],
)
def test_refusals(settings, words):
    with pytest.raises(UserError, match=words) as caught:
        Subspace(small(), **settings)
    assert len(str(caught.value).splitlines()) <= 3


def test_weights_of_several_dtypes_are_refused():
    model = small()
    model.pooler.to(torch.float32)
    with pytest.raises(UserError, match="one dtype"):
        Subspace(model, 5)


def test_one_line_says_what_a_subspace_is():
    space = Subspace(small(), 30, "kronecker", "said", "layer", groups="layer", seed=4)
    said = repr(space)
    assert said == (
        f"Subspace(d=30 of D={space.D}, m={space.num_groups} (groups=layer), method=said, projection=kronecker, "
        "scope=layer, seed=4, float64 on cpu)"
    )
    plain = "method=did, projection=fastfood, scope=global, seed=0, float32 on cpu)"
    assert repr(Subspace(small(torch.float32), 30)) == f"Subspace(d=30 of D={space.D}, {plain}"


@pytest.mark.parametrize("groups", [lambda name: name[:4], {"norms": "*.0.*", "rest": "*"}, ["blocks.*", "*"]])
def test_groups_of_ones_own_have_gradients_by_autograd(groups):
    model, again = small(), small()
    theta_0 = Subspace(again, 20).theta_0.clone()
    space = Subspace(model, 40, "one_hot", "said", groups=groups, seed=5)
    assert space.num_groups > 1
    with torch.no_grad():
        space.z.normal_(generator=torch.Generator().manual_seed(2))
        space.scales += 0.3 * torch.randn(space.num_groups, generator=torch.Generator().manual_seed(3)).double()
    _, z_grad, scales_grad = dense_gradients(space, theta_0, small)
    space.write()
    loss_of(model).backward()
    space.read_grad()
    torch.testing.assert_close(space.z.grad, z_grad)
    torch.testing.assert_close(space.scales.grad, scales_grad)


def test_too_many_groups_for_d_are_named():
    with pytest.raises(UserError, match=r"SAID with m=4 groups \(embeddings, blocks\.0, blocks\.1, \.\.\.\)"):
        Subspace(small(), 4, method="said")


def test_a_single_group_is_warned_of(caplog):
    Subspace(torch.nn.Linear(4, 4), 6, method="said")
    assert "all weights are one group (groups=layer): SAID then has a single scale" in caplog.text
    caplog.clear()
    Subspace(small(), 40, method="said")
    assert not caplog.text
