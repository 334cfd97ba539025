"""The worker's side of preparation: locate the weights, tokenise the task once, build the model once, count.

Whatever is wrong with a request's model or data comes out here, before anything is written into ``out``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from pathlib import Path
from typing import Any

import torch
from torch import nn

from intdim.caches import in_cache
from intdim.errors import UserError
from intdim.fingerprint import fingerprint_folder
from intdim.launch.base import Report
from intdim.launch.jobs import PrepareJob
from intdim.models.files import load_config, load_tokenizer
from intdim.models.locate import locate
from intdim.models.pooling import ends_with_end_token
from intdim.parameters import ParameterTable
from intdim.request import CellRequest
from intdim.run.build import fitting, held_still, theta_0
from intdim.run.objective import objective_for
from intdim.run.said import listening
from intdim.spec import GROUPS, Facts, ModelSpec, Prepared, from_dict, to_dict
from intdim.tasks.facts import data_facts
from intdim.tasks.metrics import find_metric
from intdim.tasks.stored import TaskData, load_task, prepare_task

LOG = logging.getLogger(__name__)
# Tokens of a configuration, by the names of its fields
CONTROL = ("bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "cls_token_id", "decoder_start_token_id")
TOKENIZER_FILES = ("tokenizer*", "vocab*", "merges*", "special_tokens*", "added_tokens*", "*.model", "*.tiktoken")


def prepare(cell: CellRequest) -> Prepared:
    """Resolve a cell's model and task to content and count what the subspace would hold.

    Raises:
        UserError: model or data cannot be had, are damaged, or do not fit each other.
    """
    wanted = cell.model
    located = locate(wanted.source, wanted.reference, wanted.revision, wanted.path)
    config = load_config(located.folder, wanted.overrides, wanted.trust_remote_code)  # else the tokenizer is blamed
    tokenizer = load_tokenizer(located.folder, wanted.trust_remote_code)
    tokenizer_key = fingerprint_folder(located.folder, TOKENIZER_FILES)
    objective = objective_for(cell.task.objective, find_metric(cell.task.metric).needs)
    control = control_ids(config)
    task_folder = in_cache(lambda cache: prepare_task(cell.task, tokenizer, tokenizer_key, cache, objective, control))
    data = load_task(task_folder)

    head = objective.head(data.spec.label_names)
    with listening() as said:
        model = theta_0(wanted, located.folder, head, head_seed=0, pad_token_id=data.pad_id)
        check_fit(model, data)
        held_still(model, fitting(data, model))
    end = ends_with_end_token(model)
    if end is not None:
        check_end_tokens(data, end, type(model).__name__)
    table = ParameterTable.of(model, exclude=cell.subspace.exclude)
    read = data_facts(data.manifest, longest_input(model))
    facts = Facts(
        D=table.D,
        groups={kind: len(table.groups(kind)) for kind in GROUPS},
        tensors=len(table.entries),
        train_examples=len(data.train.labels),
        eval_examples=len(data.evaluation.labels),
        chance=data.chance,
        chance_se=data.chance_se,
        tokens_per_example=float(data.train.lengths.double().mean()),
        model_folder=str(Path(located.folder).resolve()),
        task_folder=str(Path(task_folder).resolve()),
        data=dataclasses.replace(read, notes=(*read.notes, *said.notes), warnings=(*read.warnings, *said.warnings)),
    )
    spec = ModelSpec(
        name=wanted.name,
        source=wanted.source,
        reference="" if wanted.source == "local" else wanted.reference,
        revision=wanted.revision if wanted.source == "hub" else "",
        fingerprint=located.fingerprint,
        random_init=wanted.random_init,
        init_seed=wanted.init_seed,
        overrides=dict(wanted.overrides),
        trust_remote_code=wanted.trust_remote_code,
        gradient_checkpointing=wanted.gradient_checkpointing,
    )
    return Prepared(model=spec, task=data.spec, facts=facts)


def check_fit(model: nn.Module, data: TaskData) -> None:
    """Raise ``UserError`` where examples are longer than the model, or its vocabulary is smaller than the tokenizer's.

    Either would end the first batch that has such an example, on CUDA with an error that names neither.
    """
    longest = int(max(data.train.lengths.max(), data.evaluation.lengths.max()))
    positions = longest_input(model)
    if 0 < positions < longest:
        raise UserError(
            f"an example has {longest} tokens, the model has positions for {positions}",
            f"task.max_length at most {positions}",
            f"Lower task.max_length to {positions}.",
        )
    highest = max(int(data.train.ids.max()), int(data.evaluation.ids.max()), data.pad_id)
    table = 0
    with contextlib.suppress(NotImplementedError):  # code of the model's own need not name its table
        table = getattr(model.get_input_embeddings(), "num_embeddings", 0)  # type: ignore[operator]
    if 0 < table <= highest:
        raise UserError(
            f"the tokenizer gives the token {highest}, the model has embeddings for 0 to {table - 1}",
            "a tokenizer whose tokens all have an embedding",
            "Put the model's own tokenizer beside its config.json.",
        )


def log_doubts(model: nn.Module, data: TaskData) -> None:
    """Warn, in the log of a run, of what makes the numbers of its data doubtful; of data that was made in memory
    nothing is known."""
    known = data_facts(data.manifest, longest_input(model)).warnings if data.manifest else ()
    for doubt in known:
        LOG.warning("data: %s", doubt)


def control_ids(config: Any) -> tuple[int, ...]:
    """Return the tokens to which a model's configuration gives a meaning: begin, end, padding and their like."""
    said = [getattr(config, name, None) for name in CONTROL]
    flat = [one for value in said for one in (value if isinstance(value, list | tuple) else [value])]
    return tuple(sorted({one for one in flat if isinstance(one, int) and not isinstance(one, bool) and one >= 0}))


def check_end_tokens(data: TaskData, end: int, kind: str) -> None:
    """Check the rows for a model whose head reads the place of the end token (BART, T5 and their families).

    Every row must end with the end token, and hold as many of them as the first: two texts are joined by some. A row
    that differs would be read at another place, or end the first batch that has it.

    Args:
        data: the prepared task.
        end: the end token.
        kind: of model, for messages.

    Raises:
        UserError: a row lacks its end token or has one too many; the message names the split and the row.
    """
    wanted = None
    for side, name in ((data.train, data.spec.train_split), (data.evaluation, data.spec.eval_split)):
        inside = torch.cat([torch.zeros(1, dtype=torch.int64), (side.ids == end).cumsum(0)])
        found = inside[side.offsets + side.lengths] - inside[side.offsets]
        ended = side.ids[side.offsets + side.lengths - 1] == end
        wanted = int(found[0]) if wanted is None else wanted
        wrong = torch.nonzero(~ended | (found != wanted)).flatten()
        if len(wrong):
            at = int(wrong[0])
            has = f"has {int(found[at])} end tokens, not {wanted}" if ended[at] else "does not end with the end token"
            raise UserError(
                f"row {side.row(at)} of {name} {has} (token {end}), at which {kind} reads its answer",
                "a tokenizer that ends every text with it, and texts without it",
                "Check the tokenizer's files beside config.json, and that row.",
            )


def longest_input(model: nn.Module) -> int:
    """Return how many tokens a model takes by its configuration, 0 where that says nothing.

    RoBERTa's family counts positions from the padding token's number on, so that of 514 places 512 can be used: its
    table of positions has a padding index, which others lack.
    """
    said = getattr(model.config, "max_position_embeddings", None)
    positions = said if isinstance(said, int) and said > 0 else 0
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            positions = module.num_embeddings - module.padding_idx - 1
    return positions


def prepare_job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """The job ``prepare``: payload a ``PrepareJob``, answer a ``Prepared``."""
    return to_dict(prepare(from_dict(PrepareJob, payload).cell))
