"""Sizes that no model has: refused before a tensor is made, so that a damaged or hostile config.json ends at once."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from intdim.errors import UserError, echo

LARGEST_FILE = 64 << 20  # bytes of a config.json
DEEPEST = 30  # tables within tables
LIMITS = (  # names of options that are built one by one, or kept in a table, and the most that is believed
    (re.compile(r"layers?($|_)|depth$|blocks?$"), 1_000, "layers"),
    (re.compile(r"experts?($|_)"), 10_000, "experts"),
    (re.compile(r"heads?($|_)|groups?$"), 100_000, "heads"),
    (re.compile(r"labels$"), 1_000_000, "labels"),
)
SHARES = re.compile(r"dropout|pdrop$|layerdrop$")  # options between 0 and 1, which nobody checks before the first step
SWITCHES = ("output_attentions", "output_hidden_states", "return_dict")  # likewise, true or false


def read_config(folder: Path) -> dict[str, Any]:
    """Return config.json as it is written.

    Raises:
        UserError: it is no table of JSON, or asks for a size that no model has.
    """
    file = folder / "config.json"
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise ValueError(f"it has {file.stat().st_size:,} bytes")
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no table")
        _refuse_absurd(found, "config.json: ")
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"the configuration in {folder} cannot be read ({str(error).splitlines()[0][:120]})",
            "a config.json with a model_type that transformers knows",
            "Check the folder.",
        ) from None
    return found


def check_overrides(overrides: Mapping[str, Any]) -> None:
    """Raise ``UserError`` for overrides that ask for a size that no model has."""
    _refuse_absurd(overrides, "model.overrides: ")


def check_memory(config: Any, trust_remote_code: bool) -> None:
    """Raise ``UserError`` where a model's weights and constants alone are larger than this machine's memory."""
    model = unallocated(config, trust_remote_code)
    if model is None:
        return
    tensors = [*model.parameters(), *model.buffers()]
    size = sum(4 * tensor.numel() if tensor.is_floating_point() else tensor.nbytes for tensor in tensors)
    if 0 < machine_memory() < size:
        raise UserError(
            f"the configuration asks for {size / 1e9:,.1f} GB of weights, this machine has "
            f"{machine_memory() / 1e9:,.1f} GB of memory",
            "a model that fits into memory in float32",
            "Check the sizes in config.json and model.overrides, or choose a smaller model.",
        )


def unallocated(config: Any, trust_remote_code: bool) -> nn.Module | None:
    """Return the classifier of a configuration without memory for its weights; None where it cannot be made so."""
    with contextlib.suppress(Exception), torch.device("meta"):  # what is wrong with it is said when it is really made
        return AutoModelForSequenceClassification.from_config(
            copy.deepcopy(config), dtype=torch.float32, trust_remote_code=trust_remote_code
        )
    return None


def machine_memory() -> int:
    """Return the bytes of memory that this process could have at most, 0 where the system does not say."""
    sizes = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):  # no control group, or "max"
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(sizes, default=0)


def _refuse_absurd(table: Mapping[str, Any], where: str) -> None:
    for name, value in _numbers(table, 0):
        for pattern, limit, word in LIMITS:
            if pattern.search(name) and value > limit:
                shown = f"{value:,}" if value < 10**15 else "more than 10^15"
                raise UserError(f"{where}{name[:60]} asks for {shown} {word}", f"at most {limit:,}", "Correct it.")
        if SHARES.search(name) and not 0 <= value <= 1:
            raise UserError(f"{where}{name[:60]} is {value:g}", "a number from 0 to 1", "Correct it.")
    for name in SWITCHES:
        if not isinstance(table.get(name), bool | None):
            raise UserError(f"{where}{name} is {echo(table[name])!r}", "true or false", "Correct it.")


def _numbers(value: Any, depth: int, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number in nested tables with its name, and for a table of labels their count."""
    if depth > DEEPEST:
        raise UserError("config.json nests more than 30 tables", "the configuration of one model", "Check the file.")
    if isinstance(value, Mapping):
        if name in ("id2label", "label2id"):
            yield "num_labels", len(value)
            return
        for key, item in value.items():
            yield from _numbers(item, depth + 1, str(key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value
