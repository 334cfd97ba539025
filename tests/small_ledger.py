"""A results folder of a few made-up sweeps and their runs, with answers, in milliseconds a run."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from intdim import durable
from intdim.ledger import commands
from intdim.ledger.commands import Command, Progress
from intdim.ledger.origin import Origin, this_process
from intdim.ledger.results import Answers, RunResult
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Point
from intdim.spec import RunSpec, SubspaceSpec, SweepSpec
from tests import cells
from tests.records import result_of, verdict

FULL = SubspaceSpec("full", "none", "none", "none", ())
EXAMPLES = 200
ENVIRONMENT = {"host": "gauss", "device": "x86_64", "threads": 1, "versions": {"torch": "2.9", "intdim": "0.1.0"}}


@dataclass(frozen=True)
class Made:
    """A finished sweep."""

    out: Path
    spec: SweepSpec
    observed: list[str]
    baselines: list[str]
    tried: list[str]

    @property
    def runs(self) -> list[str]:
        return [*self.observed, *self.baselines, *self.tried]


def spec_of(seed: int = 0, method: str = "did") -> SweepSpec:
    """Return the sweep of a cell."""
    facts = cells.prepared()
    where = SubspaceSpec(method, "one_hot", "global", "layer" if method == "said" else "none", ())
    return SweepSpec(
        facts.model, facts.task, where, cells.TRAIN, cells.SEARCH, (1.0, 3.0), (1e-3, 3e-3), baseline_seeds=2, seed=seed
    )


def run(out: Path, spec: RunSpec, score: float = 0.75, examples: int = EXAMPLES, **changes: Any) -> str:
    """Finish a run with answers of a score, unless it is there; return its id."""
    ledger, run_id = Ledger(out), spec.run_id
    if ledger.result(run_id):
        return run_id
    ledger.write_spec(run_id, spec)
    folder = ledger.run_folder(run_id)
    durable.write_json(folder / "environment.json", ENVIRONMENT)
    labels = np.arange(examples) % 2
    hard = np.random.default_rng(0).random(examples) + 0.3 * np.random.default_rng(spec.seed).random(examples)
    right = round(score * examples)
    predictions = np.where(np.argsort(np.argsort(hard)) < right, labels, 1 - labels)
    Answers(predictions, labels, np.ones(examples, dtype=np.uint8), 10, 10).write(folder)
    found = {"d": spec.d or 1000, "eval_score": right / examples} | changes
    ledger.write_result(result_of(spec, **found))
    return run_id


def single(out: Path, d: int = 16, seed: int = 0, score: float = 0.75, **changes: Any) -> str:
    """Finish a run that no sweep asked for."""
    cell = spec_of()
    return run(out, RunSpec(cell.model, cell.task, cell.subspace, cell.train, d, 3.0, 0.0, seed), score, **changes)


def sweep(out: Path, seed: int = 0, method: str = "did", **changes: Any) -> Made:
    """Finish a sweep of two observed runs, two of the baseline and one that tried a step length."""
    cell = spec_of(seed, method)
    Ledger(out).open()

    def made(where: SubspaceSpec, d: int, s: float, rate: float, number: int, score: float) -> str:
        asked = RunSpec(cell.model, cell.task, where, cell.train, d, s, rate, 100 * seed + number)
        return run(out, asked, score)

    observed = [made(cell.subspace, d, 3.0, 0.0, d, 0.6 + d / 400) for d in (20, 40)]
    baselines = [made(FULL, 0, 0.0, 1e-3, number, 0.9) for number in (1, 2)]
    tried = [made(cell.subspace, 20, 1.0, 0.0, 3, 0.55)]
    found = verdict(
        sweep_id=cell.sweep_id,
        model=cell.model.name,
        task=cell.task.name,
        method=method,
        groups=cell.subspace.groups,
        runs=5,
        run_ids=observed,
        baseline_run_ids=baselines,
        other_run_ids=tried,
        baseline_scores=[0.9, 0.9],
        **changes,
    )
    points = [Point(d, 0.6 + d / 400, None, 1, "3.0", one) for d, one in zip((20, 40), observed, strict=True)]
    Ledger(out).write_sweep(cell, found, points)
    return Made(out, cell, observed, baselines, tried)


def command(sweep_id: str = "", **changes: Any) -> Command:
    """Return the record of a command of this process that runs; ``origin`` changes its origin's fields."""
    now = commands.utc(time.time())
    progress = Progress("tiny", "docstrings-package", "did", "one_hot", "global", "none", 0, "running", "search", 3, 12)
    origin: Origin = replace(this_process(), **{"words": ("intdim", "sweep")} | changes.pop("origin", {}))
    progress = replace(progress, **changes.pop("progress", {}))
    made = Command(1, origin, now, now, None, "running", "", {sweep_id: progress} if sweep_id else {})
    return replace(made, **changes)


def write(out: Path, made: Command) -> Path:
    """Write a command's record; return its file."""
    Ledger(out).open()
    commands.write(out, made)
    return out / commands.COMMANDS / f"{made.name}.json"


def result(out: Path, run_id: str) -> RunResult:
    """Return a run's result."""
    found = Ledger(out).result(run_id)
    assert found is not None
    return found


def change(file: Path, **changes: Any) -> None:
    """Change fields of a JSON file by hand."""
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")
