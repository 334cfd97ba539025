"""Which weights are inside: ties, exclusion, order, layers, groups."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from intdim.errors import UserError
from intdim.parameters import ParameterTable, layer_names


class Classifier(nn.Module):
    """Names its classifier before its body, as some published models do; ties its two embeddings."""

    def __init__(self):
        super().__init__()
        self.classifier = nn.Linear(6, 3)
        self.temperature = nn.Parameter(torch.ones(1))
        self.embed = nn.Embedding(11, 6)
        self.blocks = nn.ModuleList([nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6)) for _ in range(2)])
        self.norm = nn.LayerNorm(6)
        self.late_position = nn.Parameter(torch.zeros(4, 6))
        self.decoder_embed = nn.Embedding(11, 6)
        self.decoder_embed.weight = self.embed.weight


@pytest.fixture
def model():
    return Classifier()


def names(table):
    return [entry.name for entry in table.entries]


def test_every_weight_once_and_contiguous(model):
    table = ParameterTable.of(model)
    assert sorted(names(table)) == sorted(name for name, _ in model.named_parameters())
    assert sum(weight.numel() for weight in model.parameters()) == table.D
    assert "decoder_embed.weight" not in names(table), "a tied weight is known by its first name"
    assert [entry.offset for entry in table.entries] == [
        sum(entry.numel for entry in table.entries[:number]) for number in range(len(table.entries))
    ]
    assert all(entry.place == slice(entry.offset, entry.offset + entry.shape.numel()) for entry in table.entries)


@pytest.mark.parametrize("kind", ["layer", "module", "tensor"])
def test_groups_cover_without_overlap(model, kind):
    table = ParameterTable.of(model)
    slices = sorted(place for group in table.groups(kind) for place in group.slices)
    assert slices[0][0] == 0
    assert slices[-1][1] == table.D
    assert all(left[1] == right[0] for left, right in pairwise(slices))
    assert sum(group.numel for group in table.groups(kind)) == table.D


def test_layers_are_contiguous_and_in_order(model):
    layers = ParameterTable.of(model).groups("layer")
    assert [group.name for group in layers] == ["embeddings", "blocks.0", "blocks.1", "head"]
    assert all(len(group.slices) == 1 for group in layers)
    sizes = {group.name: group.numel for group in layers}
    assert sizes["embeddings"] == 11 * 6 + 4 * 6 + 1, "embeddings, late positions, what comes before the blocks"
    assert sizes["head"] == 6 * 3 + 3 + 6 + 6, "classifier (though it comes first) and final norm"


def test_module_and_tensor_groups(model):
    table = ParameterTable.of(model)
    modules = {group.name: group.numel for group in table.groups("module")}
    assert modules["blocks.0.0"] == 12
    assert modules["blocks.0.1"] == 42
    assert modules["(root)"] == 1 + 24
    assert [group.name for group in table.groups("tensor")] == names(table)
    assert [group.numel for group in table.groups("tensor")] == [entry.numel for entry in table.entries]
    with pytest.raises(UserError, match="layer, module or tensor"):
        table.groups("block")


def test_frozen_excluded_and_whole_numbers_are_outside(model):
    model.norm.weight.requires_grad_(False)
    model.register_parameter("steps", nn.Parameter(torch.zeros(3, dtype=torch.int64), requires_grad=False))
    model.register_parameter("phase", nn.Parameter(torch.zeros(3, dtype=torch.complex64)))
    table = ParameterTable.of(model, exclude=["blocks.*.1.*", "classifier.bias"])
    assert not {"norm.weight", "steps", "phase", "classifier.bias", "blocks.0.1.weight", "blocks.1.1.bias"} & set(
        names(table)
    )
    assert "norm.bias" in names(table)
    assert "blocks.1.0.weight" in names(table)
    assert model.classifier.bias.requires_grad, "the table changes nothing"


def test_a_pattern_that_matches_nothing_is_refused(model):
    with pytest.raises(UserError, match="matches no weight") as caught:
        ParameterTable.of(model, exclude=["blocks.*", "pooler.*"])
    assert "'pooler.*'" in str(caught.value)


def test_nothing_left_is_refused(model):
    with pytest.raises(UserError, match="no weight is left"):
        ParameterTable.of(model, exclude=["*"])
    with pytest.raises(UserError, match="no weight is left"):
        ParameterTable.of(model.requires_grad_(False))


def test_a_tie_by_memory_alone_is_refused(model):
    model.norm.weight.data = model.blocks[0][0].weight.data
    with pytest.raises(UserError, match="share memory"):
        ParameterTable.of(model)


@pytest.mark.parametrize(
    ("given_names", "layers"),
    [
        (
            [
                "bert.embeddings.word_embeddings.weight",
                "bert.encoder.layer.0.output.dense.weight",
                "bert.encoder.layer.11.output.dense.weight",
                "bert.pooler.dense.weight",
                "classifier.bias",
            ],
            ["embeddings", "bert.encoder.layer.0", "bert.encoder.layer.11", "head", "head"],
        ),
        (
            ["model.embed_tokens.weight", "model.layers.0.mlp.weight", "model.norm.weight", "score.weight"],
            ["embeddings", "model.layers.0", "head", "head"],
        ),
        (
            ["classifier.dense.weight", "roberta.embeddings.word_embeddings.weight", "roberta.encoder.layer.0.x"],
            ["head", "embeddings", "roberta.encoder.layer.0"],
        ),
        (
            ["shared.weight", "encoder.block.0.x", "encoder.final.weight", "decoder.block.0.x", "embed_positions.w"],
            ["embeddings", "encoder.block.0", "head", "decoder.block.0", "embeddings"],
        ),
        (
            [
                "transformer.wte.weight",
                "transformer.wpe.weight",
                "transformer.h.0.ln_1.weight",
                "transformer.ln_f.bias",
            ],
            ["embeddings", "embeddings", "transformer.h.0", "head"],
        ),
        (["stem.weight", "stages.0.weight", "lm_head.weight"], ["embeddings", "stages.0", "head"]),
        (["0.weight", "0.bias", "2.weight"], ["0", "0", "2"]),
        (["inner.weight", "outer.weight"], ["head", "head"]),
    ],
)
def test_layer_names(given_names, layers):
    assert layer_names(given_names) == layers


WORDS = st.sampled_from(["embed", "head", "blocks.0", "blocks.1", "norm", "classifier", "h.3.attn", "wte"])


@given(st.lists(st.tuples(WORDS, st.integers(1, 5)), min_size=1, max_size=12))
def test_any_order_of_names_gives_contiguous_layers(parts):
    model = nn.Module()
    for number, (word, size) in enumerate(parts):
        holder = model
        for step in [*word.split("."), f"x{number}"]:
            if step not in dict(holder.named_children()):
                holder.add_module(step, nn.Module())
            holder = holder.get_submodule(step)
        holder.register_parameter("weight", nn.Parameter(torch.zeros(size)))
    table = ParameterTable.of(model)
    layers = table.groups("layer")
    assert all(len(group.slices) == 1 for group in layers)
    assert sum(group.numel for group in layers) == table.D == sum(size for _, size in parts)
    original = [name for name, _ in model.named_parameters()]
    expected = dict(zip(original, layer_names(original), strict=True))
    assert {entry.name: entry.layer for entry in table.entries} == expected


class TestGroupsOfOnesOwn:
    """A function of the name, or patterns: what a user's module calls its parts."""

    def test_a_function_of_the_name(self, model):
        table = ParameterTable.of(model)
        made = table.groups(lambda name: "biases" if name.endswith("bias") else "others")
        assert {group.name for group in made} == {"biases", "others"}
        assert sum(group.numel for group in made) == table.D
        biases = next(group for group in made if group.name == "biases")
        assert biases.numel == sum(entry.numel for entry in table.entries if entry.name.endswith("bias"))
        slices = sorted(place for group in made for place in group.slices)
        assert [start for start, _ in slices] == [0, *(stop for _, stop in slices[:-1])]

    def test_patterns_in_a_table_or_a_list_the_first_that_matches_counts(self, model):
        table = ParameterTable.of(model)
        by_table = table.groups({"biases": ["*.bias", "bias"], "others": "*"})
        assert [group.slices for group in table.groups(["*bias", "*"])] == [group.slices for group in by_table]
        assert {group.name for group in by_table} == {"biases", "others"}

    def test_a_kind_written_as_a_function_is_the_kind(self, model):
        table = ParameterTable.of(model)
        layers = {entry.name: entry.layer for entry in table.entries}
        assert table.groups(layers.get) == table.groups("layer")

    @pytest.mark.parametrize(
        ("by", "words"),
        [
            (["*.bias"], "no pattern of groups= matches"),
            ({"a": "*", "b": "*.bias"}, "group 'b' of groups= has no weights"),
            ({"a": ["*"], "b": []}, None),
            (lambda name: 3, "groups= gives 3 for"),
            (7, "unknown subspace.groups=7"),
            ("blok", "unknown subspace.groups='blok'"),
        ],
    )
    def test_what_makes_no_groups_is_refused(self, model, by, words):
        table = ParameterTable.of(model)
        if words is None:
            assert len(table.groups(by)) == 1
            return
        with pytest.raises(UserError, match=words) as caught:
            table.groups(by)
        assert len(caught.value.parts) == 3
