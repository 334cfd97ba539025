"""A measurement whose runs are read off a known curve: the program alone, without a driver or files."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from intdim.ledger.results import RunResult
from intdim.measurement.program import Measurement
from intdim.spec import RunSpec, SweepSpec
from tests import cells
from tests.records import result_of

Score = Callable[[RunSpec], float]


def sweep_spec(**changes: Any) -> SweepSpec:
    """Return a sweep over the range of ``cells.SEARCH``."""
    prepared, cell = cells.prepared(), cells.cell()
    made = SweepSpec(
        model=prepared.model,
        task=prepared.task,
        subspace=cell.subspace,
        train=cell.train,
        search=cell.search,
        step_lengths=cell.step_lengths,
        learning_rates=cell.learning_rates,
        baseline_seeds=3,
        seed=0,
    )
    return replace(made, **changes)


def logistic(spec: RunSpec) -> float:
    """Return a score with d90 at about 290; full fine-tuning reaches 0.9, chance is 0.5."""
    noise = 0.004 * np.random.default_rng(spec.seed).standard_normal()
    if spec.subspace.method == "full":
        return 0.9 + noise
    return 0.5 + 0.4 / (1 + math.exp(4.5 - 1.1 * math.log(spec.d))) + noise


def drive(measurement: Measurement, score: Score = logistic) -> list[list[RunSpec]]:
    """Answer a measurement's program until it ends; return the batches that it asked for."""
    batches, program, results = [], measurement.program(), None
    while True:
        try:
            batch = next(program) if results is None else program.send(results)
        except StopIteration:
            return batches
        batches.append(batch)
        results = [answer(spec, score(spec)) for spec in batch]


def answer(spec: RunSpec, score: float) -> RunResult:
    """Return the result of a run with this score; NaN is a failed run."""
    if math.isnan(score):
        return result_of(spec, status="failed", reason="the loss is not finite", eval_score=None, select_score=None)
    return result_of(spec, eval_score=score, select_score=score)


def measured(score: Score = logistic, **changes: Any) -> Measurement:
    """Return a measurement whose program has ended."""
    made = Measurement(sweep_spec(**changes), cells.prepared().facts)
    drive(made, score)
    return made
