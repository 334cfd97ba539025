"""What a tracker gets of a run or a sweep, read from the ledger. Nothing here changes the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.errors import IntdimError
from intdim.ledger.records import read_metrics
from intdim.ledger.settings import flat
from intdim.track.base import RUN, SWEEP, Entry, Outcome, Scalar

FOLDERS = {RUN: ("runs", "result.json"), SWEEP: ("sweeps", "verdict.json")}
Line = tuple[int, dict[str, float]]  # a step and the numbers there


def folder_of(out: Path, kind: str, name: str) -> Path:
    """Return the folder of a run or a sweep."""
    return out / FOLDERS[kind][0] / name


def read_entry(out: Path, kind: str, name: str) -> Entry | None:
    """Return a run or a sweep, None where it has no ``spec.json`` that can be read."""
    spec = _table(folder_of(out, kind, name) / "spec.json")
    if spec is None:
        return None
    settings = {key: value for key, value in flat(spec).items() if isinstance(value, Scalar)}
    settings |= {key: " ".join(map(str, value)) for key, value in flat(spec).items() if isinstance(value, list)}
    group = f"{settings.get('model.name', '')} {settings.get('task.name', '')}".strip()
    return Entry(kind, name, group, settings)


def read_outcome(out: Path, kind: str, name: str) -> Outcome | None:
    """Return how a run or a sweep ended, None where it has not."""
    found = _table(folder_of(out, kind, name) / FOLDERS[kind][1])
    if found is None:
        return None
    words = {key: value for key, value in found.items() if isinstance(value, str) and value}
    words |= {key: " ".join(map(str, value)) for key, value in found.items() if key.endswith("run_ids") and value}
    return Outcome(numbers_of(found), words, found.get("status") == "failed")


def read_curve(out: Path, name: str) -> list[Line]:
    """Return the lines of a run's ``metrics.jsonl`` that have a step and a finite number."""
    lines = []
    for line in read_metrics(folder_of(out, RUN, name)):
        step, values = line.get("step"), numbers_of(line)
        values.pop("step", None)
        if isinstance(step, int) and values:
            lines.append((step, values))
    return lines


def numbers_of(table: Mapping[str, Any]) -> dict[str, float]:
    """Return the fields that are finite numbers; true and false are none."""
    found = {key: value for key, value in table.items() if isinstance(value, int | float)}
    return {key: value for key, value in found.items() if not isinstance(value, bool) and math.isfinite(value)}


def _table(file: Path) -> dict[str, Any] | None:
    try:
        found = durable.read_json(file)
    except (OSError, ValueError, RecursionError, IntdimError):
        return None
    return found if isinstance(found, dict) else None
