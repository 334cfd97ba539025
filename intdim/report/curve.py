"""What the picture of one sweep shows, as rows: the CSV beside the figure, and all that ``draw_curve`` may draw."""

from __future__ import annotations

import math
from typing import Any

Rows = list[dict[str, Any]]
ROW_COLUMNS = ("element", "d", "value", "low", "high", "seed", "run_id")


def curve_rows(verdict: dict[str, Any], points: Rows, runs: Rows, baseline_runs: Rows, bounds: tuple[int, int]) -> Rows:
    """Return everything that the figure shows, one row per mark.

    ``element`` is run, stopped_run (ended when it had crossed the bar: at least that score), failed_run,
    collapsed_run, point_mean (where no run was stopped), curve (median; low and high of the band), baseline_run,
    baseline (mean; one standard deviation either way), threshold, other_threshold, chance, d90 (d; low and high are
    dimensions here), d90_seeds (the interval without the error of the evaluation examples) or range (low and high are
    d_min and d_max). A failed run has no score and is placed at chance.
    A collapsed run ended within two standard errors of chance though another run at its d came more than half of the
    way from chance to the baseline, and more than four standard errors.
    """
    chance, baseline = verdict.get("chance"), verdict.get("baseline_mean")
    error = verdict.get("chance_se") or 0.0
    floor = chance if chance is not None else min([r["eval_score"] for r in runs if _scored(r)], default=0.0)
    best: dict[int, float] = {}
    for run in runs:
        if _scored(run):
            best[run["d"]] = max(run["eval_score"], best.get(run["d"], -math.inf))
    rows: Rows = []
    for run in sorted(runs, key=lambda run: (run["d"], run["seed"], run["run_id"])):
        element, value = "run", run.get("eval_score")
        if not _scored(run):
            element, value = "failed_run", floor
        elif chance is not None and baseline is not None and value <= chance + 2 * error:
            element = "collapsed_run" if best[run["d"]] > max((chance + baseline) / 2, chance + 4 * error) else "run"
        if run.get("stopped") == "crossed" and element == "run":
            element = "stopped_run"
        rows.append(_row(element, run["d"], value, seed=run["seed"], run_id=run["run_id"]))
    bounded = {row["d"] for row in rows if row["element"] == "stopped_run"}
    means = [point for point in points if point["score_mean"] is not None and point["d"] not in bounded]
    rows += [_row("point_mean", point["d"], point["score_mean"]) for point in means]
    curve = verdict.get("curve") or {"d": [], "median": [], "low": [], "high": []}
    for d, median, low, high in zip(curve["d"], curve["median"], curve["low"], curve["high"], strict=True):
        rows.append(_row("curve", d, median, low, high))
    for run in baseline_runs:
        if _scored(run):
            rows.append(_row("baseline_run", None, run["eval_score"], seed=run["seed"], run_id=run["run_id"]))
    if baseline is not None:
        std = verdict.get("baseline_std") or 0.0
        rows.append(_row("baseline", None, baseline, baseline - std, baseline + std))
    if verdict.get("threshold") is not None:
        rows.append(_row("threshold", None, verdict["threshold"]))
    if (verdict.get("other") or {}).get("threshold") is not None:
        rows.append(_row("other_threshold", None, verdict["other"]["threshold"]))
    if chance is not None:
        rows.append(_row("chance", None, chance))
    low, high = verdict.get("d90_low"), verdict.get("d90_high")
    d90 = verdict["d90"] if verdict["status"] == "found" else None
    if d90 is not None or (low is not None and high is not None):
        rows.append(_row("d90", d90, verdict.get("threshold"), low, high))
        inner = verdict.get("d90_low_seeds"), verdict.get("d90_high_seeds")
        if None not in inner and inner != (low, high):
            rows.append(_row("d90_seeds", None, verdict.get("threshold"), *inner))
    return [*rows, _row("range", None, None, *bounds)]


def _row(
    element: str, d: float | None, value: float | None, low: float | None = None, high: float | None = None,
    seed: int | None = None, run_id: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    return {"element": element, "d": d, "value": value, "low": low, "high": high, "seed": seed, "run_id": run_id}


def _scored(run: dict[str, Any]) -> bool:
    return run.get("status") != "failed" and run.get("eval_score") is not None
