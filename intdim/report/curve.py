"""What the picture of one sweep shows, as marks: the CSV beside the figure, and all that ``draw_curve`` may draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

from intdim.ledger.verdict import Verdict
from intdim.report.records import RunRow, SweepRecord
from intdim.report.words import interval, seeds_interval


@dataclass(frozen=True)
class Mark:
    """One thing that the figure shows.

    ``element`` is one of

    * ``run``; ``stopped_run`` (ended when it had crossed the bar: its score is a lower bound); ``failed_run`` (has no
      score and is placed at chance); ``collapsed_run`` (ended within two standard errors of chance though another run
      at its d came more than half of the way from chance to the baseline, and more than four standard errors);
    * ``point_mean``: of the runs at one d, where none was stopped;
    * ``curve``: median, low and high of the band;
    * ``baseline_run``; ``baseline``: mean, one standard deviation either way;
    * ``threshold``, ``other_threshold``, ``chance``: scores;
    * ``d90``; ``d90_seeds`` (the interval without the error of the evaluation examples): low and high are dimensions;
    * ``range``: low and high are d_min and d_max.
    """

    element: str
    d: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    seed: int | None = None
    run_id: str | None = None


def curve_marks(record: SweepRecord) -> list[Mark]:
    """Return everything that the figure of a sweep shows."""
    runs = _run_marks(record)
    stopped = {mark.d for mark in runs if mark.element == "stopped_run"}
    means = [
        Mark("point_mean", point.d, point.score_mean)
        for point in record.points
        if point.score_mean is not None and point.d not in stopped
    ]
    d_min, d_max = record.bounds
    fitted = _curve_marks(record.verdict)
    lines = _line_marks(record.verdict, record.baseline_runs)
    return [*runs, *means, *fitted, *lines, *_d90_marks(record.verdict), Mark("range", low=d_min, high=d_max)]


def _run_marks(record: SweepRecord) -> list[Mark]:
    best: dict[int, float] = {}
    for run in record.runs:
        if run.scored:
            d = run.result.d
            best[d] = max(run.result.score, best.get(d, -math.inf))

    marks = []
    for run in sorted(record.runs, key=lambda run: (run.result.d, run.result.seed, run.result.run_id)):
        value = run.result.score if run.scored else record.verdict.chance
        element = _run_element(run, record.verdict, best.get(run.result.d, -math.inf))
        marks.append(Mark(element, run.result.d, value, seed=run.result.seed, run_id=run.result.run_id))
    return marks


def _run_element(run: RunRow, verdict: Verdict, best: float) -> str:
    """Say what kind of mark a run is, given the best score at its d."""
    if not run.scored:
        return "failed_run"
    chance, error = verdict.chance, verdict.chance_se
    at_chance = run.result.score <= chance + 2 * error
    if at_chance and best > max((chance + verdict.baseline_mean) / 2, chance + 4 * error):
        return "collapsed_run"
    return "stopped_run" if run.result.crossed else "run"


def _curve_marks(verdict: Verdict) -> list[Mark]:
    if verdict.curve is None:
        return []
    columns = (verdict.curve.d, verdict.curve.median, verdict.curve.low, verdict.curve.high)
    return [Mark("curve", *values) for values in zip(*columns, strict=True)]


def _line_marks(verdict: Verdict, baseline_runs: list[RunRow]) -> list[Mark]:
    results = [run.result for run in baseline_runs if run.scored]
    marks = [Mark("baseline_run", value=one.score, seed=one.seed, run_id=one.run_id) for one in results]
    mean, std = verdict.baseline_mean, verdict.baseline_std
    return [
        *marks,
        Mark("baseline", value=mean, low=mean - std, high=mean + std),
        Mark("threshold", value=verdict.threshold),
        Mark("other_threshold", value=verdict.other.threshold),
        Mark("chance", value=verdict.chance),
    ]


def _d90_marks(verdict: Verdict) -> list[Mark]:
    d90 = verdict.d90 if verdict.status == "found" else None
    if d90 is None and interval(verdict) is None:
        return []
    marks = [Mark("d90", d90, verdict.threshold, verdict.d90_low, verdict.d90_high)]
    seeds = seeds_interval(verdict)
    if seeds:
        marks.append(Mark("d90_seeds", None, verdict.threshold, *seeds))
    return marks
