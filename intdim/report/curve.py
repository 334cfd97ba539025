"""What the picture of one sweep shows, as marks: the CSV beside the figure, and all that ``draw_curve`` may draw."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from intdim.ledger.verdict import Point, Verdict
from intdim.report.records import RunRow, SweepRecord
from intdim.report.run_kinds import run_kinds
from intdim.report.words import seeds_interval

SAME_BAR = 5e-4  # scores are printed with three digits


@dataclass(frozen=True)
class Mark:
    """One thing that the figure shows.

    ``element`` is one of

    * the kinds of a run (``run_kinds``): ``run``, ``stopped_run``, ``failed_run``, ``collapsed_run``, ``outlier_run``;
    * ``point_mean``: of the runs at one d that trained and are no outliers, where none was stopped;
    * ``curve``: median, low and high of the band;
    * ``baseline_run``; ``baseline``: mean, one standard deviation either way;
    * ``threshold``, ``other_threshold``, ``chance``: scores; the second threshold is left out where both are one;
    * ``d90``; ``d90_seeds`` (the interval without the error of the evaluation examples): low and high are dimensions;
      ``d`` is None where the interval is no answer, and then one of its ends may be None, too;
    * ``range``: low and high are d_min and d_max.
    """

    element: str
    d: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    seed: int | None = None
    run_id: str | None = None
    step_length: float | None = None


def curve_marks(record: SweepRecord) -> list[Mark]:
    """Return everything that the figure of a sweep shows."""
    runs = _run_marks(record)
    d_min, d_max = record.bounds
    fitted = _curve_marks(record.verdict)
    lines = _line_marks(record.verdict, record.baseline_runs)
    means = _mean_marks(record.points, runs)
    return [*runs, *means, *fitted, *lines, *_d90_marks(record.verdict), Mark("range", low=d_min, high=d_max)]


def _run_marks(record: SweepRecord) -> list[Mark]:
    kinds = run_kinds(record.runs, record.verdict)
    marks = []
    for run in sorted(record.runs, key=lambda run: (run.result.d, run.result.seed, run.result.run_id)):
        result = run.result
        value = result.score if run.scored else record.verdict.chance
        kind = kinds[result.run_id]
        marks.append(
            Mark(kind, result.d, value, seed=result.seed, run_id=result.run_id, step_length=result.step_length)
        )
    return marks


def _mean_marks(points: Sequence[Point], runs: Sequence[Mark]) -> list[Mark]:
    """Return the mean of the runs at each d that trained, whatever their step lengths; none where a run was stopped at
    the bar, since its score is only a bound. Where runs are gone, what points.csv says of them stands."""
    by_id = {mark.run_id: mark for mark in runs}
    stopped = {mark.d for mark in runs if mark.element == "stopped_run"}
    scores: dict[int, list[float]] = {}
    for point in points:
        if point.score_mean is None or point.d in stopped:
            continue
        there = [by_id.get(run_id) for run_id in point.run_ids.split()]
        if not there or None in there:
            kept = [point.score_mean] * point.seeds
        else:
            kept = [mark.value for mark in there if mark and mark.element == "run" and mark.value is not None]
        scores.setdefault(point.d, []).extend(kept)
    return [Mark("point_mean", d, statistics.fmean(kept)) for d, kept in scores.items() if kept]


def _curve_marks(verdict: Verdict) -> list[Mark]:
    if verdict.curve is None:
        return []
    columns = (verdict.curve.d, verdict.curve.median, verdict.curve.low, verdict.curve.high)
    return [Mark("curve", *values) for values in zip(*columns, strict=True)]


def _line_marks(verdict: Verdict, baseline_runs: list[RunRow]) -> list[Mark]:
    results = [run.result for run in baseline_runs if run.scored]
    marks = [Mark("baseline_run", value=one.score, seed=one.seed, run_id=one.run_id) for one in results]
    mean, std = verdict.baseline_mean, verdict.baseline_std
    other = [] if one_bar(verdict) else [Mark("other_threshold", value=verdict.other.threshold)]
    return [
        *marks,
        Mark("baseline", value=mean, low=mean - std, high=mean + std),
        Mark("threshold", value=verdict.threshold),
        *other,
        Mark("chance", value=verdict.chance),
    ]


def one_bar(verdict: Verdict) -> bool:
    """True where both thresholds ask for the same score, to the digits that are printed: chance is 0, say."""
    return abs(verdict.threshold - verdict.other.threshold) < SAME_BAR


def _d90_marks(verdict: Verdict) -> list[Mark]:
    known = verdict.d90_low is not None or verdict.d90_high is not None
    if verdict.status == "budget_spent" and known:
        return [Mark("d90", None, verdict.threshold, verdict.d90_low, verdict.d90_high)]
    if verdict.status != "found":
        return []
    marks = [Mark("d90", verdict.d90, verdict.threshold, verdict.d90_low, verdict.d90_high)]
    seeds = seeds_interval(verdict)
    if seeds:
        marks.append(Mark("d90_seeds", None, verdict.threshold, *seeds))
    return marks
