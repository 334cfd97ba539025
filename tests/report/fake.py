"""Made-up but realistic results folders: sigmoid curves with seed noise, written by the ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy

from intdim.ledger.results import RunResult
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Curve, Point, SecondVerdict, StepLengthEvidence, Verdict
from intdim.report.records import SweepRecord, read_sweep
from intdim.spec import ModelSpec, RunSpec, SearchSpec, SubspaceSpec, SweepSpec, TaskSpec, TrainSpec, digest

STATUSES = ("found", "below_range", "above_range", "not_monotone", "no_baseline", "no_learning", "budget_spent")
D = 2_345_678
UPDATES = (0, 100, 400, 800)  # of the checkpoints in a trajectory
MODEL = ModelSpec("tiny", "builtin", "tiny", "", "0" * 16, False, 0, {}, False, False)
TASK = TaskSpec("docstrings-package", "builtin", "docstrings-package", 1, "0" * 16, ("text",), "label", ("a", "b"),
                "classification", "accuracy", 64, "train", "validation", 0, 0, "half")  # fmt: skip
TRAIN = TrainSpec(0.0, 600, 16, 1, 0.06, 1.0, 0.0, 0.9, 0.999, 1e-6, "float32", 12, 0)
FULL = SubspaceSpec("full", "none", "none", "none", ())


def sweep(
    out: Path,
    *,
    model: str = "tiny",
    task: str = "docstrings-package",
    method: str = "did",
    projection: str = "fastfood",
    scope: str = "global",
    metric: str = "accuracy",
    status: str = "found",
    ds: tuple[int, ...] = (16, 64, 256, 512, 1024, 4096, 16384),
    bounds: tuple[int, int] = (8, 65536),
    middle: float = 700.0,
    slope: float = 1.6,
    chance: float = 0.21,
    baseline: float = 0.84,
    noise: float = 0.012,
    failed: int = 1,
    collapsed: int = 1,
    seeds: int = 3,
    seed: int = 0,
    **more: Any,
) -> str:
    """Write one sweep with its runs; returns its id. ``more`` replaces fields of the verdict."""
    ledger, random = Ledger(out), numpy.random.default_rng(seed)
    sweep_id = digest(["sweep", model, task, method, projection, scope, status, seed])
    spec = SweepSpec(
        model=replace(MODEL, name=model),
        task=replace(TASK, name=task, metric=metric),
        subspace=SubspaceSpec(method, projection, scope, "layer" if method == "said" else "none", ()),
        train=TRAIN,
        search=SearchSpec("posterior", *bounds, 12, 0.9, "absolute", 3, 3, 12, 0),
        step_lengths=(1.0, 3.0, 10.0),
        learning_rates=(3e-5, 1e-4, 3e-4),
        baseline_seeds=seeds,
        seed=seed,
    )
    top = baseline + 0.005

    def mean(d: Any) -> Any:
        return chance + (top - chance) / (1 + (numpy.asarray(d, dtype=float) / middle) ** -slope)

    def run(d: int, s: int, score: float | None, kind: str) -> str:
        where = FULL if kind == "full" else spec.subspace
        length, rate = (0.0, 1e-4) if kind == "full" else (3.0, 0.0)
        run_id = digest([sweep_id, kind, d, s])
        ledger.write_spec(run_id, RunSpec(spec.model, spec.task, where, TRAIN, d, length, rate, s))
        ledger.write_result(result(run_id, score, d=d, method=where.method, projection=where.projection, seed=s,
                                   step_length=length, learning_rate=rate, metric=metric))  # fmt: skip
        return run_id

    run_ids, points = [], []
    for d in ds:
        scores: list[float | None] = [float(mean(d) + noise * random.normal()) for _ in range(seeds)]
        if d == ds[-1] and collapsed:
            scores[0] = chance + 0.001
        if d == ds[len(ds) // 2] and failed:
            scores.append(None)
        ids = [run(d, s, score, "subspace") for s, score in enumerate(scores)]
        run_ids += ids
        good = [score for score in scores if score is not None]
        deviation = float(numpy.std(good, ddof=1))
        points.append(Point(d, float(numpy.mean(good)), deviation, len(good), "3.0", " ".join(ids)))
    baselines = [float(baseline + noise / 3 * random.normal()) for _ in range(seeds)]
    baseline_ids = [run(0, s, score, "full") for s, score in enumerate(baselines)]

    grid = numpy.geomspace(*bounds, 80)
    far = numpy.min(numpy.abs(numpy.log(grid[:, None] / numpy.array(ds)) / 3), axis=1)
    width = 0.012 + 0.05 * numpy.minimum(1, far)
    curve = Curve(*(line.tolist() for line in (grid, mean(grid), mean(grid) - width, mean(grid) + width)))

    def solve(level: float) -> float:
        return middle * ((top - chance) / (level - chance) - 1) ** (-1 / slope)

    bar, gain = 0.9 * baseline, chance + 0.9 * (baseline - chance)
    ended, placed = status == "found", status in ("found", "budget_spent")
    second = SecondVerdict(
        threshold_kind="above_chance",
        threshold=gain,
        status=status,
        d90=float(round(solve(gain))) if ended else None,
        d90_low=float(round(solve(gain) * 0.86)) if placed else None,
        d90_high=float(round(solve(gain) * 1.17)) if placed else None,
        message=f"status {status}: the sentence that the search wrote.",
        d90_low_seeds=None,
        d90_high_seeds=None,
        evaluation_noise_std=None,
        limit=None,
    )
    verdict = Verdict(
        sweep_id=sweep_id,
        model=model,
        task=task,
        projection=projection,
        method=method,
        scope=scope,
        groups=spec.subspace.groups,
        status=status,
        d90=float(round(solve(bar))) if ended else None,
        d90_low=float(round(solve(bar) * 0.86)) if placed else None,
        d90_high=float(round(solve(bar) * 1.17)) if placed else None,
        level=0.9,
        threshold=bar,
        threshold_kind="absolute",
        fraction=0.9,
        chance=chance,
        baseline_mean=float(numpy.mean(baselines)),
        baseline_std=float(numpy.std(baselines, ddof=1)),
        baseline_seeds=seeds,
        metric=metric,
        D=D,
        m=4 if method == "said" else 0,
        runs=len(run_ids) + seeds,
        seconds=183.4,
        run_ids=run_ids,
        message=f"status {status}: the sentence that the search wrote.",
        trivial=False,
        other=second,
        d90_low_seeds=None,
        d90_high_seeds=None,
        evaluation_noise_std=None,
        limit=None,
        resamples=0,
        isotonic_d90=480.0 if ended else None,
        curve=curve,
        chance_se=0.012,
        d_min=bounds[0],
        d_max=bounds[1],
        search="posterior",
        selection="half",
        train_examples=4000,
        eval_examples=1200,
        learning_rate=1e-4,
        learning_rates={"3e-05": 0.8, "0.0001": baseline, "0.0003": None},
        step_lengths=StepLengthEvidence({str(ds[0]): 3.0}, {str(ds[0]): {"1": 0.41, "3": 0.52, "10": None}}),
        baseline_scores=baselines,
        stop_at=None,
        stopped_run_ids=[],
        baseline_run_ids=baseline_ids,
        other_run_ids=[run(ds[0], 99, chance, "locate")],
        versions={"torch": "2.6.0"},
    )
    ledger.write_sweep(spec, replace(verdict, **more), points)
    return sweep_id


def result(run_id: str, score: float | None, **more: Any) -> RunResult:
    """The result of a run with this score, None for a run that failed; ``more`` replaces fields."""
    lost = score is None
    made = RunResult(
        run_id=run_id,
        status="failed" if lost else "done",
        reason="the loss became NaN at step 31" if lost else "",
        stopped="",
        d=10,
        D=D,
        method="did",
        projection="fastfood",
        step_length=3.0,
        learning_rate=0.0,
        seed=0,
        train_score=None if lost else min(1.0, score + 0.04),
        eval_score=score,
        select_score=score,
        eval_loss=None if lost else 0.6,
        half_scores=None if score is None else [score, score],
        metric="accuracy",
        steps=600,
        best_step=550,
        other_step=550,
        seconds=11.5,
        peak_memory_bytes=412_000_000,
        update_cosine=1.0,
        update_kept=1.0,
        update_moved=1.0,
    )
    return replace(made, **more)


def grid(out: Path) -> list[str]:
    """Two sweeps that differ in the method."""
    return [sweep(out, method=method, projection="one_hot", seed=i) for i, method in enumerate(("did", "said"))]


def record(out: Path, **case: Any) -> SweepRecord:
    """One sweep, written and read again."""
    made = read_sweep(out, sweep(out, **case))
    assert made is not None
    return made


def trajectory(out: Path, d90: tuple[float | str, ...] = (4000, 1500, 700, 300), task: str = "kind") -> None:
    """Sweeps along mini-m and at the end of mini-s and mini-l; a word in place of a number is a status."""
    rows = [(f"mini-m@{updates}", 500_000, value) for updates, value in zip(UPDATES, d90, strict=True)]
    rows += [("mini-s@800", 200_000, 600), ("mini-l@800", 1_000_000, 150)]
    for number, (model, size, value) in enumerate(rows):
        status = value if isinstance(value, str) else "found"
        facts: dict[str, Any] = {"status": status, "D": size, "seed": number, "baseline": 0.7 + 0.02 * number}
        if not isinstance(value, str):
            facts |= {"d90": float(value), "d90_low": value / 1.2, "d90_high": value * 1.2}
        sweep(out, model=model, task=task, ds=(64, 512, 4096), failed=0, collapsed=0, **facts)


def write(path: Path, value: object) -> None:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
