"""Every architecture of conf/model from a tiny random configuration: loading, heads, padding, refusals, subspaces."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from intdim import Subspace
from intdim.errors import UserError
from intdim.models import head_names, load_model, load_tokenizer
from intdim.parameters import ParameterTable
from tests import tiny


def load(folder, **changes):
    settings = {
        "classes": 3,
        "overrides": {},
        "random_init": False,
        "trust_remote_code": False,
        "gradient_checkpointing": False,
        "seed_world": torch.manual_seed,
        "init_seed": 0,
        "head_seed": 1,
        "pad_token_id": tiny.PAD,
    }
    return load_model(folder, **(settings | changes))


def batch(length=9, pad=0, left=False):
    ids = torch.randint(3, tiny.VOCABULARY, (4, length), generator=torch.Generator().manual_seed(0))
    ids[:, -1] = 2  # the end token that BART's and T5's heads look for
    parts = [ids, torch.full((4, pad), tiny.PAD)]
    ids = torch.cat(parts[::-1] if left else parts, dim=1)
    return {"input_ids": ids, "attention_mask": (ids != tiny.PAD).long()}


@pytest.fixture(params=sorted(tiny.ARCHITECTURES))
def folder(request, tmp_path):
    return tiny.save(request.param, tmp_path / request.param)


def test_body_from_the_checkpoint_head_from_the_seed(folder):
    first, same, other = load(folder), load(folder), load(folder, head_seed=2)
    heads = set(head_names(first))
    assert heads
    weights = dict(first.named_parameters())
    for name, weight in same.named_parameters():
        assert torch.equal(weight, weights[name]), name
        assert weight.dtype == torch.float32
    matrices = [name for name in heads if weights[name].ndim > 1]
    for name, weight in other.named_parameters():
        if name in matrices:
            assert not torch.equal(weight, weights[name]), name
        elif name not in heads and "pooler" not in name:
            assert torch.equal(weight, weights[name]), name
    assert first(**batch()).logits.shape == (4, 3)
    stored = load_file(folder / "model.safetensors")
    values = {float(value.double().sum()) for value in stored.values()}
    body = [name for name in weights if name not in heads and "pooler" not in name]
    taken = sum(float(weights[name].detach().double().sum()) in values for name in body)
    assert taken == len(body), "every weight of the body is one of the checkpoint"


def test_padding_changes_nothing(folder):
    model = load(folder).eval()
    with torch.no_grad():
        left = folder.name == "xlnet"  # its tokenizer pads on the left: its head reads the last token
        plain, padded = model(**batch()).logits, model(**batch(pad=5, left=left)).logits
    assert torch.allclose(plain, padded, atol=2e-5)


def test_ties_count_once_and_a_subspace_learns(folder):
    model = load(folder).eval()
    table = ParameterTable.of(model)
    unique = {weight.data_ptr(): weight.numel() for weight in model.parameters()}
    assert sum(unique.values()) == table.D
    for kind in ("layer", "module", "tensor"):
        assert sum(group.numel for group in table.groups(kind)) == table.D
    assert len(table.groups("layer")) >= 3
    inputs, labels = batch(), torch.tensor([0, 1, 2, 0])
    before = model(**inputs).logits.detach()
    space = Subspace(model, d=60, projection="one_hot", method="said", groups="layer", seed=3)
    space.write()
    assert torch.equal(model(**inputs).logits, before), "z = 0 is theta_0"
    optimiser = torch.optim.Adam(space.parameters(), lr=0.3 / 60**0.5)
    losses = []
    for _ in range(25):
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits, labels)
        loss.backward()
        space.read_grad()
        optimiser.step()
        optimiser.zero_grad()
        space.write()
        losses.append(loss.item())
    assert min(losses[-3:]) < losses[0] - 1e-3


def test_random_weights_depend_on_the_seed_alone(folder):
    one, same, other = (load(folder, random_init=True, init_seed=seed) for seed in (0, 0, 1))
    pairs = list(zip(one.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)


def test_a_missing_body_weight_is_refused(folder):
    file = folder / "model.safetensors"
    weights = load_file(file)
    body = {name.rpartition(".")[0] for name, _ in load(folder).base_model.named_parameters()}
    norms = [path + ".weight" for path in body if "norm" in path.lower() or "ln_" in path]
    gone = next(name for name in sorted(weights) if any(name.endswith(norm) for norm in norms))
    del weights[gone]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match="lacks"):
        load(folder)


class TestOneArchitecture:
    """What does not depend on the architecture."""

    @pytest.fixture
    def folder(self, tmp_path):
        return tiny.save("bert", tmp_path / "bert", torch.float16)

    def test_float16_is_loaded_as_float32(self, folder):
        assert {weight.dtype for weight in load(folder).parameters()} == {torch.float32}

    def test_fewer_layers_by_an_override(self, folder):
        assert len(load(folder, overrides={"num_hidden_layers": 1}).bert.encoder.layer) == 1

    def test_an_override_that_changes_a_shape_is_refused(self, folder):
        with pytest.raises(UserError, match="another shape"):
            load(folder, overrides={"intermediate_size": 16})

    def test_an_unknown_override_is_refused_with_a_suggestion(self, folder):
        with pytest.raises(UserError, match="num_hidden_layers"):
            load(folder, overrides={"num_hiden_layers": 1})

    def test_damaged_weights_are_refused(self, folder):
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with pytest.raises(UserError):
            load(folder)

    def test_no_weights_are_refused(self, folder):
        (folder / "model.safetensors").unlink()
        with pytest.raises(UserError, match="cannot be loaded"):
            load(folder)

    def test_a_damaged_configuration_is_refused(self, folder):
        (folder / "config.json").write_text(json.dumps({"model_type": "no-such-architecture"}))
        with pytest.raises(UserError, match="configuration"):
            load(folder)

    def test_no_tokenizer_is_refused(self, folder):
        with pytest.raises(UserError, match="tokenizer"):
            load_tokenizer(folder)

    def test_regression_has_one_output(self, folder):
        assert load(folder, classes=0)(**batch()).logits.shape == (4, 1)

    def test_gradient_checkpointing_changes_no_gradient(self, folder):
        gradients = []
        for checkpointing in (False, True):
            model = load(folder, gradient_checkpointing=checkpointing).train()
            for module in model.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
            space = Subspace(model, d=40, projection="orthogonal", seed=1)
            space.write()
            torch.nn.functional.cross_entropy(model(**batch()).logits, torch.tensor([0, 1, 2, 0])).backward()
            space.read_grad()
            gradients.append(space.z.grad)
        assert torch.allclose(*gradients, atol=1e-6)
