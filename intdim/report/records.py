"""What is read from ``out``: finished sweeps with their points and runs, as plain dictionaries.

Nothing here writes, and nothing here needs pandas, so that a command that only looks is quick.
"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intdim.durable import read_json
from intdim.errors import UserError


@dataclass(frozen=True)
class SweepRecord:
    """One finished sweep: ``spec.json`` and ``verdict.json`` as they are, ``points.csv`` with numbers as numbers,
    and the results that ``out`` still has of the runs that the verdict names: those the search was told of, those of
    the baseline, and ``other_runs`` (step lengths or learning rates that were tried and not kept)."""

    sweep_id: str
    spec: dict[str, Any]
    verdict: dict[str, Any]
    points: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    baseline_runs: list[dict[str, Any]]
    other_runs: list[dict[str, Any]]

    @property
    def range(self) -> tuple[int, int]:
        """d_min and d_max of the search, in trained dimensions."""
        search = self.spec["search"]
        return int(self.verdict.get("d_min", search["d_min"])), int(self.verdict.get("d_max", search["d_max"]))


def read_sweep(out: Path, sweep_id: str, runs: dict[str, dict[str, Any]] | None = None) -> SweepRecord | None:
    """Return one sweep, or None where it has no verdict yet.

    Args:
        out: the results folder.
        sweep_id: a folder name under ``out/sweeps``.
        runs: results by run id, if they have been read already; else the ones that the verdict names are read.

    Raises:
        UserError: a file of the sweep is damaged.
    """
    folder = out / "sweeps" / sweep_id
    verdict = read_object(folder / "verdict.json")
    if verdict is None:
        return None
    spec = read_object(folder / "spec.json")
    if spec is None:
        raise UserError(f"{folder} has a verdict and no spec.json", "", "Remove the folder and repeat the sweep.")
    found = [
        [result for run_id in verdict.get(key) or [] if (result := _result(out, run_id, runs)) is not None]
        for key in ("run_ids", "baseline_run_ids", "other_run_ids")
    ]
    return SweepRecord(sweep_id, spec, verdict, read_points(folder / "points.csv"), *found)


def read_sweeps(out: Path, chosen: list[str] | None = None) -> tuple[list[SweepRecord], list[str]]:
    """Return the finished sweeps, ordered by model, task, method, projection, scope and id, and the ids of the others.

    Args:
        out: the results folder.
        chosen: sweep ids, or beginnings of them that fit one sweep only; None for all.

    Raises:
        UserError: a chosen sweep does not exist, or a file is damaged.
    """
    folder = out / "sweeps"
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    names = [name for name in names if not name.startswith(".")]
    if chosen is not None:
        names = [_the_one(word, names, folder) for word in dict.fromkeys(chosen)]
    runs = {run["run_id"]: run for run in read_runs(out)}
    records, unfinished = [], []
    for name in names:
        record = read_sweep(out, name, runs)
        if record is None:
            unfinished.append(name)
        else:
            records.append(record)
    keys = ("model", "task", "method", "projection", "scope", "groups")
    records.sort(key=lambda record: ([str(record.verdict[key]) for key in keys], record.sweep_id))
    return records, unfinished


def read_runs(out: Path) -> list[dict[str, Any]]:
    """Return ``result.json`` of every ended run with model, task, scope and groups of its ``spec.json``, by run id."""
    folder = out / "runs"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [result for name in names if (result := _result(out, name, None)) is not None]


def read_points(path: Path) -> list[dict[str, Any]]:
    """Return ``points.csv`` with d and seeds as int and scores as float (None where there is none). ``step_length``
    stays text: a point may hold runs of several lengths."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    try:
        for row in rows:
            row["d"], row["seeds"] = int(float(row["d"])), int(float(row["seeds"]))
            for key in ("score_mean", "score_std"):
                value = float(row[key] or "nan")
                row[key] = value if math.isfinite(value) else None
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error
    return rows


def read_object(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, None where there is no file.

    Raises:
        UserError: the file is no JSON object.
    """
    try:
        value = read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error
    if value is not None and not isinstance(value, dict):
        raise _damaged(path, f"a {type(value).__name__} where a table belongs")
    return value


def _result(out: Path, run_id: str, known: dict[str, dict[str, Any]] | None) -> dict[str, Any] | None:
    if known is not None:
        return known.get(run_id)
    folder = out / "runs" / run_id
    result = read_object(folder / "result.json")
    if result is None:
        return None
    spec = read_object(folder / "spec.json") or {}
    subspace = spec.get("subspace", {})
    facts = {
        "model": spec.get("model", {}).get("name"),
        "task": spec.get("task", {}).get("name"),
        "scope": subspace.get("scope"),
        "groups": subspace.get("groups"),
    }
    return {"run_id": run_id} | facts | result


def _the_one(word: str, names: list[str], folder: Path) -> str:
    fitting = [name for name in names if name.startswith(word)] if word else []
    if len(fitting) != 1:
        what = f"fits {len(fitting)} sweeps" if fitting else "is no sweep"
        listed = ", ".join((fitting or names)[:8]) or "none"
        raise UserError(f"'{word}' {what} in {folder}", f"Sweeps there: {listed}", "Give the id of one sweep.")
    return fitting[0]


def _damaged(path: Path, error: object) -> UserError:
    return UserError(f"{path} is damaged: {error}", "", "Remove the folder it is in and repeat the sweep.")
