"""A task tokenised once and stored as tensors, so that workers need neither the network nor ``datasets``.

A prepared task is a folder with two files: ``data.safetensors`` (for each split the token ids of all examples in one
flat int32 array, the offsets at which examples begin, segment numbers where the tokenizer makes them, and labels; and
the two halves of the evaluation split) and ``manifest.json`` (the ``TaskSpec`` and what was counted). The folder's
name is a hash of the rows, the tokenizer and everything that decides the tensors.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from intdim import durable
from intdim.errors import UserError
from intdim.spec import TaskSpec, derive_seed, digest, from_dict, to_dict
from intdim.tasks import sources
from intdim.tasks.labels import LabelRule
from intdim.tasks.metrics import METRICS, Metric
from intdim.tasks.sources import Tables, TaskRequest

STORED_VERSION = 1  # raised by hand when the same rows would give other tensors
CHUNK = 10_000  # examples tokenised at once
PACKAGES = ("tokenizers", "transformers")  # their versions may change how a text is cut into tokens


@dataclass(frozen=True)
class Split:
    """N tokenised examples.

    ``ids``: int32 (sum of lengths,); ``offsets``: int64 (N,), where each begins; ``lengths``: int64 (N,);
    ``labels``: int64 class numbers or float32 scores (N,); ``types``: int8 like ``ids``, or None. ``pad_left`` and
    ``pad_type`` say how the tokenizer pads: side, and the segment number of padding.
    """

    ids: Tensor
    offsets: Tensor
    lengths: Tensor
    labels: Tensor
    types: Tensor | None
    pad_left: bool
    pad_type: int


@dataclass(frozen=True)
class TaskData:
    """A prepared task. ``select_half`` and ``score_half`` are row numbers (int64, ascending) of the evaluation split:
    two disjoint halves with the same shares of classes, or both the whole split for ``selection=same``."""

    train: Split
    evaluation: Split
    spec: TaskSpec
    select_half: Tensor
    score_half: Tensor
    chance: float
    chance_se: float
    pad_id: int
    manifest: dict[str, Any]

    @property
    def metric(self) -> Metric:
        return METRICS[self.spec.metric]

    def without_types(self) -> TaskData:
        """Return the same task without segment numbers, for a model whose forward takes none."""
        train, evaluation = (dataclasses.replace(split, types=None) for split in (self.train, self.evaluation))
        return dataclasses.replace(self, train=train, evaluation=evaluation)


def prepare_task(request: TaskRequest, tokenizer: Any, tokenizer_key: str, cache: Path, objective: LabelRule) -> Path:
    """Read, check and tokenise a task, unless the cache has it; return its folder ``<cache>/tasks/<digest>``.

    Args:
        request: which data.
        tokenizer: a Hugging Face tokenizer with a padding token.
        tokenizer_key: hash of the tokenizer's files.
        cache: folder for things that can be made again.
        objective: says how labels are read.

    Raises:
        UserError: the data cannot be had or do not make a task (``sources.read``), or do not fit the tokenizer.
        OSError: the cache cannot be written.
    """
    tables = sources.read(request, objective)
    spec = _spec(request, tables, _max_length(request, tokenizer), objective)
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    identity = {"spec": to_dict(spec), "tokenizer": tokenizer_key, "versions": versions, "stored": STORED_VERSION}
    folder = cache / "tasks" / digest(identity)
    if not _is_whole(folder):
        _write(folder, spec, tables, tokenizer, identity, objective)
    return folder


def load_task(folder: Path) -> TaskData:
    """Return a prepared task; tensors are mapped from the file, not copied.

    Raises:
        UserError: the folder is not a whole prepared task.
    """
    try:
        manifest = durable.read_json(folder / "manifest.json")
        if manifest is None:
            raise ValueError("manifest.json is missing")
        tensors = safetensors.torch.load_file(folder / "data.safetensors")
        spec = from_dict(TaskSpec, manifest["spec"])
    except (ValueError, KeyError, OSError, safetensors.SafetensorError) as error:
        raise UserError(
            f"the prepared task {folder} is damaged: {error}", do="Delete that folder and repeat the command."
        ) from None
    pad = {"pad_left": manifest["padding_side"] == "left", "pad_type": manifest["pad_type"]}
    splits = [
        Split(
            ids=tensors[f"{side}.ids"],
            offsets=tensors[f"{side}.offsets"][:-1],
            lengths=tensors[f"{side}.offsets"].diff(),
            labels=tensors[f"{side}.labels"],
            types=tensors.get(f"{side}.types"),
            **pad,
        )
        for side in ("train", "evaluation")
    ]
    return TaskData(
        train=splits[0],
        evaluation=splits[1],
        spec=spec,
        select_half=tensors["select_half"],
        score_half=tensors["score_half"],
        chance=manifest["chance"],
        chance_se=manifest["chance_se"],
        pad_id=manifest["pad_id"],
        manifest=manifest,
    )


def halves(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two disjoint halves of the rows (ascending row numbers) with the same distribution of labels.

    Rows are ordered by label, equal labels at random, and dealt in turn; the first half gets the odd one. The halves
    depend on the labels and nothing else, so that every run of a task selects and scores on the same rows.
    """
    keys = np.random.default_rng(derive_seed("halves", len(labels))).random(len(labels))
    order = np.lexsort((keys, labels))
    return np.sort(order[0::2]), np.sort(order[1::2])


def _spec(request: TaskRequest, tables: Tables, max_length: int, objective: LabelRule) -> TaskSpec:
    return TaskSpec(
        name=sources.default_name(request),
        source=tables.source,
        reference="" if tables.source == "local" else request.reference,
        version=request.version,
        fingerprint=tables.fingerprint,
        text=tables.text,
        label=request.label,
        label_names=tables.label_names,
        objective=objective.name,
        metric=request.metric,
        max_length=max_length,
        train_split=tables.train_split,
        eval_split=tables.eval_split,
        max_train=request.max_train,
        max_eval=request.max_eval,
        selection=request.selection,
    )


def _max_length(request: TaskRequest, tokenizer: Any) -> int:
    """Return the largest number of tokens of an example: what was asked for, or what the tokenizer's model takes."""
    longest = min(request.max_length, tokenizer.model_max_length)
    needed = tokenizer.num_special_tokens_to_add(pair=len(request.text) != 1) + 2
    if longest < needed:
        fact = f"task.max_length={longest} leaves no room for text"
        raise UserError(fact, f"at least {needed} tokens", "Raise task.max_length.")
    return int(longest)


def _write(
    folder: Path, spec: TaskSpec, tables: Tables, tokenizer: Any, identity: dict[str, Any], objective: LabelRule
) -> None:
    if tokenizer.pad_token_id is None:
        fact = "the tokenizer has no padding token"
        raise UserError(fact, "a tokenizer with one", "Set pad_token in its tokenizer_config.json.")
    tensors: dict[str, Tensor] = {}
    counted: dict[str, Any] = {}
    for side, table, split in (
        ("train", tables.train, tables.train_split),
        ("evaluation", tables.evaluation, tables.eval_split),
    ):
        texts = [table[name].tolist() for name in spec.text]
        ids, offsets, types, cut = _tokenise(texts, tokenizer, spec.max_length, split)
        labels = table[spec.label].to_numpy()
        tensors[f"{side}.ids"], tensors[f"{side}.offsets"] = ids, offsets
        tensors[f"{side}.labels"] = torch.tensor(labels, dtype=objective.label_dtype)
        if types is not None:
            tensors[f"{side}.types"] = types
        counted[side] = {
            "examples": len(table),
            "tokens_per_example": round(len(ids) / len(table), 3),
            "truncated": round(cut / len(table), 6),
        }
        if spec.label_names:
            counted[side]["label_counts"] = np.bincount(labels, minlength=len(spec.label_names)).tolist()
    labels = tables.evaluation[spec.label].to_numpy()
    everything = np.arange(len(labels))
    select, score = halves(labels) if spec.selection == "half" else (everything, everything.copy())
    tensors["select_half"], tensors["score_half"] = torch.from_numpy(select), torch.from_numpy(score)
    chance, chance_se = objective.floor(spec.metric, tables.train[spec.label].to_numpy(), labels[score])
    data = safetensors.torch.save(tensors)
    durable.write_bytes(folder / "data.safetensors", data)
    manifest = {
        "spec": to_dict(spec),
        "chance": chance,
        "chance_se": chance_se,
        "tokens_per_example": counted["train"]["tokens_per_example"],
        "truncated": counted["train"]["truncated"],
        "counts": counted,
        "pad_id": int(tokenizer.pad_token_id),
        "pad_type": int(getattr(tokenizer, "pad_token_type_id", 0) or 0),
        "padding_side": tokenizer.padding_side,
        "bytes": len(data),
        "made_from": identity,
    }
    durable.write_json(folder / "manifest.json", manifest)  # last: a folder with a manifest is whole


def _is_whole(folder: Path) -> bool:
    try:
        manifest = durable.read_json(folder / "manifest.json")
        return manifest is not None and (folder / "data.safetensors").stat().st_size == manifest["bytes"]
    except (OSError, json.JSONDecodeError, KeyError, TypeError):
        return False


def _tokenise(
    texts: list[list[str]], tokenizer: Any, max_length: int, split: str
) -> tuple[Tensor, Tensor, Tensor | None, int]:
    """Return (ids, offsets with a last one past the end, segment numbers or None, how many examples were cut).

    Of a pair the longer text is cut first. Where the tokenizer puts nothing between the two texts (GPT-2), the second
    one begins on a new line. Segment numbers that are all 0 are what a model assumes anyway, and are left out.
    """
    ids: list[np.ndarray] = []
    types: list[np.ndarray] = []
    lengths: list[int] = []
    cut = 0
    joins = len(texts) == 2 and _separates(tokenizer)
    if len(texts) == 2 and not joins:
        texts = [texts[0], ["\n" + text for text in texts[1]]]
    for chunk in _chunks(texts):
        made = tokenizer(*chunk, truncation="longest_first", max_length=max_length, return_attention_mask=False)
        for row, one in enumerate(made["input_ids"]):
            if not one:
                raise UserError(
                    f"the text of row {len(lengths) + 1} of {split} has no tokens: {chunk[0][row][:40]!r}",
                    "texts that the model's tokenizer knows",
                    "Remove that row.",
                )
            lengths.append(len(one))
        ids += [np.asarray(one, dtype=np.int32) for one in made["input_ids"]]
        if "token_type_ids" in made:
            types += [np.asarray(one, dtype=np.int8) for one in made["token_type_ids"]]
        encodings = getattr(made, "encodings", None)
        if encodings:
            cut += sum(bool(encoding.overflowing) for encoding in encodings)
        else:  # a slow tokenizer does not tell: an example at the limit counts as cut
            cut += sum(len(one) >= max_length for one in made["input_ids"])
    offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    segments = torch.from_numpy(np.concatenate(types)) if types else None
    if segments is not None and (not segments.any() or (len(texts) == 2 and not joins)):
        segments = None
    return torch.from_numpy(np.concatenate(ids)), offsets, segments, cut


def _separates(tokenizer: Any) -> bool:
    """True where a pair gets special tokens that a single text does not."""
    return tokenizer.num_special_tokens_to_add(pair=True) > tokenizer.num_special_tokens_to_add(pair=False)


def _chunks(texts: list[list[str]]) -> Iterator[list[list[str]]]:
    for first in range(0, len(texts[0]), CHUNK):
        yield [column[first : first + CHUNK] for column in texts]
