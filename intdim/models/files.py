"""The small files of a model's folder: its configuration with the user's overrides, and its tokenizer."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import transformers
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase

from intdim import durable
from intdim.errors import UserError, echo, suggest
from intdim.models.limits import check_overrides, read_config

TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken")
PADS_LEFT = ("xlnet",)  # its head reads the last place of the sequence; every other head finds its token by itself
DECIDED_HERE = (  # by the task or by the loader: an override would be ignored, so it is refused
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "model_type",
    "num_labels",
    "pad_token_id",
    "problem_type",
    "torch_dtype",
    "transformers_version",
    "use_cache",
)


def load_tokenizer(folder: Path, trust_remote_code: bool = False, stand_in: bool = True) -> PreTrainedTokenizerBase:
    """Load a tokenizer; one without a padding token pads with its end or unknown token (no weight is added), or stays
    without one where no ``stand_in`` is wanted.

    It pads on the right, whatever it says, unless the model's head reads the last place: with padding on the left a
    model that counts positions from the left would give other numbers for the same text.

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
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # transformers raises many kinds here, all of them mean the same
        raise UserError(
            f"no tokenizer can be read from {folder} ({first_line(error)})",
            "tokenizer.json or the vocabulary files beside config.json",
            "Save the tokenizer into the folder with save_pretrained.",
        ) from error
    if tokenizer.pad_token_id is None and stand_in:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
    longest = tokenizer.model_max_length
    if isinstance(longest, bool | str) or not longest >= 1:
        raise UserError(
            f"the tokenizer in {folder} has model_max_length={echo(longest)}",
            "a number of tokens, at least 1",
            "Correct it in tokenizer_config.json.",
        )
    tokenizer.padding_side = "left" if _model_type(folder) in PADS_LEFT else "right"
    return tokenizer


def load_config(folder: Path, overrides: Mapping[str, Any], trust_remote_code: bool = False) -> Any:
    """Load config.json and apply overrides.

    Raises:
        UserError: the file cannot be read; an override is no option of the configuration, has a value of the wrong
            kind, or would be ignored because the task decides it.
    """
    read_config(folder)  # sizes are looked at first: transformers would make a table of a billion labels
    check_overrides(overrides)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # transformers raises many kinds here, all of them mean the same
        raise UserError(
            f"the configuration in {folder} cannot be read ({first_line(error)})",
            "a config.json with a model_type that transformers knows",
            "Check the folder, or set model.trust_remote_code=true if the model brings its own code.",
        ) from error
    attributes = set(vars(config)) | set(config.to_dict()) | set(type(config).attribute_map)
    known = sorted(name for name in attributes if not name.startswith("_") and name not in DECIDED_HERE)
    for name, value in overrides.items():
        shown = f"model.overrides.{name}={value}"
        if name in DECIDED_HERE:
            raise UserError(
                f"{shown} would have no effect: the task or the loader decides {name}",
                f"options of the architecture, such as {', '.join(known[:3])}",
                "Drop it.",
            )
        if name not in known:
            raise UserError(f"{shown} is no option of {type(config).__name__}", suggest(name, known), "")
        try:
            setattr(config, name, value)
        except Exception as error:  # strict configurations check the type
            raise UserError(
                f"{shown} does not fit: {_last_line(error)}", f"as in {name}={getattr(config, name)}", "Correct it."
            ) from error
    layers = getattr(config, "num_hidden_layers", 1)
    if isinstance(layers, int) and layers < 1:
        raise UserError(f"the model would have {layers} layers", "num_hidden_layers of at least 1", "Raise it.")
    return config


def _model_type(folder: Path) -> str:
    try:
        config = durable.read_json(folder / "config.json")
    except (OSError, ValueError):
        return ""
    return str(config.get("model_type", "")) if isinstance(config, dict) else ""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
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


def first_line(error: BaseException) -> str:
    """Return an error's kind and the first line of its message, with the second where the first announces it."""
    text = str(error).strip().splitlines()
    said = " ".join(line.strip() for line in text[: 2 if text[0].endswith(":") else 1]) if text else ""
    return f"{type(error).__name__}: {said[:160]}" if said else type(error).__name__


def _last_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[-1].strip()[:160] if text else type(error).__name__
