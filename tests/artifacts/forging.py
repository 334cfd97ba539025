"""Artifacts that are not as they were written: changed, and sealed again as anyone can."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from intdim.artifacts.file import HEADER, seal_of
from intdim.run.checkpoint import load_tensors, save_tensors

Change = Callable[[dict[str, Any], dict[str, Tensor]], object]


def rewritten(path: Path, there: Path, change: Change) -> Path:
    """A copy of an artifact whose header and tensors went through ``change``, without a new seal."""
    tensors, metadata = load_tensors(path)
    header = json.loads(metadata[HEADER])
    change(header, tensors)
    save_tensors(there, tensors, {HEADER: json.dumps(header)})
    return there


def forged(path: Path, there: Path, change: Change) -> Path:
    """A copy that went through ``change`` and was sealed again."""

    def sealed(header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        change(header, tensors)
        header["seal"] = seal_of(header, tensors)

    return rewritten(path, there, sealed)
