"""Results and verdicts as they are recorded, made up for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from intdim.ledger.results import RunResult
from intdim.ledger.verdict import SecondVerdict, StepLengthEvidence, Verdict
from intdim.spec import RunSpec


def result_of(spec: RunSpec, **changes: Any) -> RunResult:
    """Return what a run might have found: half of everything right, in ten steps."""
    made = RunResult(
        run_id=spec.run_id,
        status="done",
        reason="",
        stopped="",
        d=spec.d,
        D=1000,
        method=spec.subspace.method,
        projection=spec.subspace.projection,
        step_length=spec.step_length,
        learning_rate=0.01,
        seed=spec.seed,
        train_score=0.5,
        eval_score=0.5,
        select_score=0.5,
        eval_loss=0.7,
        half_scores=[0.5, 0.5],
        metric=spec.task.metric,
        steps=10,
        best_step=10,
        other_step=10,
        seconds=1.0,
        peak_memory_bytes=1 << 30,
        update_cosine=1.0,
        update_kept=1.0,
        update_moved=1.0,
    )
    return replace(made, **changes)


def verdict(**changes: Any) -> Verdict:
    """Return a verdict that was found at d90 = 31.5."""
    other = SecondVerdict("above_chance", 0.86, "budget_spent", None, 40.0, None, "", 41.0, None, 0.01, "runs")
    made = Verdict(
        sweep_id="0123456789abcdef",
        model="tiny",
        task="pair",
        projection="one_hot",
        method="did",
        scope="global",
        groups="none",
        status="found",
        d90=31.5,
        d90_low=25.0,
        d90_high=40.0,
        level=0.9,
        threshold=0.81,
        threshold_kind="absolute",
        fraction=0.9,
        chance=0.5,
        baseline_mean=0.9,
        baseline_std=0.01,
        baseline_seeds=3,
        metric="accuracy",
        D=1000,
        m=0,
        runs=12,
        seconds=12.0,
        run_ids=["a", "b"],
        message="d90 is 32.",
        trivial=False,
        other=other,
        d90_low_seeds=27.0,
        d90_high_seeds=37.0,
        evaluation_noise_std=0.01,
        limit=None,
        resamples=400,
        isotonic_d90=30.0,
        curve=None,
        chance_se=0.01,
        d_min=8,
        d_max=1000,
        search="posterior",
        selection="half",
        train_examples=200,
        eval_examples=100,
        learning_rate=0.01,
        learning_rates={"0.01": 0.9, "0.1": None},
        step_lengths=StepLengthEvidence({"16": 3.0}, {"16": {"1": 0.6, "3": 0.7}}),
        baseline_scores=[0.9, 0.9, 0.9],
        stop_at=None,
        stopped_run_ids=[],
        baseline_run_ids=["c"],
        other_run_ids=["d"],
        versions={"torch": "2"},
    )
    return replace(made, **changes)
