"""A model that is given as an object: checked for what a folder cannot hold, and written with its tokenizer.

The head is left out: every run draws its own, and a head that was drawn at random would give the same body another
name in each session.
"""

from __future__ import annotations

import copy
import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from intdim.errors import UserError, echo
from intdim.models.account import find_body
from intdim.models.files import first_line, quiet

SIZES = (torch.float32, torch.bfloat16, torch.float16)  # every value of which float32 has too
TEXT_INPUTS = ("input_ids", "decoder_input_ids", "attention_mask")
NO_CONTENT = ("is_local", "local_files_only", "name_or_path")  # of a tokenizer's settings: where it came from
CLASSIFIER = "ForSequenceClassification"


def check_model(model: object, tokenizer: object) -> None:
    """See that a folder can hold a model and its tokenizer, so that what is loaded from there is the same model.

    Raises:
        UserError: it is no model of transformers, reads more than text, lacks a tokenizer, or was changed after it
            was made in a way that its weights and configuration do not show.
    """
    kind = type(model).__name__
    if type(model).__module__.startswith("peft"):
        raise UserError(f"model= is a {kind}: an adapter", "a whole model", "Merge it first: model.merge_and_unload().")
    if not isinstance(model, PreTrainedModel):
        raise UserError(
            f"model= is a {kind}, which is no model of transformers",
            "a model of transformers with its tokenizer",
            "For any other module use intdim.Subspace(model, d=...), which needs no task.",
        )
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        what = "without tokenizer=" if tokenizer is None else f"with a {type(tokenizer).__name__} as tokenizer="
        raise UserError(
            f"model= is a {kind} {what}", "its tokenizer", "Give tokenizer=AutoTokenizer.from_pretrained(...)"
        )
    _check_inputs(model, kind)
    _check_origin(model, kind)
    _check_weights(model, kind)
    _check_shape(model, kind)


def write_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a model without its head, and its tokenizer, into an empty folder; neither is changed.

    The same weights and configuration give the same bytes, on whatever device they are.

    Raises:
        UserError: transformers cannot write them.
    """
    plain = copy.deepcopy(tokenizer)
    backend = getattr(plain, "backend_tokenizer", None)
    if backend is not None:  # what the last call asked for is no part of a tokenizer
        backend.no_padding()
        backend.no_truncation()
    for name in NO_CONTENT:
        plain.init_kwargs.pop(name, None)
    config = copy.deepcopy(model.config)
    try:
        with quiet():
            model.save_pretrained(folder, state_dict=_weights(model))
            plain.save_pretrained(folder)
    except Exception as error:  # transformers raises many kinds here
        raise UserError(
            f"{type(model).__name__} and its tokenizer cannot be saved ({first_line(error)})",
            "what save_pretrained can write",
            "Save them yourself and give model.path=DIR.",
        ) from error
    finally:
        model.config = config


def _weights(model: PreTrainedModel) -> dict[str, Tensor]:
    """Return weights and buffers on the CPU, without those of the head; tied ones stay one tensor."""
    body = find_body(model)
    inside = {id(one) for one in [*body.parameters(), *body.buffers()]}
    whole = not type(model).__name__.endswith(CLASSIFIER)
    copies: dict[tuple[Any, ...], Tensor] = {}
    made = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if whole or id(tensor) in inside:
            place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device)
            if place not in copies:
                copies[place] = tensor.detach().to("cpu", copy=True).contiguous()
            made[name] = copies[place]
    return made


def _check_inputs(model: PreTrainedModel, kind: str) -> None:
    """Raise ``UserError`` for a model that reads something else than text."""
    main = getattr(model, "main_input_name", "input_ids")
    parameters = inspect.signature(model.forward).parameters.values()
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [one.name for one in parameters if one.default is one.empty and one.kind not in open_ended]
    more = [main, *needed] if main not in TEXT_INPUTS else needed
    more = [name for name in dict.fromkeys(more) if name not in TEXT_INPUTS]
    if more:
        raise UserError(f"{kind} needs {', '.join(more)}", "a model that needs nothing but text", "Choose another one.")


def _check_origin(model: PreTrainedModel, kind: str) -> None:
    """Raise ``UserError`` for code that is not in transformers, and for an architecture without a classifier."""
    home = type(model).__module__
    if home.startswith("transformers_modules."):
        raise UserError(
            f"{kind} brings its own code",
            "a model whose code is in transformers",
            "Give its name: model=hub with model.reference= and model.trust_remote_code=true.",
        )
    if not home.startswith("transformers.") or "forward" in vars(model):
        what = "a forward of its own" if "forward" in vars(model) else f"a class of {home}"
        raise UserError(
            f"{kind} has {what}, which a folder of weights cannot hold",
            "a class of transformers as it is",
            "Use intdim.Subspace(model, d=...) with a loop of your own.",
        )
    if type(model.config) not in AutoModelForSequenceClassification._model_mapping:  # type: ignore[operator]
        raise UserError(
            f"transformers has no classifier for {type(model.config).__name__}",
            "an architecture with a sequence classification head",
            "Choose another model.",
        )


def _check_weights(model: PreTrainedModel, kind: str) -> None:
    for name, weight in model.named_parameters():
        if weight.device.type == "meta":
            raise UserError(
                f"{kind} has no values for {name}: it is on the device meta",
                "a model whose weights are loaded",
                "Load it with from_pretrained and without device_map, or give model.path=.",
            )
        if weight.dtype not in SIZES:
            raise UserError(
                f"{kind} has {name} in {str(weight.dtype).removeprefix('torch.')}",
                "weights in float32, bfloat16 or float16, which are trained as float32",
                "Convert it with model.float(), or load it unquantised.",
            )


def _check_shape(model: PreTrainedModel, kind: str) -> None:
    """Compare a model with one that its configuration makes: what differs would be lost."""
    try:
        with quiet(), torch.device("meta"):
            twin = type(model)._from_config(copy.deepcopy(model.config))
    except Exception as error:
        raise UserError(f"{kind} cannot be made from its own configuration ({first_line(error)})", "", "") from error
    here, there = (_named(one) for one in (model, twin))
    odd = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
    if odd:
        raise UserError(
            f"{kind} has weights that its configuration does not make: {echo(', '.join(odd[:3]))}",
            "a model as it was made or loaded",
            "Merge or remove what was added; save it and give model.path=DIR if the folder says it all.",
        )
    frozen, usual = (
        {name for name, weight in one.named_parameters() if not weight.requires_grad} for one in (model, twin)
    )
    if frozen - usual:
        first = sorted(frozen - usual)[0]
        raise UserError(
            f"{len(frozen - usual)} weights of {kind} are frozen (requires_grad is false), such as {first}",
            "all weights trainable; what stays as it is goes by name",
            'Give **{"subspace.exclude": ["PATTERN"]} and model.requires_grad_(True).',
        )
    hooked = _hooks(model) - _hooks(twin)
    if hooked:
        raise UserError(f"{kind} has a hook on {sorted(hooked)[0] or 'itself'}", "a model without hooks", "Remove it.")


def _named(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _hooks(model: nn.Module) -> set[str]:
    return {name for name, one in model.named_modules() if one._forward_hooks or one._forward_pre_hooks}
