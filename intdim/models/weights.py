"""The weight files of a model's folder: which of them are read, which tensors they hold, and what is refused unread.

transformers leaves out what it has no place for, and says so in a log that nobody reads: an adapter beside the weights,
a tensor that an index promises, a second file of weights. Here each is an error or a line of the run's log.
"""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from intdim.errors import UserError
from intdim.models.locate import refuse_adapters

LOG = logging.getLogger(__name__)
WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEXES = {"model.safetensors": "model.safetensors.index.json", "pytorch_model.bin": "pytorch_model.bin.index.json"}
QUANTISED_FILES = ("quantize_config.json", "quant_config.json", "quantization_config.json", "hf_quant_config.json")
WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf")
NO_WEIGHTS = {"training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.pt", "scaler.pt", "rng_state.pth"}


@dataclass(frozen=True)
class Stored:
    """The tensors of a checkpoint: for each name the dtype as safetensors writes it (``F32``), and the files."""

    dtypes: Mapping[str, str]
    files: tuple[Path, ...]


def check_unread(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a folder whose weights would not be those that the model ends up with.

    Args:
        folder: of the model.
        config: its config.json as it is written.

    Raises:
        UserError: there are no weights, or an adapter lies beside them, or they are quantised.
    """
    refuse_adapters(folder)
    method = config.get("quantization_config")
    if method:
        kind = method.get("quant_method", "?") if isinstance(method, dict) else method
        raise _quantised(f"config.json has a quantization_config ({str(kind)[:40]})", folder)
    for name in QUANTISED_FILES:
        if (folder / name).exists():
            raise _quantised(name, folder)
    if not stored_files(folder):
        raise UserError(
            f"{folder} holds no weights",
            "*.safetensors or pytorch_model*.bin beside config.json",
            "Run `intdim fetch` for a model of the hub, or set model.random_init=true to start from random weights.",
        )


def stored_files(folder: Path) -> list[Path]:
    """Return the files that transformers reads a folder's weights from, the index first; [] where there are none."""
    for whole in WHOLE:
        if (folder / whole).is_file():
            return [folder / whole]
        index = folder / INDEXES[whole]
        if index.is_file():
            return [index, *(folder / name for name in sorted(set(weight_map(index).values())))]
    return []


def weight_map(index: Path) -> dict[str, str]:
    """Return the file of each tensor, as an index says.

    Raises:
        UserError: it is damaged, or names files elsewhere.
    """
    try:
        found = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = {str(name): str(file) for name, file in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{index} is damaged ({type(error).__name__})", "an index as save_pretrained writes it", "Fetch it again."
        ) from None
    if not names or any(Path(file).name != file for file in names.values()):
        raise UserError(f"{index} names no shards, or files of another folder", "shards beside it", "Fetch it again.")
    return names


def read_stored(folder: Path) -> Stored:
    """Return what a folder's weight files hold, from their headers alone.

    Raises:
        UserError: a shard is missing, or shards and index name different tensors.
    """
    files = stored_files(folder)
    promised = weight_map(files[0]) if files and files[0].suffix == ".json" else None
    files = [file for file in files if file.suffix != ".json"]
    dtypes: dict[str, str] = {}
    places: dict[str, str] = {}
    for file in files:
        if not file.is_file():
            raise UserError(f"{folder} lacks the shard {file.name}", "every file that its index names", "Fetch it.")
        for name, dtype in _header(file).items():
            if name in places:
                raise UserError(
                    f"{name} stands in {places[name]} and in {file.name}", "each tensor in one shard", "Fetch it again."
                )
            dtypes[name], places[name] = dtype, file.name
    if promised is not None and promised != places:
        wrong = sorted(name for name in {*promised, *places} if promised.get(name) != places.get(name))
        raise UserError(
            f"the index in {folder} and its shards do not fit: {few(wrong)}",
            "shards that hold the tensors that the index names, and no others",
            "Fetch the model again.",
        )
    return Stored(dtypes, tuple(files))


def note_other_files(folder: Path, read: Sequence[Path]) -> None:
    """Warn of weight files beside the ones that were read."""
    others = sorted(
        file.name
        for file in folder.iterdir()
        if file.suffix in WEIGHT_SUFFIXES and file.name not in NO_WEIGHTS and file not in read
    )
    if others:
        LOG.warning("weights are read from %s; %s beside it is not read", read[0].name, few(others))


def few(names: Sequence[str]) -> str:
    """Return the first names and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _header(file: Path) -> dict[str, str]:
    """Return the dtype of each tensor of a weight file."""
    if file.suffix == ".safetensors":
        with safe_open(file, framework="pt") as opened:
            names = list(opened.keys())
            return {name: opened.get_slice(name).get_dtype() for name in names}
    try:
        found = torch.load(file, map_location="meta", weights_only=True, mmap=True)
    except RuntimeError:  # the format before torch 1.6 cannot be mapped
        found = torch.load(file, map_location="cpu", weights_only=True)
    return {name: _DTYPES.get(tensor.dtype, str(tensor.dtype)) for name, tensor in found.items()}


_DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
FLOATS = frozenset(_DTYPES.values())
DAMAGE = (SafetensorError, pickle.UnpicklingError, EOFError)  # what the libraries raise for a damaged file


def _quantised(sign: str, folder: Path) -> UserError:
    return UserError(
        f"the weights in {folder} are quantised: {sign}",
        "weights in float32, float16 or bfloat16",
        "Use the model they were made from, or dequantise and save it first.",
    )
