"""Gradients that are reduced tensor by tensor: against the flat gradient and autograd, in any order of arrival."""

from __future__ import annotations

import copy
import gc
import weakref

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from intdim import Subspace
from intdim.errors import UserError
from intdim.projections import tensors
from intdim.spec import PROJECTIONS, SCOPES
from tests.test_subspace import IDS, LABELS, Small, dense_gradients, loss_of, small

BY_ROWS = [name for name in PROJECTIONS if name != "fastfood_padded"]


@pytest.fixture
def by_tensor(monkeypatch):
    monkeypatch.setattr(tensors, "FEWEST_WEIGHTS", 0)
    monkeypatch.setattr(tensors, "LARGEST_SHARE", 1000.0)


def flat(*arguments, **settings) -> Subspace:
    """A subspace with a flat gradient."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tensors, "LARGEST_SHARE", -1.0)
        return Subspace(*arguments, **settings)


def moved(space: Subspace) -> Subspace:
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        space.z.copy_(0.3 * torch.randn(len(space.z), generator=rng, dtype=torch.float64))
        if space.scales is not None:
            space.scales.copy_(1 + 0.2 * torch.randn(len(space.scales), generator=rng, dtype=torch.float64))
    space.write()
    return space


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(("method", "groups"), [("did", "layer"), ("said", "layer"), ("said", ["blocks.*", "*"])])
@pytest.mark.parametrize("projection", BY_ROWS)
def test_gradient_equals_autograd(projection, method, groups, scope, by_tensor):
    model, theta_0 = small(), Subspace(small(), 5).theta_0.clone()
    space = moved(Subspace(model, 40, projection, method, scope, groups, seed=5))
    assert space.gradient is None
    loss_of(model).backward()
    assert all(weight.grad is None for weight in model.parameters()), "reduced and freed"
    space.read_grad()
    _, z_grad, scales_grad = dense_gradients(space, theta_0, small)
    assert (space.z.grad - z_grad).norm() <= 1e-12 * z_grad.norm()
    if method == "said":
        assert (space.scales.grad - scales_grad).norm() <= 1e-12 * scales_grad.norm()
        assert space._image is None, "P z is not kept"


def test_which_subspaces_reduce_tensor_by_tensor(monkeypatch):
    """Those with many weights, sums that are small against them, and products of rows."""
    assert Subspace(small(), 5).gradient is not None, "a small model"
    monkeypatch.setattr(tensors, "FEWEST_WEIGHTS", 200)
    assert Subspace(small(), 4).gradient is None
    assert Subspace(small(), 20).gradient is not None, "12 tensors of 20 numbers: more than a quarter of 221"
    assert Subspace(small(), 4, "fastfood_padded").gradient is not None, "its product needs all rows"


def test_accumulation_clears_and_a_gradient_by_hand(by_tensor):
    one, many = small(), small()
    a, b = flat(one, 20, seed=1), Subspace(many, 20, seed=1)
    a.write()
    b.write()
    for row in range(len(IDS)):
        for model in (one, many):
            (nn.functional.cross_entropy(model(IDS[row : row + 1]), LABELS[row : row + 1]) / len(IDS)).backward()
    a.read_grad()
    b.read_grad()
    torch.testing.assert_close(a.z.grad, b.z.grad, rtol=0, atol=1e-14)
    before = b.z.grad.clone()
    b.read_grad()
    assert torch.equal(b.z.grad, before), "read gradients are cleared"

    b.z.grad = None
    many.pooler.weight.grad = torch.ones(6, 6, dtype=torch.float64)
    b.read_grad()
    row = torch.zeros(b.D, dtype=torch.float64)
    row[next(entry.place for entry in b.table.entries if entry.name == "pooler.weight")] = 1
    torch.testing.assert_close(b.z.grad, b.projection.rmatvec(row))


@pytest.mark.parametrize("said", [False, True])
def test_the_order_of_arrival_does_not_matter(said, by_tensor):
    method = "said" if said else "did"
    model, found = small(torch.float32), []
    gradients = torch.autograd.grad(loss_of(model), [w for w in model.parameters() if w is not model.unused])
    for turn in range(5):
        again = small(torch.float32)
        space = Subspace(again, 40, "fastfood", method, seed=1)
        space.write()
        weights = [weight for weight in again.parameters() if weight is not again.unused]
        order = torch.randperm(len(weights), generator=torch.Generator().manual_seed(turn)).tolist()
        for index in order:
            (weights[index] * gradients[index]).sum().backward()
        space.read_grad()
        found.append([weight.grad for weight in space.parameters()])
    for other in found[1:]:
        assert all(torch.equal(*pair) for pair in zip(found[0], other, strict=True))


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing(reentrant, by_tensor):
    class Saving(Small):
        def forward(self, ids):
            x = self.embed(ids).mean(1)
            for block in self.blocks:
                x = x + checkpoint(lambda x, block=block: torch.tanh(block(x)), x, use_reentrant=reentrant)
            return self.out(torch.tanh(self.pooler(x)))

    model, saving = small(), small()
    saving.__class__ = Saving
    a, b = moved(Subspace(model, 20, seed=1)), moved(Subspace(saving, 20, seed=1))
    loss_of(model).backward()
    loss_of(saving).backward()
    a.read_grad()
    b.read_grad()
    torch.testing.assert_close(a.z.grad, b.z.grad, rtol=1e-12, atol=0)


def test_a_block_used_twice_under_reentrant_checkpointing(by_tensor):
    """Its weights then get their gradients in two parts."""
    gradients = []
    for save in (False, True):
        model = small()
        space, block = moved(Subspace(model, 20, seed=1)), model.blocks[0]
        x = model.embed(IDS).mean(1)
        for _ in range(2):
            x = x + (checkpoint(block, x, use_reentrant=True) if save else block(x))
        nn.functional.cross_entropy(model.out(x), LABELS).backward()
        space.read_grad()
        gradients.append(space.z.grad)
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=0)


def test_sparse_gradients_of_an_embedding(by_tensor):
    gradients = []
    for sparse in (False, True):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = nn.Sequential(nn.Embedding(11, 6, sparse=sparse), nn.Linear(6, 3))
        space = Subspace(model, 7, "one_hot")
        model(IDS).square().sum().backward()
        space.read_grad()
        gradients.append(space.z.grad)
    torch.testing.assert_close(*gradients)


def test_a_second_subspace_takes_the_hooks_over(by_tensor):
    model, other = small(), small()
    first = Subspace(model, 10, "orthogonal", seed=1)
    second = Subspace(model, 10, "orthogonal", seed=2)
    expected = Subspace(other, 10, "orthogonal", seed=2)
    loss_of(model).backward()
    loss_of(other).backward()
    second.read_grad()
    expected.read_grad()
    assert torch.equal(second.z.grad, expected.z.grad)
    with pytest.raises(UserError, match="has left the subspace"):
        first.read_grad()


def test_nothing_is_kept_alive_and_hooks_go_with_the_subspace(by_tensor):
    model = small()
    space = Subspace(model, 10)
    twin, reference = copy.deepcopy(model), weakref.ref(space)
    loss_of(twin).backward()
    assert twin.pooler.weight.grad is not None, "a deep copy is on its own"
    space.read_grad()
    assert not space.z.grad.any()
    del space
    gc.collect()
    assert reference() is None
    loss_of(model).backward()
    assert model.pooler.weight.grad is not None
    assert not model.pooler.weight._post_accumulate_grad_hooks


def test_a_model_converted_afterwards_is_refused(by_tensor):
    model = small()
    space = Subspace(model, 5)
    model.to(torch.float32)
    loss_of(model).backward()
    assert model.pooler.weight.grad is not None
    with pytest.raises(UserError, match="moved or converted"):
        space.read_grad()


def test_training_with_clipping_is_that_with_a_flat_gradient(by_tensor):
    trained = []
    for make in (flat, Subspace):
        model = small()
        space = make(model, 30, "kronecker", "said", groups="layer", seed=4)
        optimiser = torch.optim.AdamW(space.parameters(), lr=0.2 / 30**0.5, weight_decay=0.0)
        for _ in range(20):
            space.write()
            loss_of(model).backward()
            space.read_grad()
            nn.utils.clip_grad_norm_(space.parameters(), 0.1)
            optimiser.step()
            optimiser.zero_grad()
        trained.append(torch.cat([weight.detach() for weight in space.parameters()]))
    torch.testing.assert_close(*trained, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bytes_of_the_weights_between_steps(dtype, by_tensor):
    """8 bytes a weight in float32, 4 in bf16; the flat gradient has 4 (2) more, and SAID with it as many again."""
    size = 4 if dtype == torch.float32 else 2
    for method, make, share in (("did", Subspace, 2), ("said", Subspace, 2), ("did", flat, 3)):
        model = nn.Sequential(*[nn.Linear(200, 200) for _ in range(5)])
        space = make(model, 10, "one_hot", method, dtype=dtype, base_dtype=dtype)
        space.write()
        model(torch.ones(2, 200, dtype=dtype)).sum().backward()
        space.read_grad()
        kept = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in held(space)}
        assert share * size * space.D <= sum(kept.values()) <= share * size * space.D + 2000


def held(space: Subspace) -> list[torch.Tensor]:
    """All tensors that a subspace and its weights keep."""
    found = [weight.grad for weight in space._weights if weight.grad is not None] + [w.data for w in space._weights]
    found += [value for value in vars(space).values() if isinstance(value, torch.Tensor)]
    return found + ([space._sums.sums] if space._sums is not None else [])
