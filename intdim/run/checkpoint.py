"""Tensors on disk and the checkpoint of a run: safetensors with the facts in its header, written by rename.

What a run reads back itself is sealed: the header names the run and has the hash of facts and tensors, so that a file
that was cut, changed, or put there from another run is found out.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from intdim import durable
from intdim.seals import Damaged, shown

SHARE_OF_TIME = 0.05  # a checkpoint may cost at most this share of a run: large ones are written less often


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write named tensors and their metadata as one safetensors file that is either whole or absent."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    durable.write_bytes(path, save(plain, metadata=metadata))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read what ``save_tensors`` wrote, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        SafetensorError: the file is damaged.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})


def save_sealed(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any], owner: str) -> None:
    """Write named tensors and facts (JSON, NaN and infinity included) that belong to ``owner``, with their hash."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts)
    # one entry: the library writes several in any order, and the same content should be the same bytes
    seal = {"facts": text, "owner": owner, "sha256": _hash(plain, text, owner)}
    save_tensors(path, plain, {"sealed": json.dumps(seal)})


def load_sealed(path: Path, owner: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the (tensors, facts) that ``save_sealed`` wrote, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        Damaged: it cannot be read, was changed, or belongs to another owner.
    """
    try:
        with durable.opened(path):  # a pipe in its place would hang the library
            pass
        tensors, metadata = load_tensors(path)
        seal = json.loads(metadata["sealed"])
        text, theirs, known = seal["facts"], seal["owner"], seal["sha256"]
        facts = json.loads(text)
    except FileNotFoundError as error:
        if not os.path.lexists(path):
            raise
        raise Damaged(path, "it is a link to nothing") from error
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Damaged(path, "it has no facts" if isinstance(error, KeyError) else error) from error

    if theirs != owner:
        raise Damaged(path, f"it belongs to {shown(str(theirs))[:80]}")
    if known != _hash(tensors, text, owner) or not isinstance(facts, dict):
        raise Damaged(path, "it was changed after it was written")
    return tensors, facts


def misfit(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> str:
    """Return in what tensors differ from what they are to replace, in names, types or shapes; "" where they fit."""
    if set(found) != set(wanted):
        return f"it holds {', '.join(sorted(found))[:80] or 'nothing'} in place of {', '.join(sorted(wanted))[:80]}"
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            return f"{name} is {_kind(tensor)} in place of {_kind(wanted[name])}"
    return ""


class Checkpoint:
    """The checkpoint file of one run and the clock that says when the next is due.

    Args:
        path: where it is.
        every_seconds: least time between two.
        owner: what the run is called; the checkpoint of another is not taken.
    """

    def __init__(self, path: Path, every_seconds: float, owner: str = "") -> None:
        self.path, self.every, self.owner = path, every_seconds, owner
        self.last, self.cost = time.monotonic(), 0.0

    def due(self) -> bool:
        """True when the interval has passed and writing would cost less than its share of the time."""
        waited = time.monotonic() - self.last
        return waited >= max(self.every, self.cost / SHARE_OF_TIME)

    def save(self, moving: dict[str, Tensor], optimiser: torch.optim.Optimizer, facts: dict[str, Any]) -> None:
        """Write what moves, the optimiser's state and the facts."""
        start = time.monotonic()
        tensors = {f"moving.{name}": tensor for name, tensor in moving.items()}
        for number, state in optimiser.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"state.{number}.{key}"] = torch.as_tensor(value)
        save_sealed(self.path, tensors, facts, self.owner)
        self.last = time.monotonic()
        self.cost = self.last - start

    def restore(self, moving: dict[str, Tensor], optimiser: torch.optim.Optimizer) -> dict[str, Any] | None:
        """Put a checkpoint's values into ``moving`` and the optimiser; return its facts, or None where there is none.

        Raises:
            Damaged: it cannot be used; ``moving`` and the optimiser are as they were.
        """
        try:
            tensors, facts = load_sealed(self.path, self.owner)
        except FileNotFoundError:
            return None

        values: dict[str, Tensor] = {}
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            number, _, key = rest.partition(".")
            if kind == "moving":
                values[rest] = tensor
            elif kind == "state" and number.isdigit():
                states.setdefault(int(number), {})[key] = tensor
        why = misfit(values, moving) or _misfit_of_states(states, optimiser)
        if why:
            raise Damaged(self.path, why)

        with torch.no_grad():
            for name, tensor in moving.items():
                tensor.copy_(values[name])
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": states, "param_groups": groups})
        return facts

    def drop(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def _misfit_of_states(states: dict[int, dict[str, Tensor]], optimiser: torch.optim.Optimizer) -> str:
    """Return in what an optimiser's states do not fit what it moves, "" where they do."""
    moved = [weight for group in optimiser.param_groups for weight in group["params"]]
    for number, state in states.items():
        if number >= len(moved):
            return f"the optimiser has no {number}th weight"
        for key, value in state.items():
            if value.ndim and value.shape != moved[number].shape:
                return f"the optimiser's {key} is {_kind(value)} in place of {tuple(moved[number].shape)}"
    return ""


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _hash(tensors: dict[str, Tensor], facts: str, owner: str) -> str:
    """Return the SHA-256 of an owner, of facts, and of names, types, shapes and bytes of tensors on the CPU."""
    digest = hashlib.sha256(json.dumps([owner, facts]).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
