"""Checkpoints of a pre-training: folders that load, in the precision that was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from intdim.pretrain.loop import run
from tests.pretrain.small import SMALL, small_corpus


def test_checkpoints_load_whole_and_are_stored_as_asked(tmp_path: Path) -> None:
    run(small_corpus(), tmp_path, SMALL, dtype=torch.float16)
    for folder in ("step-5", "step-10", "final"):
        stored = load_file(tmp_path / folder / "model.safetensors")
        assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
        model, report = AutoModel.from_pretrained(tmp_path / folder, output_loading_info=True)
        assert not report["missing_keys"]
        assert not report["unexpected_keys"]
        assert model.dtype == torch.float32
        assert len(AutoTokenizer.from_pretrained(tmp_path / folder)) == model.config.vocab_size
        assert all(file.stat().st_mode & 0o777 == 0o644 for file in (tmp_path / folder).iterdir())


def test_storing_in_half_precision_leaves_training_alone(tmp_path: Path) -> None:
    run(small_corpus(), tmp_path / "half", SMALL, dtype=torch.float16)
    run(small_corpus(), tmp_path / "full", SMALL)
    half = load_file(tmp_path / "half" / "final" / "model.safetensors")
    full = load_file(tmp_path / "full" / "final" / "model.safetensors")
    assert all(torch.equal(half[name], full[name].half()) for name in full)


def test_stored_embeddings_are_larger_and_the_function_is_the_same(tmp_path: Path) -> None:
    scaled = replace(SMALL, embedding_scale=8.0)
    run(small_corpus(), tmp_path / "scaled", scaled)
    run(small_corpus(), tmp_path / "plain", replace(SMALL, embedding_scale=1.0))
    models = [AutoModel.from_pretrained(tmp_path / name / "final").eval() for name in ("scaled", "plain")]
    big, small = (model.state_dict() for model in models)
    moved = {name for name in big if not torch.equal(big[name], small[name])}
    assert moved == {name for name in big if name.endswith("_embeddings.weight")}
    assert all(torch.equal(big[name], 8 * small[name]) for name in moved)
    ids = torch.arange(24).reshape(2, 12)
    outputs = [model(input_ids=ids).last_hidden_state for model in models]
    assert torch.allclose(*outputs, atol=1e-5)
