"""Every architecture of conf/model from a tiny random configuration: loading, heads, padding, refusals, subspaces."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from intdim import Subspace
from intdim.errors import UserError
from intdim.models.files import load_tokenizer
from intdim.models.load import Head, head_names, load_model
from intdim.parameters import ParameterTable
from tests import tiny


def load(folder, **changes):
    settings = {
        "head": Head(3, "single_label_classification"),
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


def change(folder, function):
    """Save what the function makes of every weight of a checkpoint; None leaves it out."""
    file = folder / "model.safetensors"
    made = {name: function(name, weight) for name, weight in load_file(file).items()}
    kept = {name: weight for name, weight in made.items() if weight is not None}
    save_file(kept, file, metadata={"format": "pt"})


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


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
    layers = [group.name for group in table.groups("layer")]
    assert (layers[0], layers[-1]) == ("embeddings", "head")
    blocks = sum(
        getattr(model.config, key, 0) or 0 for key in ("num_hidden_layers", "decoder_layers", "num_decoder_layers")
    )
    assert len(layers) == 2 + (1 if folder.name == "albert" else blocks), "ALBERT's one block is shared"
    heads = set(head_names(model))
    assert heads <= {entry.name for entry in table.entries if entry.layer == "head"}
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


PUBLISHED = {  # how the weights on the hub are named, where that is not how transformers would save them today
    "bert": lambda name: re.sub(
        "LayerNorm.bias$", "LayerNorm.beta", re.sub("LayerNorm.weight$", "LayerNorm.gamma", name)
    ),
    "gpt2": lambda name: name.removeprefix("transformer."),
    "electra": lambda name: re.sub("LayerNorm.bias$", "LayerNorm.beta", name),
    "roberta": lambda name: name.removeprefix("roberta."),
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_older_names_of_weights_are_understood(name, tmp_path):
    folder = tiny.save(name, tmp_path)
    expected = load(folder)
    weights = {PUBLISHED[name](old): weight for old, weight in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert same_weights(load(folder), expected)


def test_every_architecture_of_the_models_on_offer_is_here():
    words = {
        "xlm-roberta",
        "roberta",
        "bert",
        "bart",
        "electra",
        "albert",
        "xlnet",
        "t5",
        "modernbert",
        "deberta",
        "gpt2",
    }
    offered = {path.stem for path in Path("conf/model").glob("[!_]*.yaml")}
    assert all(any(word in name for name in offered) for word in words)
    assert all(any(word in name for name in tiny.ARCHITECTURES) for word in words)


class TestTokenizer:
    """Padding, and folders without a tokenizer."""

    def test_the_padding_token_stands_in_without_a_new_weight(self, tmp_path):
        cases = [({"pad_token": "<pad>"}, 1), ({"eos_token": "</s>"}, 2), ({"unk_token": "<unk>"}, 3), ({}, 0)]
        for number, (settings, pad) in enumerate(cases):
            tokenizer = load_tokenizer(tiny.save_tokenizer(tmp_path / str(number), **settings))
            assert tokenizer.pad_token_id == pad
            assert len(tokenizer) == tiny.VOCABULARY

    @pytest.mark.parametrize(("name", "side"), [("gpt2", "right"), ("llama", "right"), ("xlnet", "left")])
    def test_padding_is_on_the_side_that_the_head_can_bear(self, name, side, tmp_path):
        folder = tiny.save_tokenizer(tiny.save(name, tmp_path), pad_token="<pad>", padding_side="left")
        tokenizer, model = load_tokenizer(folder), load(folder).eval()
        assert tokenizer.padding_side == side
        texts = ["w4 w5 w6 w7 w8 w9 w10", "w11 w12"]
        both = tokenizer(texts, padding=True, return_tensors="pt")
        alone = tokenizer(texts[1:], return_tensors="pt")
        with torch.no_grad():
            logits = [
                model(part["input_ids"], attention_mask=part["attention_mask"]).logits[-1] for part in (both, alone)
            ]
        assert torch.allclose(*logits, atol=1e-6)

    @pytest.mark.parametrize("content", ["", "{", "[]"])
    def test_a_damaged_tokenizer_is_refused(self, content, tmp_path):
        folder = tiny.save_tokenizer(tiny.save("bert", tmp_path), pad_token="<pad>")
        (folder / "tokenizer.json").write_text(content)
        with pytest.raises(UserError, match="tokenizer"):
            load_tokenizer(folder)

    @pytest.mark.parametrize("longest", ["many", float("nan"), 0, -1, True])
    def test_a_length_that_is_none_is_refused(self, longest, tmp_path):
        folder = tiny.save_tokenizer(tiny.save("bert", tmp_path), pad_token="<pad>")
        file = folder / "tokenizer_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": longest}))
        with pytest.raises(UserError, match="model_max_length="):
            load_tokenizer(folder)


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
        with pytest.raises(UserError, match="holds no weights"):
            load(folder)
        assert load(folder, random_init=True), "random weights need none"

    def test_a_missing_shard_is_refused(self, folder):
        weights = sorted(load_file(folder / "model.safetensors"))
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        shards = {name: f"model-0000{1 + (name == weights[0])}-of-00002.safetensors" for name in weights}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
        with pytest.raises(UserError, match="model-00002-of-00002"):
            load(folder)

    @pytest.mark.parametrize(
        "content", [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\n", b"\0" * 99]
    )
    @pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
    def test_a_file_that_holds_no_weights_is_refused(self, folder, name, content):
        (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(content)
        with pytest.raises(UserError, match="are damaged") as caught:
            load(folder)
        assert len(caught.value.parts) <= 3

    def test_weights_of_torchs_own_format_are_read(self, folder):
        expected = load(folder)
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
        assert same_weights(load(folder), expected)

    def test_weights_that_are_not_finite_are_refused(self, folder):
        change(folder, lambda name, weight: weight * float("nan") if name.endswith("1.output.dense.bias") else weight)
        with pytest.raises(UserError, match=r"NaN or infinity: bert\.encoder\.layer\.1\.output\.dense\.bias"):
            load(folder)

    def test_a_pooler_that_is_missing_is_drawn_with_the_head_and_said(self, folder, caplog):
        change(folder, lambda name, weight: None if name == "pooler.dense.weight" else weight + 1)
        first, same, other = load(folder), load(folder), load(folder, head_seed=2)
        assert "pooler" in caplog.text
        assert same_weights(first, same)
        assert not torch.equal(first.bert.pooler.dense.weight, other.bert.pooler.dense.weight)
        assert not first.bert.pooler.dense.bias.any(), "the whole pooler is drawn, not half of it"
        assert abs(first.bert.pooler.dense.weight.std() - first.config.initializer_range) < 0.01

    def test_a_checkpoints_own_head_is_never_taken(self, folder):
        model = load(folder)
        model.save_pretrained(folder)
        assert not same_weights(load(folder, head_seed=5), model)
        assert same_weights(load(folder), model)
        load(folder, head=Head(7, "single_label_classification"))

    def test_a_model_whose_head_cannot_be_told_is_refused(self, folder, monkeypatch):
        monkeypatch.setattr(transformers.BertForSequenceClassification, "base_model_prefix", "")
        with pytest.raises(UserError, match="cannot be told from its body"):
            load(folder, random_init=True)

    def test_nothing_is_printed(self, folder, capfd):
        records = []
        handler = logging.Handler()
        handler.emit = records.append
        logging.getLogger("transformers").addHandler(handler)
        capfd.readouterr()
        try:
            load(folder, overrides={"num_hidden_layers": 1})
        finally:
            logging.getLogger("transformers").removeHandler(handler)
        assert capfd.readouterr() == ("", "")
        assert records == [], "no report of dropped layers or new heads: what matters is an error here"

    @pytest.mark.parametrize("overrides", [{"hidden_size": 7}, {"hidden_dropout_prob": 5.0}, {"hidden_act": "nope"}])
    @pytest.mark.parametrize("random_init", [False, True])
    def test_an_option_out_of_range_is_refused(self, folder, overrides, random_init):
        with pytest.raises(UserError, match=r"model\.overrides") as caught:
            load(folder, overrides=overrides, random_init=random_init)
        assert len(caught.value.parts) <= 3

    @pytest.mark.parametrize(
        ("overrides", "words"),
        [
            ({"num_hidden_layers": "two"}, "num_hidden_layers=two does not fit"),
            ({"num_hidden_layers": 0}, "0 layers"),
            ({"num_hidden_layers": 3}, "lacks 16 of the body"),
            ({"to_dict": 3}, "no option of BertConfig"),
            ({"num_labels": 7}, "the task or the loader decides num_labels"),
            ({"dtype": "float16"}, "the task or the loader decides dtype"),
        ],
    )
    def test_an_override_that_makes_no_sense_is_refused(self, folder, overrides, words):
        with pytest.raises(UserError, match=words):
            load(folder, overrides=overrides)

    def test_an_override_acts(self, folder):
        model = load(folder, overrides={"hidden_dropout_prob": 0.25, "num_hidden_layers": 3}, random_init=True)
        assert model.dropout.p == 0.25
        assert len(model.bert.encoder.layer) == 3

    @pytest.mark.parametrize("content", ['{"model_type": "no-such-architecture"}', '{"model_type": ', "[1]", "{}"])
    def test_a_damaged_configuration_is_refused(self, folder, content):
        (folder / "config.json").write_text(content)
        with pytest.raises(UserError, match="configuration"):
            load(folder)

    @pytest.mark.parametrize("random_init", [False, True])
    def test_an_architecture_without_a_classifier_is_refused(self, tmp_path, random_init):
        size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
        config = transformers.ViTConfig(**size, image_size=8, patch_size=4)
        transformers.ViTModel(config).save_pretrained(tmp_path / "vit")
        with pytest.raises(UserError, match="sequence classification head"):
            load(tmp_path / "vit", random_init=random_init)

    def test_no_tokenizer_is_refused(self, folder):
        with pytest.raises(UserError, match="tokenizer"):
            load_tokenizer(folder)

    def test_regression_has_one_output(self, folder):
        assert load(folder, head=Head(1, "regression"))(**batch()).logits.shape == (4, 1)

    def test_gradient_checkpointing_changes_no_gradient(self, folder):
        gradients, calls = [], []
        for checkpointing in (False, True):
            model = load(folder, gradient_checkpointing=checkpointing).train()
            for module in model.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
            model.bert.encoder.layer[0].output.dense.register_forward_hook(lambda *_: calls.append(1))
            space = Subspace(model, d=40, projection="orthogonal", seed=1)
            space.write()
            torch.nn.functional.cross_entropy(model(**batch()).logits, torch.tensor([0, 1, 2, 0])).backward()
            space.read_grad()
            gradients.append(space.z.grad)
        assert torch.allclose(*gradients, atol=1e-6)
        assert len(calls) == 1 + 2, "with checkpointing a block is computed again in the backward pass"
