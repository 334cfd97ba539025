"""Checkpoints of a pre-training: what of the model is stored, how, and as a folder that ``AutoModel`` loads."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertForPreTraining

from intdim import durable
from intdim.models.files import quiet


def saved_part(model: nn.Module) -> Any:
    """Return what a checkpoint holds: of BERT's recipe the body with its pooler, of others all with the head."""
    return model.bert if isinstance(model, BertForPreTraining) else model


def stored_weights(model: nn.Module, dtype: torch.dtype, embedding_scale: float) -> dict[str, Tensor]:
    """Return weights as a checkpoint holds them: in ``dtype``; of a BERT body the embeddings ``embedding_scale`` times.

    The sum of word, position and segment embeddings goes straight into a LayerNorm, which undoes the factor: the
    function is the same. What changes is fine-tuning. A step of a given length moves every weight alike, so it moves
    embeddings less for their size when they are larger. Tied weights stay one tensor.
    """
    made: dict[int, Tensor] = {}
    stored = {}
    for name, value in model.state_dict().items():
        scale = embedding_scale if name.endswith("_embeddings.weight") else 1.0
        if value.data_ptr() not in made or not value.numel():
            kind = dtype if value.is_floating_point() else value.dtype
            made[value.data_ptr()] = (value.detach() * scale).to("cpu", kind)
        stored[name] = made[value.data_ptr()]
    return stored


def save_folder(part: Any, tokenizer_folder: Path, folder: Path, stored: dict[str, Tensor]) -> None:
    """Write a model (with the weights ``stored``) and its tokenizer as a folder that is either whole or absent."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with quiet():
        part.save_pretrained(partial, state_dict=stored)
    for file in sorted(tokenizer_folder.iterdir()):
        if file.is_file():
            shutil.copyfile(file, partial / file.name)
    config = json.loads((partial / "config.json").read_text(encoding="utf-8"))
    durable.write_json(partial / "config.json", config | {"dtype": "float32"})  # what it is to be loaded as
    for file in partial.iterdir():
        file.chmod(0o644)  # safetensors writes files that only their owner can read
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
