"""Tensors on disk and the checkpoint of a run: safetensors with the facts in its header, written by rename."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from intdim import durable

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


class Checkpoint:
    """The checkpoint file of one run and the clock that says when the next is due."""

    def __init__(self, path: Path, every_seconds: float) -> None:
        self.path, self.every = path, every_seconds
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
        save_tensors(self.path, tensors, {"facts": json.dumps(facts)})
        self.last = time.monotonic()
        self.cost = self.last - start

    def restore(self, moving: dict[str, Tensor], optimiser: torch.optim.Optimizer) -> dict[str, Any] | None:
        """Put a checkpoint's values into ``moving`` and the optimiser; return its facts, or None where there is none.

        A checkpoint that cannot be read is dropped: the run then starts anew, which gives the same numbers.
        """
        try:
            tensors, metadata = load_tensors(self.path)
        except FileNotFoundError:
            return None
        except SafetensorError:
            self.drop()
            return None
        with torch.no_grad():
            for name, tensor in moving.items():
                tensor.copy_(tensors[f"moving.{name}"])
        saved = optimiser.state_dict()
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "state":
                number, _, key = rest.partition(".")
                state.setdefault(int(number), {})[key] = tensor
        optimiser.load_state_dict({"state": state, "param_groups": saved["param_groups"]})
        return json.loads(metadata["facts"])

    def drop(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
