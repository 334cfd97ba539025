"""Every tensor of a checkpoint, accounted for: it is in the body, it is a head of another task, or it is refused.

A model that starts from other weights than its folder holds gives numbers that look like any others. So a tensor of the
body that is missing, has no place, stands there twice, or is stored in integers is an error. What transformers itself
leaves out (constants that are computed anew) and the heads of other tasks are expected, and the run's log names them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from intdim.errors import UserError
from intdim.models.weights import FLOATS, Stored, few

LOG = logging.getLogger(__name__)
ADAPTER = re.compile(
    r"(^|[._])(lora|ia3|loha|lokr|hada|vera|oft|boft|adalora|dora)_|^base_model\.model\.|\.base_layer\."
    r"|(^|\.)(adapters?|modules_to_save|original_module|prompt_embeddings|prompt_encoder|prefix_encoder)(\.|$)"
)
QUANTISED = re.compile(
    r"\.(qweight|qzeros|g_idx|absmax|nested_absmax|quant_map|nested_quant_map|SCB|weight_format|weight_packed"
    r"|weight_scale(_inv)?|weight_zero_point|input_scale|quant_state\.\S+|bitsandbytes__\S+)$"
)
CONSTANTS = re.compile(
    r"(position_ids|token_type_ids|inv_freq|masked_bias|attn\.bias|attention\.bias|_cached|version)$"
)
HEADS = re.compile(r"head|cls|classif|predict|lm_|vocab|qa_|decoder|score|logits|embed_out|summary|proj|dense|pooler")


def account(
    model: nn.Module,
    stored: Stored,
    report: Mapping[str, Any],
    folder: Path,
    heads: set[str],
    whole: Callable[[], nn.Module | None],
) -> set[str]:
    """Return the pooler's weights if the checkpoint lacks one of them: masked-LM checkpoints of BERT's family do.

    Args:
        model: as it was loaded.
        stored: what the checkpoint holds.
        report: of transformers: ``missing_keys``, ``mismatched_keys``, ``unexpected_keys``.
        folder: of the model, for messages.
        heads: names of the weights outside the body.
        whole: makes the model as the folder's own configuration says, without memory; None where it cannot.

    Raises:
        UserError: a weight of the body is missing, has another shape, is no float or not finite; or a tensor of the
            checkpoint has no place in the body.
    """
    unexpected = sorted(report["unexpected_keys"])
    _refuse_adapters_and_quantised(model, stored, folder)
    anew = _drawn_anew(model, report, folder, heads)
    _refuse_strange_values(model, stored, folder, skip=heads | anew)

    body = [name for name in unexpected if _in_body(name, model) and not CONSTANTS.search(name)]
    dropped = _dropped(body, whole) if body else []
    body = [name for name in body if name not in dropped and "pooler" not in name]
    if body:
        raise UserError(
            f"the checkpoint in {folder} holds {len(body)} weights of the body for which the model has no place: "
            f"{few(body)}",
            "a checkpoint and a config.json of the same model",
            "Put the config.json that belongs to the weights beside them.",
        )

    if dropped:
        LOG.info("not read, because model.overrides leaves them out: %s", few(dropped))
    _note_heads(stored, [name for name in unexpected if name not in dropped], heads)
    if anew:
        LOG.warning("%s has no weights for %s: drawn from the head's seed", folder, few(sorted(anew)))
    return anew


def _refuse_adapters_and_quantised(model: nn.Module, stored: Stored, folder: Path) -> None:
    """Raise ``UserError`` for tensors of adapters or of quantised weights, unless the model has such of its own."""
    own = set(model.state_dict())
    adapters = sorted(name for name in stored.dtypes if ADAPTER.search(name))
    if adapters and not any(ADAPTER.search(name) for name in own):
        raise UserError(
            f"the checkpoint in {folder} holds {len(adapters)} tensors of an adapter: {few(adapters)}",
            "the weights of a whole model",
            "Merge the adapter first (peft: model.merge_and_unload().save_pretrained(DIR)).",
        )
    quantised = sorted(name for name in stored.dtypes if QUANTISED.search(name))
    if quantised and not any(QUANTISED.search(name) for name in own):
        raise UserError(
            f"the weights in {folder} are quantised: they hold {few(quantised)}",
            "weights in float32, float16 or bfloat16",
            "Use the model they were made from, or dequantise and save it first.",
        )


def _drawn_anew(model: nn.Module, report: Mapping[str, Any], folder: Path, heads: set[str]) -> set[str]:
    """Return the weights of a pooler that is missing; raise ``UserError`` if anything else of the body is."""
    named = dict(model.named_parameters())  # a tied weight under its first name
    mismatched = {item[0] if isinstance(item, tuple) else item for item in report["mismatched_keys"]}
    gone = set(report["missing_keys"]) | mismatched
    absent = (gone & set(named)) - heads
    poolers = {name.rpartition(".")[0] for name in absent if "pooler" in name}
    lacking = [name for name in absent if name.rpartition(".")[0] not in poolers]
    lacking += [name for name in gone & set(_statistics(model)) if name not in heads]
    if lacking:
        raise UserError(
            f"the checkpoint in {folder} lacks {len(lacking)} of the body's weights "
            f"or has them in another shape: {few(sorted(lacking))}",
            "a checkpoint with every weight of the body (only a head may be missing)",
            "Use the right checkpoint, or undo the model.overrides that changed a shape.",
        )
    return {name for name in named if name.rpartition(".")[0] in poolers}


def _statistics(model: nn.Module) -> dict[str, Tensor]:
    """Return the running statistics of norms: buffers that a training made and no configuration says."""
    found = {name: buffer for name, buffer in model.named_buffers() if buffer.is_floating_point()}
    return {name: buffer for name, buffer in found.items() if name.rpartition(".")[2].startswith("running_")}


def _refuse_strange_values(model: nn.Module, stored: Stored, folder: Path, skip: set[str]) -> None:
    """Raise ``UserError`` for weights and saved buffers that are not finite, stored as integers, or there twice."""
    state = {name: tensor for name, tensor in model.state_dict().items() if name not in skip}
    floating = {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
    broken = [name for name, tensor in floating.items() if not tensor.sum().isfinite()]
    if broken:
        raise UserError(
            f"the checkpoint in {folder} holds NaN or infinity: {few(broken)}", "finite weights", "Fetch it again."
        )

    places: dict[str, list[str]] = {}
    for name in stored.dtypes:
        places.setdefault(_place(name, model), []).append(name)
    twice = [names for place, names in places.items() if len(names) > 1 and place in state]
    if twice:
        raise UserError(
            f"the checkpoint in {folder} holds {' and '.join(twice[0])}, which are the same weight under two names",
            "each weight once",
            "Remove one of them.",
        )
    integers = {names[0]: stored.dtypes[names[0]] for place, names in places.items() if place in floating}
    integers = {name: dtype for name, dtype in integers.items() if dtype not in FLOATS}
    if integers:
        name, dtype = next(iter(integers.items()))
        raise UserError(
            f"the checkpoint in {folder} stores {name} as {dtype}: its weights are quantised",
            "weights in float32, float16 or bfloat16",
            "Use the model they were made from, or dequantise and save it first.",
        )


def _place(name: str, model: nn.Module) -> str:
    """Return the name that a stored tensor has in the model, as far as names alone say it."""
    prefix = str(getattr(model, "base_model_prefix", "")) + "."
    plain = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
    plain = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", plain)
    return prefix + plain if plain.partition(".")[0] in _parts(model) and not plain.startswith(prefix) else plain


def _in_body(name: str, model: nn.Module) -> bool:
    """Tell whether a tensor without a place belongs to the base model, by the first part of its name."""
    first = name.partition(".")[0]
    return first == getattr(model, "base_model_prefix", "") or first in _parts(model)


def _dropped(names: list[str], whole: Callable[[], nn.Module | None]) -> list[str]:
    """Return those of the names that the model would have without the user's overrides."""
    model = whole()
    if model is None:
        return []
    places = {_place(name, model) for name in model.state_dict()}
    return [name for name in names if _place(name, model) in places]


def _note_heads(stored: Stored, left: list[str], heads: set[str]) -> None:
    """Name in the log what is not taken from the checkpoint: heads, or what no task's head is known by."""
    own = {name.partition(".")[0] for name in stored.dtypes if name in heads}
    other = {name.partition(".")[0] for name in left if not CONSTANTS.search(name)}
    poolers = {name for name in left if "pooler" in name}
    other -= {name.partition(".")[0] for name in poolers}
    unknown = sorted(name for name in other if not HEADS.search(name))
    known = sorted((other - set(unknown)) | own | ({"pooler"} if poolers else set()))
    if known:
        LOG.info("not taken from the checkpoint, because the head is drawn anew: %s", few(known))
    if unknown:
        LOG.warning("the checkpoint holds tensors of no part of the model and no head known here: %s", few(unknown))


def _parts(model: nn.Module) -> set[str]:
    """Return the first parts of the names in the base model."""
    body = find_body(model)
    return {name.partition(".")[0] for name in body.state_dict()} | {name for name, _ in body.named_children()}


def find_body(model: nn.Module) -> nn.Module:
    """Return the base model of a classifier, the classifier itself where it names none."""
    body: Any = getattr(model, "base_model", model)
    return body if body is not model else getattr(model, "transformer", model)
