"""What a checkpoint holds beside the body: adapters, quantised weights, strangers, heads of other tasks."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from intdim.errors import UserError
from intdim.models.locate import check_folder
from tests import tiny
from tests.models.test_load import change, load, same_weights


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def put(folder: Path, made: dict[str, torch.Tensor]) -> None:
    save_file(made, folder / "model.safetensors", metadata={"format": "pt"})


def add(folder: Path, **tensors: torch.Tensor) -> None:
    put(folder, weights(folder) | {name.replace("__", "."): tensor for name, tensor in tensors.items()})


def refused(folder: Path, words: str, **changes) -> None:
    with pytest.raises(UserError, match=words) as caught:
        load(folder, **changes)
    assert len(caught.value.parts) == 3


@pytest.fixture(params=sorted(tiny.ARCHITECTURES))
def each(request, tmp_path) -> Path:
    return tiny.save(request.param, tmp_path / request.param)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tiny.save("bert", tmp_path / "bert")


def first_matrix(folder: Path) -> str:
    return next(name for name in sorted(weights(folder)) if name.endswith("weight") and any(map(str.isdigit, name)))


# -- adapters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["lora_A.default.weight", "lora_B.weight", "ia3_l.default", "adapters.x.weight"])
def test_adapter_tensors_inside_any_checkpoint_are_refused(each, ending):
    module = first_matrix(each).removesuffix(".weight")
    put(each, weights(each) | {f"{module}.{ending}": torch.zeros(2, 2)})
    refused(each, rf"1 tensors of an adapter: .*{ending}\n.*\nMerge the adapter first")


@pytest.mark.parametrize("prefix", ["", "base_model.model."])
def test_a_model_saved_with_its_adapter_unmerged_is_refused(folder, prefix):
    def rename(name: str) -> str:
        return prefix + (name.replace("query.weight", "query.base_layer.weight") if "query" in name else name)

    put(folder, {rename(name): tensor for name, tensor in weights(folder).items()})
    refused(folder, "of an adapter")


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter_beside_the_weights_is_refused(folder, name):
    (folder / name).write_text("{}")
    refused(folder, rf"holds an adapter \({name}\)")
    assert load(folder, random_init=True), "random weights leave nothing out"


def test_a_folder_with_an_adapter_alone_is_told_so(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="holds an adapter"):
        check_folder(tmp_path)


# -- quantised weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [{"quant_method": "bitsandbytes", "load_in_4bit": True}, {"quant_method": "gptq"}])
def test_a_configuration_that_says_quantised_is_refused(folder, method):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": method}))
    refused(folder, rf"quantised: .*quantization_config \({method['quant_method']}\)")


@pytest.mark.parametrize("ending", ["qweight", "weight.absmax", "SCB", "weight_scale", "g_idx"])
def test_tensors_of_quantised_weights_are_refused(folder, ending):
    module = "encoder.layer.0.output.dense"
    put(folder, weights(folder) | {f"{module}.{ending}": torch.zeros(2)})
    refused(folder, rf"are quantised: they hold {module}\.{ending}")


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_weights_in_integers_are_refused(folder, dtype):
    change(folder, lambda name, weight: weight.to(dtype) if name.endswith("dense.weight") else weight)
    refused(folder, r"stores .*dense\.weight as (I8|U8|F8_E4M3): its weights are quantised")


# -- strangers, twins, heads -----------------------------------------------------------------------------------------


def test_a_tensor_of_the_body_without_a_place_is_refused(each):
    module = first_matrix(each).removesuffix(".weight")
    put(each, weights(each) | {f"{module}.gate.weight": torch.ones(2)})
    refused(each, rf"holds 1 weights of the body for which the model has no place: .*{module}\.gate\.weight")


def test_a_configuration_with_fewer_layers_than_the_weights_is_refused_unless_overridden(each, caplog):
    kind = transformers.AutoConfig.from_pretrained(each)
    key = next(name for name in ("num_hidden_layers", "num_layers") if hasattr(kind, name))
    if each.name in ("albert", "bart", "t5"):
        pytest.skip("layers are shared, or counted on two sides")
    with caplog.at_level(logging.INFO, logger="intdim"):
        assert load(each, overrides={key: 1}), "the user's own override drops them"
    assert "not read, because model.overrides leaves them out" in caplog.text
    kind.num_hidden_layers = 1
    for name in ("layer_types", "attn_layers"):
        if isinstance(getattr(kind, name, None), list):
            setattr(kind, name, getattr(kind, name)[:1])
    kind.save_pretrained(each)
    refused(each, "weights of the body for which the model has no place")


def test_a_weight_under_two_names_is_refused(folder):
    name = "encoder.layer.0.output.dense.weight"
    add(folder, **{f"bert.{name}": weights(folder)[name] + 1})
    refused(folder, rf"bert\.{name} and {name}|{name} and bert\.{name}")
    put(folder, {key: tensor for key, tensor in weights(folder).items() if not key.startswith("bert.")})
    add(folder, **{"embeddings.LayerNorm.gamma": torch.ones(8)})
    refused(folder, "the same weight under two names")


def test_constants_of_older_versions_and_poolers_are_expected(tmp_path, caplog):
    folder = tiny.save("roberta", tmp_path / "r")
    expected = load(folder)
    add(
        folder,
        **{
            "roberta.embeddings.position_ids": torch.arange(9),
            "roberta.pooler.dense.weight": torch.ones(8, 8),
            "roberta.pooler.dense.bias": torch.ones(8),
        },
    )
    with caplog.at_level(logging.INFO, logger="intdim"):
        assert same_weights(load(folder), expected)
    assert "not taken from" in caplog.text
    assert "lm_head, pooler" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_is_no_known_head_is_warned_of(folder, caplog):
    add(folder, whatever__weight=torch.ones(2))
    load(folder)
    assert "of no part of the model and no head known here: whatever" in caplog.text


# -- files -----------------------------------------------------------------------------------------------------------


def shard(folder: Path, numbers: int = 2) -> dict[str, str]:
    """Cut a checkpoint into shards; return the index's map."""
    made = weights(folder)
    places = {name: 1 + number % numbers for number, name in enumerate(sorted(made))}
    for place in range(1, numbers + 1):
        save_file(
            {name: made[name] for name in made if places[name] == place},
            folder / f"model-{place:05}-of-{numbers:05}.safetensors",
            metadata={"format": "pt"},
        )
    (folder / "model.safetensors").unlink()
    found = {name: f"model-{place:05}-of-{numbers:05}.safetensors" for name, place in places.items()}
    write_index(folder, found)
    return found


def write_index(folder: Path, places: dict[str, str]) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def test_whole_shards_are_read(folder):
    expected = load(folder)
    shard(folder)
    assert same_weights(load(folder), expected)


def test_an_index_that_names_what_is_not_there_is_refused(folder):
    places = shard(folder)
    write_index(folder, places | {"encoder.layer.0.more.weight": "model-00001-of-00002.safetensors"})
    refused(folder, r"index .* do not fit: encoder\.layer\.0\.more\.weight")
    name = next(iter(places))
    write_index(folder, {key: file for key, file in places.items() if key != name})
    refused(folder, f"do not fit: {name}")
    for content in ("", "[]", '{"weight_map": {}}', '{"weight_map": {"a": "../x.safetensors"}}'):
        (folder / "model.safetensors.index.json").write_text(content)
        refused(folder, "index")


def test_a_missing_shard_is_named(folder):
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    refused(folder, "lacks the shard model-00002-of-00002")


def test_two_formats_beside_each_other_are_said(folder, caplog):
    torch.save({name: tensor + 1 for name, tensor in weights(folder).items()}, folder / "pytorch_model.bin")
    plain = load(folder)
    assert "weights are read from model.safetensors; pytorch_model.bin beside it is not read" in caplog.text
    (folder / "pytorch_model.bin").unlink()
    caplog.clear()
    (folder / "training_args.bin").write_bytes(b"x")
    assert same_weights(load(folder), plain)
    assert not caplog.text


def test_a_pickle_of_something_else_is_refused(folder):
    torch.save({"model": weights(folder), "step": 3}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    refused(folder, "damaged|cannot be loaded")


def test_statistics_of_a_norm_that_are_missing_or_not_finite_are_refused(tmp_path):
    from tests.models import normed

    folder = normed.save(tmp_path / "n")
    assert load(folder, trust_remote_code=True)
    kept = shutil.copytree(folder, tmp_path / "kept")
    change(folder, lambda name, tensor: None if name.endswith("running_mean") else tensor)
    refused(folder, r"lacks 1 of the body's weights.*: body\.norm\.running_mean", trust_remote_code=True)
    change(kept, lambda name, tensor: tensor * float("nan") if name.endswith("running_var") else tensor)
    refused(kept, r"NaN or infinity: body\.norm\.running_var", trust_remote_code=True)


@pytest.mark.parametrize("kind", ["hidden"])
def test_buffers_that_no_checkpoint_holds_are_computed(kind, tmp_path):
    """transformers leaves memory that nobody wrote in them; tests fill such memory with NaN."""
    from tests.models import normed

    model = load(normed.save(tmp_path / "hidden", kind), trust_remote_code=True)
    assert not model.body.norm.seen.any()
