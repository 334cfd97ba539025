"""What the paper's figures 2 to 5 show, as rows: d90 beside updates, size, evaluation score and gap.

Everything comes from verdicts and runs. A model named ``NAME@UPDATES`` (``mini-m@1000``, ``pythia-70m@step1000``,
``multiberts@step_20k``) is the checkpoint of NAME after so many updates; its size is D, the weights in the subspace.
"""

from __future__ import annotations

import math
import re
import statistics
from typing import Any

from intdim.bounds import relative_gap
from intdim.report.records import SweepRecord
from intdim.report.words import interval

Rows = list[dict[str, Any]]
NEAR = 2.0  # the gap at d90 is that of the runs within this factor of d90
FEWEST = 3  # points for which a figure is drawn
KINDS = ("updates", "size", "score", "gap")
FACTS = ("task", "method", "projection", "scope", "groups", "threshold_kind", "fraction")
COLUMNS = (
    "sweep_id", "model", "series", "updates", "size", *FACTS, "status", "d90", "d90_low", "d90_high", "d_min", "d_max",
    "score", "score_std", "score_seeds", "gap", "gap_std", "gap_runs", "gap_d_low", "gap_d_high", "gap_full",
)  # fmt: skip
_CHECKPOINT = re.compile(r"(?P<series>.+)@(?:steps?[-_]?)?(?P<number>\d+)(?P<thousand>k?)")


def checkpoint(model: str) -> tuple[str, int | None]:
    """Return (series, updates) of a model's name; a name that is no checkpoint's is a series of its own, without."""
    found = _CHECKPOINT.fullmatch(model)
    if found is None:
        return model, None
    return found["series"], int(found["number"]) * (1000 if found["thousand"] else 1)


def series_rows(records: list[SweepRecord]) -> Rows:
    """Return one row per sweep with the keys ``COLUMNS``.

    ``score`` is the evaluation score of full fine-tuning. ``gap`` is the mean relative generalization gap
    (train - eval) / (1 - eval) of the runs within a factor of ``NEAR`` of d90, of the nearest dimension's where there
    are none; ``gap_d_low`` and ``gap_d_high`` say where they were. Of a censored verdict these are the runs at the end
    of the range. ``gap_full`` is the mean gap of full fine-tuning.
    """
    rows = []
    for record in records:
        verdict, (d_min, d_max) = record.verdict, record.range
        series, updates = checkpoint(str(verdict["model"]))
        ends = interval(verdict) or (None, None)
        near = _near(record)
        gaps = _gaps(near)
        at = [run["d"] for run in near]
        full = _gaps(record.baseline_runs)
        rows.append(
            {"sweep_id": record.sweep_id, "model": verdict["model"], "series": series, "updates": updates}
            | {"size": verdict["D"]}
            | {key: verdict.get(key) for key in FACTS}
            | {
                "status": verdict["status"],
                "d90": verdict["d90"] if verdict["status"] == "found" else None,
                "d90_low": ends[0],
                "d90_high": ends[1],
                "d_min": d_min,
                "d_max": d_max,
                "score": verdict.get("baseline_mean"),
                "score_std": verdict.get("baseline_std") if verdict["baseline_seeds"] > 1 else None,
                "score_seeds": verdict["baseline_seeds"],
                "gap": statistics.fmean(gaps) if gaps else None,
                "gap_std": statistics.stdev(gaps) if len(gaps) > 1 else None,
                "gap_runs": len(gaps),
                "gap_d_low": min(at, default=None),
                "gap_d_high": max(at, default=None),
                "gap_full": statistics.fmean(full) if full else None,
            }
        )
    return rows


def figure_rows(rows: Rows, kind: str) -> Rows:
    """Return the rows that a figure shows, ordered by group: those whose d90 has a place on the axis.

    ``updates``: checkpoints of series with at least ``FEWEST`` of them. ``size``: each series by its last checkpoint.
    ``score`` and ``gap``: all. Groups (sweeps that differ in the model alone) with fewer than ``FEWEST`` models are
    left out, so that a grid over other things gets no such figure.
    """
    assert kind in KINDS
    seen = [row for row in rows if placed(row) and (kind not in ("score", "gap") or row[kind] is not None)]
    if kind == "updates":
        seen = [row for row in seen if row["updates"] is not None]
    if kind == "size":
        last: dict[Any, dict[str, Any]] = {}
        for row in sorted(seen, key=lambda row: (row["updates"] is not None, row["updates"] or 0)):
            last[group(row), row["series"]] = row
        seen = [row for row in seen if last[group(row), row["series"]] is row]
    counts: dict[Any, set[Any]] = {}
    for row in seen:
        counts.setdefault(stratum(row, kind), set()).add(row["size"] if kind == "size" else row["model"])
    seen = [row for row in seen if len(counts[stratum(row, kind)]) >= FEWEST]
    return sorted(seen, key=lambda row: (str(stratum(row, kind)), row["updates"] or 0, row["size"]))


def placed(row: dict[str, Any]) -> bool:
    """True where a verdict says where d90 is: a number, an end of the range that it lies beyond, or an interval."""
    ended = row["status"] in ("found", "below_range", "above_range")
    return ended or (row["status"] == "budget_spent" and row["d90_low"] is not None and row["d90_high"] is not None)


def group(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what the sweeps of one group share."""
    return tuple(row[key] for key in FACTS)


def stratum(row: dict[str, Any], kind: str) -> tuple[Any, ...]:
    """Return what rows share that are compared with each other: the group, and along updates the series."""
    return (*group(row), row["series"]) if kind == "updates" else group(row)


def _near(record: SweepRecord) -> Rows:
    """Return the scored runs near d90, or near the end of the range that d90 lies beyond."""
    verdict, (d_min, d_max) = record.verdict, record.range
    runs = [run for run in record.runs if _scored(run)]
    ends = interval(verdict)
    if verdict["status"] == "found":
        d90 = float(verdict["d90"])
    elif verdict["status"] in ("below_range", "above_range"):
        d90 = float(d_min if verdict["status"] == "below_range" else d_max)
    elif verdict["status"] == "budget_spent" and ends:
        d90 = math.sqrt(ends[0] * ends[1])
    else:
        return []
    near = [run for run in runs if 1 / NEAR <= run["d"] / d90 <= NEAR]
    if not near and runs:
        nearest = min((run["d"] for run in runs), key=lambda d: abs(math.log(d / d90)))
        near = [run for run in runs if run["d"] == nearest]
    return near


def _gaps(runs: Rows) -> list[float]:
    gaps = [relative_gap(run["train_score"], run["eval_score"]) for run in runs if _scored(run)]
    return [gap for gap in gaps if math.isfinite(gap)]


def _scored(run: dict[str, Any]) -> bool:
    scores = [run.get("train_score"), run.get("eval_score")]
    return run.get("status") != "failed" and all(score is not None and math.isfinite(score) for score in scores)
