"""theta_0: loads any encoder, decoder or encoder-decoder with a classification head drawn from a seed.

The body comes from the checkpoint, whole or not at all: transformers trains a missing weight from random numbers and
only logs it, here it is an error. The head is always drawn anew, so that every run has a fresh one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from intdim.errors import UserError
from intdim.models.account import account, find_body
from intdim.models.files import first_line, load_config, quiet
from intdim.models.limits import check_memory, read_config, unallocated
from intdim.models.pooling import pool_by_mask
from intdim.models.weights import DAMAGE, check_unread, note_other_files, read_stored

Loaded = tuple[nn.Module, set[str]]  # a model, and the weights outside its head that the checkpoint lacks


@dataclass(frozen=True)
class Head:
    """The classification head that an objective needs: its outputs, and transformers' word for the problem."""

    outputs: int
    problem_type: str


def load_model(
    folder: Path,
    *,
    head: Head,
    overrides: Mapping[str, Any],
    random_init: bool,
    trust_remote_code: bool,
    gradient_checkpointing: bool,
    seed_world: Callable[[int], None],
    init_seed: int,
    head_seed: int,
    pad_token_id: int,
) -> nn.Module:
    """Load a model with the head that an objective needs.

    ``seed_world`` seeds torch's global generator; it is called with ``init_seed`` before a random body is drawn and
    with ``head_seed`` before the head is. All weights are float32.

    Raises:
        UserError: the folder is damaged, lacks a body weight, or does not fit the overrides.
    """
    config = load_config(folder, overrides, trust_remote_code)
    config.num_labels = head.outputs
    config.problem_type = head.problem_type
    config.use_cache = False
    check_memory(config, trust_remote_code)
    seed_world(init_seed)
    if random_init:
        model, anew = _from_config(folder, config, trust_remote_code), set[str]()
    else:
        model, anew = _from_checkpoint(folder, config, overrides, trust_remote_code)
    if not head_names(model):
        raise UserError(
            f"the head of {type(model).__name__} cannot be told from its body, so it cannot be drawn anew",
            "a model class that names its base model (base_model_prefix)",
            "Correct the model's own code.",
        )
    seed_world(head_seed)
    draw_head(model, anew)
    _name_padding(model, pad_token_id)
    pool_by_mask(model, find_body(model))
    if gradient_checkpointing:
        _checkpoint_activations(model)
    return model


def _name_padding(model: nn.Module, pad_token_id: int) -> None:
    """Give a configuration without a padding token the tokenizer's, for a head that looks for it. Only now: a body that
    is made with one leaves its embedding untrained, which transformers alone would not do."""
    config: Any = model.config
    for table in (config, config.get_text_config()):
        if getattr(table, "pad_token_id", None) is None:
            table.pad_token_id = pad_token_id


def head_names(model: nn.Module) -> list[str]:
    """Return the names of the weights outside the base model: the classification head."""
    body = {id(weight) for weight in find_body(model).parameters()}
    return [name for name, weight in model.named_parameters() if id(weight) not in body]


def draw_head(model: nn.Module, anew: set[str]) -> None:
    """Draw the head (and ``anew``, the weights of a pooler that the checkpoint lacks) from the global generator."""
    names = set(head_names(model)) | anew
    for path, module in model.named_modules():
        own = [f"{path}.{name}".lstrip(".") for name, _ in module.named_parameters(recurse=False)]
        if own and names.issuperset(own):
            with torch.no_grad():
                _initialise(model, module)
    body = {id(module) for module in find_body(model).modules()}
    for module in model.modules():
        reset = getattr(module, "reset_running_stats", None)
        if id(module) not in body and reset is not None:
            reset()  # a norm of the head has seen nothing yet


def _initialise(model: nn.Module, module: nn.Module) -> None:
    """Normal weights with the configuration's spread, zero biases, norms at one: what BERT's family does."""
    config: Any = model.config
    spread = getattr(config, "initializer_range", None) or getattr(config, "init_std", None) or 0.02
    for name, weight in module.named_parameters(recurse=False):
        if weight.ndim > 1:
            weight.normal_(0.0, float(spread))
        elif "norm" in type(module).__name__.lower() and name == "weight":
            weight.fill_(1.0)
        else:
            weight.zero_()


def _from_config(folder: Path, config: Any, trust_remote_code: bool) -> nn.Module:
    try:
        with quiet():
            return AutoModelForSequenceClassification.from_config(
                config, dtype=torch.float32, trust_remote_code=trust_remote_code
            )
    except Exception as error:  # an option out of range, or an architecture without a classifier
        raise UserError(
            f"no classifier can be built from the configuration in {folder} ({first_line(error)})",
            "an architecture with a sequence classification head, options that fit each other",
            "Check model.overrides and the folder.",
        ) from error


def _from_checkpoint(folder: Path, config: Any, overrides: Mapping[str, Any], trust_remote_code: bool) -> Loaded:
    check_unread(folder, read_config(folder))
    try:
        stored = read_stored(folder)
        with quiet():
            model, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                output_loading_info=True,
                trust_remote_code=trust_remote_code,
                ignore_mismatched_sizes=True,  # reported below, with names
            )
    except UserError:
        raise
    except DAMAGE as error:
        raise UserError(
            f"the weights in {folder} are damaged ({first_line(error)})",
            "whole safetensors files",
            "Fetch them again.",
        ) from error
    except Exception as error:  # an option out of range, an architecture without a classifier
        raise UserError(
            f"the weights in {folder} cannot be loaded as a classifier ({first_line(error)})",
            "weights and config.json of one architecture that has a sequence classification head",
            "Check the folder and model.overrides.",
        ) from error

    _compute_constants(model, config, trust_remote_code)
    note_other_files(folder, stored.files)

    def whole() -> nn.Module | None:
        return unallocated(load_config(folder, {}, trust_remote_code), trust_remote_code) if overrides else None

    return model, account(model, stored, report, folder, set(head_names(model)), whole)


def _compute_constants(model: nn.Module, config: Any, trust_remote_code: bool) -> None:
    """Fill the buffers that no checkpoint holds, for a model that brings its own code: transformers leaves memory that
    nobody wrote there, unless the code's ``_init_weights`` fills it, which older code does not know of."""
    if type(model).__module__.startswith("transformers."):
        return
    saved = set(model.state_dict())
    unsaved = [name for name, _ in model.named_buffers() if name not in saved]
    if unsaved:
        with quiet():
            fresh = AutoModelForSequenceClassification.from_config(
                copy.deepcopy(config), dtype=torch.float32, trust_remote_code=trust_remote_code
            )
        computed = dict(fresh.named_buffers())
        for name in unsaved:
            path, _, own = name.rpartition(".")
            owner: Any = model.get_submodule(path)
            owner._buffers[own] = computed[name]


def _checkpoint_activations(model: Any) -> None:
    settings = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):  # the newer name of the same thing
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=settings)
    else:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=settings)
