"""theta_0: loads any encoder, decoder or encoder-decoder with a classification head drawn from a seed.

The body comes from the checkpoint, whole or not at all: transformers trains a missing weight from random numbers and
only logs it, here it is an error. The head is always drawn anew, so that every run has a fresh one.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

from intdim.errors import UserError, suggest
from intdim.locate import Located as Located
from intdim.locate import locate as locate

HEAD_WORDS = ("classifier", "classification_head", "score", "sequence_summary", "logits_proj", "head")
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken")
POOLER_WORDS = ("pooler",)  # part of BERT's body that masked-LM checkpoints often lack: drawn with the head then


def load_tokenizer(folder: Path, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Load a tokenizer; one without a padding token pads with its end or unknown token (no weight is added).

    Raises:
        UserError: the folder holds none that can be read.
    """
    if not any(next(folder.glob(pattern), None) for pattern in TOKENIZER_FILES):
        # transformers would make one with an empty vocabulary
        raise UserError(
            f"{folder} holds no tokenizer",
            f"one of {', '.join(TOKENIZER_FILES)} beside config.json",
            "Save the tokenizer into the folder with save_pretrained.",
        )
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # transformers raises many kinds here, all of them mean the same
        raise UserError(
            f"no tokenizer can be read from {folder} ({_first_line(error)})",
            "tokenizer.json or the vocabulary files beside config.json",
            "Save the tokenizer into the folder with save_pretrained.",
        ) from error
    if tokenizer.pad_token_id is None:
        stand_in = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
        tokenizer.pad_token = stand_in
    return tokenizer


def load_model(
    folder: Path,
    *,
    classes: int,
    overrides: Mapping[str, Any],
    random_init: bool,
    trust_remote_code: bool,
    gradient_checkpointing: bool,
    seed_world: Callable[[int], None],
    init_seed: int,
    head_seed: int,
    pad_token_id: int,
) -> nn.Module:
    """Load a model with a classification head of ``classes`` outputs (one real output where ``classes`` is 0).

    ``seed_world`` seeds torch's global generator; it is called with ``init_seed`` before a random body is drawn and
    with ``head_seed`` before the head is. All weights are float32.

    Raises:
        UserError: the folder is damaged, lacks a body weight, or does not fit the overrides.
    """
    config = load_config(folder, overrides, trust_remote_code)
    config.num_labels = max(classes, 1)
    config.problem_type = "single_label_classification" if classes else "regression"
    config.pad_token_id = pad_token_id
    config.use_cache = False
    seed_world(init_seed)
    if random_init:
        with _quiet():
            model = AutoModelForSequenceClassification.from_config(
                config, dtype=torch.float32, trust_remote_code=trust_remote_code
            )
        anew: set[str] = set()
    else:
        model, anew = _from_checkpoint(folder, config, trust_remote_code)
    seed_world(head_seed)
    draw_head(model, anew)
    if gradient_checkpointing:
        cast(Any, model).gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def load_config(folder: Path, overrides: Mapping[str, Any], trust_remote_code: bool = False) -> Any:
    """Load config.json and apply overrides; an override that the configuration does not have is an error."""
    try:
        with _quiet():
            config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except (ValueError, OSError, KeyError) as error:
        raise UserError(
            f"the configuration in {folder} cannot be read ({_first_line(error)})",
            "a config.json with a model_type that transformers knows",
            "Check the folder, or set model.trust_remote_code=true if the model brings its own code.",
        ) from error
    known = [name for name in config.to_dict() if not name.startswith("_")]
    for name, value in overrides.items():
        if name not in known and not hasattr(config, name):
            raise UserError(
                f"model.overrides.{name}={value} is no option of {type(config).__name__}", suggest(name, known), ""
            )
        setattr(config, name, value)
    return config


def head_names(model: nn.Module) -> list[str]:
    """Return the names of the weights outside the base model: the classification head."""
    prefix = getattr(model, "base_model_prefix", "")
    body = {id(weight) for weight in _body(model).parameters()} if prefix else set()
    return [name for name, weight in model.named_parameters() if id(weight) not in body]


def draw_head(model: nn.Module, anew: set[str]) -> None:
    """Draw the head (and the modules of ``anew``, body weights that the checkpoint may lack) from the global generator
    by the model's own initialisation."""
    names = set(head_names(model)) | anew
    for path, module in model.named_modules():
        own = [f"{path}.{name}".lstrip(".") for name, _ in module.named_parameters(recurse=False)]
        if own and names.issuperset(own):
            with torch.no_grad():
                _initialise(model, module)


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


def _body(model: nn.Module) -> nn.Module:
    body = getattr(model, "base_model", model)
    return body if body is not model else getattr(model, "transformer", model)


def _from_checkpoint(folder: Path, config: Any, trust_remote_code: bool) -> tuple[nn.Module, set[str]]:
    try:
        with _quiet():
            model, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                output_loading_info=True,
                trust_remote_code=trust_remote_code,
                ignore_mismatched_sizes=True,  # reported below, with names
                low_cpu_mem_usage=True,
            )
    except SafetensorError as error:
        raise UserError(
            f"the weights in {folder} are damaged ({_first_line(error)})",
            "whole safetensors files",
            "Fetch them again.",
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError, EOFError) as error:
        raise UserError(
            f"the weights in {folder} cannot be loaded ({_first_line(error)})",
            "model.safetensors (or pytorch_model.bin) of this architecture beside config.json",
            "Check the folder, or set model.random_init=true to start from random weights.",
        ) from error
    heads = set(head_names(model))
    mismatched = {item[0] if isinstance(item, tuple) else item for item in report["mismatched_keys"]}
    named = {name for name, _ in model.named_parameters()}
    absent = {name for name in (set(report["missing_keys"]) | mismatched) if name in named} - heads
    poolers = {name for name in absent if any(word in name for word in POOLER_WORDS)}
    lacking = sorted(absent - poolers)
    if lacking:
        shown = ", ".join(lacking[:3]) + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
        raise UserError(
            f"the checkpoint in {folder} lacks {len(lacking)} of the body's weights "
            f"or has them in another shape: {shown}",
            "a checkpoint with every weight of the body (only a head may be missing)",
            "Use the right checkpoint, or undo the model.overrides that changed a shape.",
        )
    return model, poolers


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars, load reports and advice off the screen; what matters is raised here."""
    logger = transformers.utils.logging
    level, bars = logger.get_verbosity(), logger.is_progress_bar_enabled()
    logger.set_verbosity(logging.CRITICAL)
    logger.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.set_verbosity(level)
        if bars:
            logger.enable_progress_bar()


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:160]}" if text else type(error).__name__
