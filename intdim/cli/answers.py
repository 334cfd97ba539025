"""Verdicts and cells in a few words, from the fields of their records; for commands that must be quick."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from intdim.report.words import d90_cell, interval, status_words, whole


def cell_words(names: Mapping[str, Any]) -> str:
    """Name a cell by its model, task, method, projection and scope: ``tiny docstrings-kind did fastfood global``."""
    return " ".join(str(names[key]) for key in ("model", "task", "method", "projection", "scope"))


def verdict_words(verdict: Mapping[str, Any]) -> str:
    """Return a verdict in one cell: ``1,230 [980, 1,560]``, ``≤ 8``, ``> 65,536``, or ``–`` with the status."""
    found: Any = SimpleNamespace(**verdict)
    word, ends = d90_cell(found, (found.d_min, found.d_max)), interval(found)
    if found.status != "found":
        return f"{word} {status_words(found.status)}"
    return f"{word} [{whole(ends[0])}, {whole(ends[1])}]" if ends else word


def run_words(spec: Mapping[str, Any], d: int | None = None) -> str:
    """Name a run by its cell and its d, or full fine-tuning by its learning rate, and by its seed."""
    where = spec["subspace"]
    cell = f"{spec['model']['name']} {spec['task']['name']}"
    if where["method"] == "full":
        return f"{cell} full, lr={spec['learning_rate']:g}, seed {spec['seed']}"
    inside = f"{where['method']} {where['projection']} {where['scope']}"
    size = f"d={spec['d'] if d is None else d:,}, s={spec['step_length']:g}"
    return f"{cell} {inside}, {size}, seed {spec['seed']}"
