"""Masked language models to pre-train, and their losses.

BERT with its two heads, or any architecture that transformers has a masked-LM head for: drawn from a configuration, or
loaded so that its training goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForMaskedLM, BertConfig, BertForPreTraining, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from intdim.errors import UserError, suggest
from intdim.fingerprint import MODEL_FILES, fingerprint_folder
from intdim.models.files import first_line, load_config, quiet
from intdim.request import Start

# The modules that lead from the last hidden states to scores, each place by itself, so that only the hidden places need
# be scored; an architecture that is not here scores them all.
HEADS = {
    "albert": ("predictions",),
    "bert": ("cls",),
    "camembert": ("lm_head",),
    "electra": ("generator_predictions", "generator_lm_head"),
    "modernbert": ("head", "decoder"),
    "roberta": ("lm_head",),
    "xlm-roberta": ("lm_head",),
}
# RoBERTa's family counts positions from the padding token's number on.
FROM_PAD = ("camembert", "data2vec-text", "longformer", "roberta", "roberta-prelayernorm", "xlm-roberta", "xmod")
SHAPES = {  # names of ours and what configurations call them
    "hidden_size": ("hidden_size",),
    "layers": ("num_hidden_layers",),
    "heads": ("num_attention_heads",),
    "intermediate_size": ("intermediate_size", "hidden_dim", "d_inner"),
    "max_positions": ("max_position_embeddings",),
}
WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")


def identity(start: Start) -> dict[str, Any]:
    """Return what of ``start`` decides the numbers, by content.

    Raises:
        UserError: its configuration cannot be read.
    """
    if start.folder:
        return {"folder": fingerprint_folder(Path(start.folder).expanduser(), MODEL_FILES)}
    if start.kind:
        return {"kind": start.kind}

    _read(start.config)  # says what is wrong with it
    place = Path(start.config).expanduser()
    said = json.loads((place / "config.json" if place.is_dir() else place).read_text(encoding="utf-8"))
    return {"config": {key: value for key, value in said.items() if key != "transformers_version"}}


def make_bert(shapes: Mapping[str, int], vocabulary: int, pad: int) -> BertForPreTraining:
    """Draw a BERT with a masked-LM head (tied to the embeddings) and a next-segment head."""
    return BertForPreTraining(
        BertConfig(
            vocab_size=vocabulary,
            hidden_size=shapes["hidden_size"],
            num_hidden_layers=shapes["layers"],
            num_attention_heads=shapes["heads"],
            intermediate_size=shapes["intermediate_size"],
            max_position_embeddings=shapes["max_positions"],
            pad_token_id=pad,
        )
    )


def make_other(start: Start, shapes: Mapping[str, int], tokenizer: PreTrainedTokenizerBase) -> nn.Module:
    """Draw or load the masked LM that ``start`` names, in float32.

    Raises:
        UserError: the architecture, configuration or folder does not exist; it has no masked-LM head; or a weight of
            the body is missing.
    """
    model = _loaded(Path(start.folder).expanduser()) if start.folder else _drawn(start, shapes, tokenizer)
    rows = getattr(model.get_input_embeddings(), "num_embeddings", 0)  # pyright: ignore
    if 0 < rows < len(tokenizer):
        raise UserError(
            f"the tokenizer has {len(tokenizer)} tokens, the model embeddings for {rows}",
            "a tokenizer whose tokens all have an embedding",
            "Put the model's own tokenizer beside its config.json.",
        )
    return model


def check_window(model: nn.Module, ids: Tensor, window: int) -> None:
    """Raise ``UserError`` where the model cannot read a batch (N, L) of windows: positions end before them, ..."""
    model.eval()
    try:
        with torch.no_grad():
            model(input_ids=ids, attention_mask=torch.ones_like(ids))
    except Exception as error:  # an index out of range, heads that do not divide a width
        config: Any = model.config
        said = getattr(config, "max_position_embeddings", None)
        held = f"; its max_position_embeddings is {said}" if isinstance(said, int) else ""
        raise UserError(
            f"{type(model).__name__} cannot read a window of {window} tokens ({first_line(error)}{held})",
            "a window that its positions hold (RoBERTa's family keeps the first ones to itself)",
            "Lower window, or correct the configuration.",
        ) from error


def losses(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the losses of a batch by name: ``masked_loss``, and BERT's ``next_loss`` where the batch has pairs."""
    module: Any = model
    hidden_places = batch["rows"], batch["columns"]
    read = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    if "other" in batch:
        body = module.bert(**read, token_type_ids=batch["token_type_ids"])
        logits, follows = module.cls(body.last_hidden_state[hidden_places], body.pooler_output)
        masked = nn.functional.cross_entropy(logits.float(), batch["tokens"])
        return {"masked_loss": masked, "next_loss": nn.functional.cross_entropy(follows.float(), batch["other"])}
    head = HEADS.get(module.config.model_type)
    if head:
        scores = module.base_model(**read).last_hidden_state[hidden_places]
        for name in head:
            scores = getattr(module, name)(scores)
    else:
        scores = module(**read).logits[hidden_places]
    return {"masked_loss": nn.functional.cross_entropy(scores.float(), batch["tokens"])}


def _drawn(start: Start, shapes: Mapping[str, int], tokenizer: PreTrainedTokenizerBase) -> nn.Module:
    config = _shaped(start.kind, shapes, tokenizer) if start.kind else _read(start.config)
    config.vocab_size = len(tokenizer)
    named = {"bos": "cls", "eos": "sep"}  # what a configuration may call the first and the last token
    for kind in ("pad", "cls", "sep", "mask", "bos", "eos"):
        if hasattr(config, f"{kind}_token_id"):
            setattr(config, f"{kind}_token_id", getattr(tokenizer, f"{named.get(kind, kind)}_token_id"))
    try:
        with quiet():
            return AutoModelForMaskedLM.from_config(config, dtype=torch.float32)
    except Exception as error:  # an architecture without the head, shapes that do not fit each other
        raise _no_masked_lm(f"model.config={start.kind or start.config}", error) from error


def _shaped(kind: str, shapes: Mapping[str, int], tokenizer: PreTrainedTokenizerBase) -> Any:
    if kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise UserError(
            f"model.config={kind} is neither a file nor a model type with a masked-LM head",
            suggest(kind, MODEL_FOR_MASKED_LM_MAPPING_NAMES),
            "Give a model type of transformers, a config.json, or a folder with one.",
        )
    known = AutoConfig.for_model(kind)
    names = {*known.to_dict(), *type(known).attribute_map}
    options: dict[str, int] = {}
    for ours, theirs in SHAPES.items():
        name = next((name for name in theirs if name in names), None)
        if name is not None:
            options[name] = shapes[ours]
        elif ours != "max_positions":
            raise UserError(
                f"model.config={kind}: its configuration has no {theirs[0]}",
                "a model type whose shapes go by model.hidden_size, layers, heads and intermediate_size",
                "Write its config.json and give that.",
            )
    if kind in FROM_PAD:
        pad: Any = tokenizer.pad_token_id
        options["max_position_embeddings"] += pad + 1
    try:
        return AutoConfig.for_model(kind, **options)
    except Exception as error:
        raise _no_masked_lm(f"model.config={kind}", error) from error


def _read(path: str) -> Any:
    place = Path(path).expanduser()
    if place.is_dir():
        return load_config(place, {})
    try:
        with quiet():
            return AutoConfig.from_pretrained(place)
    except Exception as error:  # no JSON, no model_type, options that do not fit
        raise UserError(
            f"model.config={path} cannot be read ({first_line(error)})",
            "a config.json with a model_type that transformers knows",
            "Check the file.",
        ) from error


def _loaded(folder: Path) -> nn.Module:
    load_config(folder, {})
    if not any(next(folder.glob(pattern), None) for pattern in WEIGHT_FILES):
        raise UserError(
            f"{folder} holds no weights",
            " or ".join(WEIGHT_FILES) + " beside config.json",
            "Use model.config= to start from its configuration and random weights.",
        )
    try:
        with quiet():
            model, report = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    except Exception as error:  # damaged files, an architecture without the head
        raise _no_masked_lm(str(folder), error) from error
    prefix = f"{model.base_model_prefix}."
    lacking = sorted(name for name in report["missing_keys"] if name.startswith(prefix))
    if lacking:
        raise UserError(
            f"the checkpoint in {folder} lacks {len(lacking)} of the body's weights, such as {lacking[0]}",
            "a checkpoint with every weight of the body (the head may be missing)",
            "Use the right checkpoint.",
        )
    return model


def _no_masked_lm(what: str, error: Exception) -> UserError:
    return UserError(
        f"{what}: no masked language model can be made of it ({first_line(error)})",
        "an architecture that transformers has a masked-LM head for, shapes that fit each other, complete files",
        "Check the configuration.",
    )
