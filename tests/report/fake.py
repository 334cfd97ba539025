"""Made-up but realistic results folders: sigmoid curves with seed noise, written as a sweep writes them."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy

STATUSES = ("found", "below_range", "above_range", "not_monotone", "no_baseline", "budget_spent")


def name(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


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
    """Write one sweep with its runs; returns its id. ``more`` replaces entries of the verdict."""
    random = numpy.random.default_rng(seed)
    sweep_id = name(model, task, method, projection, scope, status, seed)
    top = baseline + 0.005

    def mean(d: Any) -> Any:
        return chance + (top - chance) / (1 + (numpy.asarray(d, dtype=float) / middle) ** -slope)

    def run(d: int, s: int, score: float | None, kind: str) -> str:
        run_id = name(sweep_id, kind, d, s)
        full = kind == "full"
        chosen = ("full", "none", "none", "none") if full else (method, projection, scope, "layer")
        subspace = dict(zip(("method", "projection", "scope", "groups"), chosen, strict=True)) | {"exclude": []}
        write(
            out / "runs" / run_id / "spec.json",
            {"model": {"name": model}, "task": {"name": task}, "subspace": subspace},
        )
        result = {"run_id": run_id, "status": "done" if score is not None else "failed", "d": d, "D": 2_345_678,
                  "method": subspace["method"], "projection": subspace["projection"],
                  "step_length": 0.0 if full else 3.0, "learning_rate": 1e-4 if full else 0.0, "seed": s,
                  "train_score": None if score is None else min(1.0, score + 0.04), "eval_score": score,
                  "select_score": score, "eval_loss": None if score is None else 0.6, "steps": 600, "seconds": 11.5,
                  "peak_memory_bytes": 412_000_000, "best_step": 550,
                  "reason": None if score is not None else "the loss became NaN at step 31"}  # fmt: skip
        write(out / "runs" / run_id / "result.json", result)
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
        points.append({"d": d, "score_mean": numpy.mean(good), "score_std": numpy.std(good, ddof=1), "seeds": len(good),
                       "step_length": 3.0, "run_ids": " ".join(ids)})  # fmt: skip
    baselines = [float(baseline + noise / 3 * random.normal()) for _ in range(seeds)]
    baseline_ids = [run(0, s, score, "full") for s, score in enumerate(baselines)]
    grid = numpy.geomspace(*bounds, 80)
    width = 0.012 + 0.05 * numpy.minimum(
        1, numpy.min(numpy.abs(numpy.log(grid[:, None] / numpy.array(ds)) / 3), axis=1)
    )
    bar, gain = 0.9 * baseline, chance + 0.9 * (baseline - chance)

    def solve(level: float) -> float:
        return middle * ((top - chance) / (level - chance) - 1) ** (-1 / slope)

    def verdict_of(kind: str, level: float, state: str) -> dict[str, Any]:
        found = state == "found"
        return {"status": state, "threshold_kind": kind, "threshold": level,
                "d90": round(solve(level)) if found else None,
                "d90_low": round(solve(level) * 0.86) if found or state == "budget_spent" else None,
                "d90_high": round(solve(level) * 1.17) if found or state == "budget_spent" else None,
                "message": f"status {state}: the sentence that the search wrote."}  # fmt: skip

    verdict = {
        "sweep_id": sweep_id, "model": model, "task": task, "projection": projection, "method": method, "scope": scope,
        "groups": "layer" if method == "said" else "none", **verdict_of("absolute", bar, status),
        "level": 0.9, "fraction": 0.9, "chance": chance,
        "baseline_mean": float(numpy.mean(baselines)), "baseline_std": float(numpy.std(baselines, ddof=1)),
        "baseline_seeds": seeds, "metric": metric, "D": 2_345_678, "m": 4 if method == "said" else 0,
        "runs": len(run_ids) + seeds, "seconds": 183.4, "run_ids": run_ids, "baseline_run_ids": baseline_ids,
        "other": verdict_of("above_chance", gain, status), "isotonic_d90": 480.0 if status == "found" else None,
        "trivial": False, "chance_se": 0.012,
        "curve": {"d": grid.tolist(), "median": mean(grid).tolist(), "low": (mean(grid) - width).tolist(),
                  "high": (mean(grid) + width).tolist()},
        "d_min": bounds[0], "d_max": bounds[1], "search": "posterior", "selection": "half", "train_examples": 4000,
        "eval_examples": 1200, "learning_rate": 1e-4,
        "learning_rates": {"3e-05": 0.8, "0.0001": baseline, "0.0003": None},
        "step_lengths": {"known": {str(ds[0]): 3.0}, "tried": {str(ds[0]): {"1": 0.41, "3": 0.52, "10": None}}},
        "baseline_scores": baselines, "other_run_ids": [run(ds[0], 99, chance, "locate")],
    }  # fmt: skip
    folder = out / "sweeps" / sweep_id
    write(folder / "spec.json", {
        "model": {"name": model}, "task": {"name": task, "selection": "half"},
        "search": {"name": "posterior", "d_min": bounds[0], "d_max": bounds[1], "fraction": 0.9}, "seed": seed,
    })  # fmt: skip
    write(folder / "verdict.json", verdict | more)
    with (folder / "points.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(points[0]))
        table.writeheader()
        table.writerows(points)
    return sweep_id


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
