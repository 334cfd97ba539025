"""What is written down of a measurement that has ended: the content of verdict.json and of points.csv."""

from __future__ import annotations

import importlib.metadata
import math
import statistics
from typing import Any

import numpy as np

from intdim.measurement.evaluation_noise import bar_shifts, chance_answer, changes
from intdim.measurement.program import Measurement, crossed, score_of
from intdim.search import Verdict, estimate
from intdim.spec import derive_seed

PACKAGES = ("intdim", "torch", "transformers", "datasets", "tokenizers", "numpy", "scipy")


def verdict_dict(measurement: Measurement) -> dict[str, Any]:
    """Return the content of verdict.json, once the program has ended."""
    assert measurement.search is not None
    assert measurement.baseline is not None
    spec, search, facts, baseline = measurement.spec, measurement.spec.search, measurement.facts, measurement.baseline
    shifts = ruler(measurement)
    verdict = measurement.search.verdict(shifts=shifts.get(search.threshold))
    other_kind = "above_chance" if search.threshold == "absolute" else "absolute"
    other = estimate(
        [(result["d"], score_of(result), crossed(result)) for result in measurement.told],
        threshold=measurement.threshold(other_kind),
        baseline=baseline.mean,
        chance=facts.chance,
        d_min=search.d_min,
        d_max=search.d_max,
        baseline_std=baseline.std / math.sqrt(len(baseline.scores)),
        seed=derive_seed(spec.seed, "search"),
        shifts=shifts.get(other_kind),
    )
    trivial = measurement.threshold(search.threshold) <= facts.chance + facts.chance_se
    message = verdict.message
    if trivial:
        message += (
            f" This bar is trivially easy: always answering the majority class scores {facts.chance:.3f} "
            f"± {facts.chance_se:.3f}; read the above_chance verdict instead."
        )
    said = spec.subspace.method == "said"
    return {
        "sweep_id": spec.sweep_id,
        "model": spec.model.name,
        "task": spec.task.name,
        "projection": spec.subspace.projection,
        "method": spec.subspace.method,
        "scope": spec.subspace.scope,
        "groups": spec.subspace.groups if said else "none",
        "status": verdict.status,
        "d90": _plain(verdict.d90),
        "d90_low": _plain(verdict.low),
        "d90_high": _plain(verdict.high),
        "level": verdict.level,
        "threshold": measurement.threshold(search.threshold),
        "threshold_kind": search.threshold,
        "fraction": search.fraction,
        "chance": facts.chance,
        "baseline_mean": baseline.mean,
        "baseline_std": baseline.std,
        "baseline_seeds": len(baseline.scores),
        "metric": spec.task.metric,
        "D": facts.D,
        "m": facts.scales(spec.subspace),
        "runs": len(measurement.results),
        "seconds": round(sum(result["seconds"] for result in measurement.results.values()), 3),
        "run_ids": [result["run_id"] for result in measurement.told],
        "message": message,
        "trivial": trivial,
        "other": {
            "threshold_kind": other_kind,
            "threshold": measurement.threshold(other_kind),
            "status": other.status,
            "d90": _plain(other.d90),
            "d90_low": _plain(other.low),
            "d90_high": _plain(other.high),
            "message": other.message,
            "d90_low_seeds": _plain(other.low_seeds),
            "d90_high_seeds": _plain(other.high_seeds),
            "ruler_std": round_rate6(other.ruler) if shifts else None,
            "limit": other.limit,
        },
        "d90_low_seeds": _plain(verdict.low_seeds),
        "d90_high_seeds": _plain(verdict.high_seeds),
        "ruler_std": round_rate6(verdict.ruler) if shifts else None,
        "limit": verdict.limit,
        "resamples": search.resamples if shifts else 0,
        "isotonic_d90": _plain(verdict.isotonic),
        "curve": _curve(verdict),
        "chance_se": facts.chance_se,
        "d_min": search.d_min,
        "d_max": search.d_max,
        "search": search.name,
        "selection": spec.task.selection,
        "train_examples": facts.train_examples,
        "eval_examples": facts.eval_examples,
        "learning_rate": baseline.learning_rate,
        "learning_rates": {
            f"{rate:g}": None if math.isnan(score) else score for rate, score in sorted(baseline.tried.items())
        },
        "step_lengths": measurement.lengths.to_dict(),
        "baseline_scores": baseline.scores,
        "stop_at": measurement.stop_at,
        "stopped_run_ids": [result["run_id"] for result in measurement.told if crossed(result)],
        "baseline_run_ids": baseline.run_ids,
        "other_run_ids": sorted(
            set(measurement.results) - {result["run_id"] for result in measurement.told} - set(baseline.run_ids)
        ),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def points(measurement: Measurement) -> list[dict[str, Any]]:
    """Return the rows of points.csv: all told runs at one d, reduced; a failed run has no score."""
    rows = []
    for d in sorted({result["d"] for result in measurement.told}):
        here = [result for result in measurement.told if result["d"] == d]
        scores = [score_of(result) for result in here if math.isfinite(score_of(result))]
        lengths = sorted({result["step_length"] for result in here})
        rows.append(
            {
                "d": d,
                "score_mean": statistics.fmean(scores) if scores else math.nan,
                "score_std": statistics.stdev(scores) if len(scores) > 1 else math.nan,
                "seeds": len(here),
                "step_length": " ".join(f"{length:g}" for length in lengths),
                "run_ids": " ".join(result["run_id"] for result in here),
            }
        )
    return rows


def ruler(measurement: Measurement) -> dict[str, np.ndarray]:
    """Return, for each kind of threshold, its changes against the curve when other evaluation examples are drawn,
    (resamples,); empty where that was not asked for, or no run near the bar or of the baseline kept its answers.
    """
    assert measurement.baseline is not None
    spec, count = measurement.spec, measurement.spec.search.resamples
    told = {result["run_id"]: score_of(result) for result in measurement.told}
    full = {run_id: score_of(measurement.results[run_id]) for run_id in measurement.baseline.run_ids}
    kept = {run_id: measurement.answers(run_id) for run_id in (told | full if count else {})}
    good = {
        run_id: answers
        for run_id, answers in kept.items()
        if answers is not None and answers.belongs_to((told | full)[run_id], spec.task.metric)
    }
    inside, whole = [one for one in told if one in good], [one for one in full if one in good]
    if not inside or not whole:
        return {}
    labels = good[whole[0]].labels
    predictions = [good[run_id].predictions for run_id in inside + whole]
    constant = chance_answer(spec.task.metric, labels, measurement.facts.chance)
    seed = derive_seed(spec.seed, "ruler")
    moved = changes(spec.task.metric, labels, predictions + ([] if constant is None else [constant]), count, seed)
    runs, baseline = moved[: len(inside)], moved[len(inside) : len(predictions)].mean(axis=0)
    chance = moved[-1] if constant is not None else np.zeros(count)
    share, scores = spec.search.fraction, np.array([told[run_id] for run_id in inside])
    bars = {"absolute": share * baseline, "above_chance": (1 - share) * chance + share * baseline}
    gap = measurement.baseline.mean - measurement.facts.chance
    return {kind: bar_shifts(bar, runs, scores, measurement.threshold(kind), gap) for kind, bar in bars.items()}


def round_rate6(value: float) -> float:
    """Round to six significant digits: more would be noise in a record."""
    return float(f"{value:.6g}")


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round_rate6(value)


def _curve(verdict: Verdict) -> dict[str, list[float]] | None:
    if verdict.curve is None:
        return None
    return {name: [round_rate6(float(value)) for value in values] for name, values in verdict.curve.items()}
