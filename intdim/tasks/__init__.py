"""Tasks: where their rows come from, how they are stored, batched and scored.

``prepare_task`` reads and tokenises a task once; ``load_task`` gives a worker the stored tensors. Both come from
``stored`` and are imported when asked for, so that what only needs a metric or rows never waits for torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_STORED = ("Split", "TaskData", "load_task", "prepare_task")


def __getattr__(name: str) -> Any:
    """Import the functions of ``stored`` on first use."""
    if name in _STORED:
        return getattr(importlib.import_module("intdim.tasks.stored"), name)
    raise AttributeError(f"module 'intdim.tasks' has no attribute {name!r}")
