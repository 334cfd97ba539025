"""A task tokenised once and stored as tensors, so that workers need neither the network nor ``datasets``.

A prepared task is a folder with three files: ``data.safetensors`` (for each split the token ids of all examples in one
flat int32 array, the offsets at which examples begin, segment numbers where the tokenizer makes them, and labels; and
the two halves of the evaluation split) and ``manifest.json`` (the ``TaskSpec`` and what was counted), and
``hashes.json`` of both. The folder's name is a hash of the rows, the tokenizer and everything that decides the tensors.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from intdim import durable, seals
from intdim.errors import UserError
from intdim.seals import Damaged
from intdim.spec import TaskSpec, derive_seed, digest, from_dict, to_dict
from intdim.tasks import sources, whole
from intdim.tasks.facts import NO_LIMIT, facts_of, histogram
from intdim.tasks.labels import LabelRule
from intdim.tasks.metrics import METRICS, Metric
from intdim.tasks.sources import Tables, TaskRequest
from intdim.tasks.tokens import control_tokens, tokenise
from intdim.tasks.whole import MANIFEST, TENSORS

STORED_VERSION = 4  # raised by hand when the same rows would give other tensors or another manifest
PACKAGES = ("tokenizers", "transformers")  # their versions may change how a text is cut into tokens


@dataclass(frozen=True)
class Split:
    """N tokenised examples.

    ``ids``: int32 (sum of lengths,); ``offsets``: int64 (N,), where each begins; ``lengths``: int64 (N,);
    ``labels``: int64 class numbers or float32 scores (N,); ``types``: int8 like ``ids``, or None. ``pad_left`` and
    ``pad_type`` say how the tokenizer pads: side, and the segment number of padding. ``rows``: int64 (N,), the number
    that each example has in its source, from 1; None where it is not known.
    """

    ids: Tensor
    offsets: Tensor
    lengths: Tensor
    labels: Tensor
    types: Tensor | None
    pad_left: bool
    pad_type: int
    rows: Tensor | None = None

    def row(self, at: int) -> int:
        """Return the number that example ``at`` has in its source, from 1."""
        return at + 1 if self.rows is None else int(self.rows[at])


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


def prepare_task(
    request: TaskRequest,
    tokenizer: Any,
    tokenizer_key: str,
    cache: Path,
    objective: LabelRule,
    control: Iterable[int] = (),
) -> Path:
    """Read, check and tokenise a task, unless the cache has it; return its folder ``<cache>/tasks/<digest>``.

    Args:
        request: which data.
        tokenizer: a Hugging Face tokenizer with a padding token.
        tokenizer_key: hash of the tokenizer's files.
        cache: folder for things that can be made again.
        objective: says how labels are read.
        control: tokens that mean something to the model, besides those that the tokenizer calls special.

    Raises:
        UserError: the data cannot be had or do not make a task (``sources.read``), or do not fit the tokenizer.
        OSError: the cache cannot be written.
    """
    tables = sources.read(request, objective)
    spec = _spec(request, tables, _max_length(request, tokenizer), objective)
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    identity = {"spec": to_dict(spec), "tokenizer": tokenizer_key, "versions": versions, "stored": STORED_VERSION}
    identity["control"] = sorted(control_tokens(tokenizer, control))
    identity["data"] = to_dict(facts_of(tables))  # what is said of the rows is that of this reading
    folder = cache / "tasks" / digest(identity)
    try:
        whole.check(folder)
    except Damaged:
        _write(folder, spec, tables, tokenizer, identity, objective)
    return folder


def load_task(folder: Path) -> TaskData:
    """Return a prepared task; tensors are mapped from the file, not copied.

    Raises:
        UserError: the folder is not a whole prepared task; it has been set aside.
    """
    try:
        whole.check(folder)
        manifest: Any = durable.read_json(folder / MANIFEST)
        tensors = safetensors.torch.load_file(folder / TENSORS)
        spec = from_dict(TaskSpec, manifest["spec"])
    except (ValueError, KeyError, TypeError, OSError, safetensors.SafetensorError) as error:
        raise whole.refused(folder, error) from None
    pad = {"pad_left": manifest["padding_side"] == "left", "pad_type": manifest["pad_type"]}
    splits = [
        Split(
            ids=tensors[f"{side}.ids"],
            offsets=tensors[f"{side}.offsets"][:-1],
            lengths=tensors[f"{side}.offsets"].diff(),
            labels=tensors[f"{side}.labels"],
            types=tensors.get(f"{side}.types"),
            rows=tensors[f"{side}.rows"],
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
        label=tables.label,
        label_names=tables.label_names,
        objective=objective.name,
        metric=request.metric,
        max_length=max_length,
        train_split=tables.train_split,
        eval_split=tables.eval_split,
        max_train=request.max_train,
        max_eval=request.max_eval,
        selection=request.selection,
        positive=tables.positive,
        holdout=request.holdout,
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
    uncut: list[np.ndarray] = []
    for side, table, rows, split in (
        ("train", tables.train, tables.train_rows, tables.train_split),
        ("evaluation", tables.evaluation, tables.eval_rows, tables.eval_split),
    ):
        texts = [table[name].tolist() for name in spec.text]
        made = tokenise(texts, tokenizer, spec.max_length, split, rows, identity["control"])
        labels = table[spec.label].to_numpy()
        tensors[f"{side}.ids"] = torch.from_numpy(made.ids)
        tensors[f"{side}.offsets"] = torch.from_numpy(np.concatenate([[0], np.cumsum(made.lengths)]).astype(np.int64))
        tensors[f"{side}.labels"] = torch.tensor(labels, dtype=objective.label_dtype)
        tensors[f"{side}.rows"] = torch.from_numpy(rows.astype(np.int64))
        if made.types is not None:
            tensors[f"{side}.types"] = torch.from_numpy(made.types)
        uncut.append(made.whole)
        counted[side] = {
            "examples": len(table),
            "tokens_per_example": round(len(made.ids) / len(table), 3),
            "truncated": round(float((made.whole > spec.max_length).mean()), 6),
        }
        if spec.label_names:
            counted[side]["label_counts"] = np.bincount(labels, minlength=len(spec.label_names)).tolist()
    labels = tables.evaluation[spec.label].to_numpy()
    everything = np.arange(len(labels))
    select, score = halves(labels) if spec.selection == "half" else (everything, everything.copy())
    tensors["select_half"], tensors["score_half"] = torch.from_numpy(select), torch.from_numpy(score)
    chance, chance_se = objective.floor(spec.metric, tables.train[spec.label].to_numpy(), labels)
    data = safetensors.torch.save(tensors)
    whole.make_room(folder)
    durable.write_bytes(folder / TENSORS, data)
    manifest = {
        "spec": to_dict(spec),
        "chance": chance,
        "chance_se": chance_se,
        "tokens_per_example": counted["train"]["tokens_per_example"],
        "truncated": counted["train"]["truncated"],
        "counts": counted,
        "data": identity["data"],
        "whole_lengths": histogram(np.concatenate(uncut)),
        "longest": int(min(tokenizer.model_max_length, NO_LIMIT)),
        "pad_id": int(tokenizer.pad_token_id),
        "pad_type": int(getattr(tokenizer, "pad_token_type_id", 0) or 0),
        "padding_side": tokenizer.padding_side,
        "bytes": len(data),
        "made_from": identity,
    }
    seals.complete(folder, MANIFEST, manifest, [TENSORS])
