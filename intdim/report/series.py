"""What the paper's figures 2 to 5 show, as rows: d90 beside updates, size, evaluation score and gap.

Everything comes from verdicts and runs. A model named ``NAME@UPDATES`` (``mini-m@1000``, ``pythia-70m@step1000``,
``multiberts@step_20k``) is the checkpoint of NAME after so many updates; its size is D, the weights in the subspace.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from intdim.report.records import RunRow, SweepRecord
from intdim.report.words import CENSORED, baseline_spread, interval

NEAR = 2.0  # the gap at d90 is that of the runs within this factor of d90
FEWEST = 3  # points for which a figure is drawn
TITLES = {
    "updates": "d90 along pre-training",
    "size": "d90 against the size of the model",
    "score": "Evaluation score of full fine-tuning against d90",
    "gap": "Relative generalization gap against d90",
}
KINDS = tuple(TITLES)
_CHECKPOINT = re.compile(r"(?P<series>.+)@(?:steps?[-_]?)?(?P<number>\d{1,15})(?P<thousand>k?)")


@dataclass(frozen=True)
class SweepRow:
    """One sweep in the figures: facts of its verdict (``d90`` only where it was found), and

    Attributes:
        series: the model without its number of updates.
        updates: of pre-training, None for a model that is no checkpoint.
        size: D, the weights inside the subspace.
        score: mean evaluation score of full fine-tuning over ``score_seeds`` runs.
        score_std: standard deviation of these runs, None for one.
        gap: mean relative generalization gap (train - eval) / (1 - eval) of the ``gap_runs`` runs within a factor of
            ``NEAR`` of d90, of the nearest dimension's where there are none; of a censored verdict, those near the end
            of the range. ``gap_d_low`` and ``gap_d_high`` are their smallest and largest d.
        gap_std: standard deviation over these runs.
        gap_full: mean gap of full fine-tuning.
    """

    sweep_id: str
    model: str
    series: str
    updates: int | None
    size: int
    task: str
    method: str
    projection: str
    scope: str
    groups: str
    threshold_kind: str
    fraction: float
    status: str
    d90: float | None
    d90_low: float | None
    d90_high: float | None
    d_min: int
    d_max: int
    score: float | None
    score_std: float | None
    score_seeds: int
    gap: float | None
    gap_std: float | None
    gap_runs: int
    gap_d_low: int | None
    gap_d_high: int | None
    gap_full: float | None

    @property
    def censored(self) -> bool:
        """True where d90 lies beyond an end of the range."""
        return self.status in CENSORED

    @property
    def placed(self) -> bool:
        """True where the verdict says where d90 is: a number, the end that it lies beyond, or an interval."""
        spent = self.status == "budget_spent" and interval(self) is not None
        return spent or self.censored or self.status == "found"

    @property
    def group(self) -> tuple[str | float, ...]:
        """What the sweeps of one group share: all but the model."""
        where = (self.method, self.projection, self.scope, self.groups)
        return (self.task, *where, self.threshold_kind, self.fraction)

    def stratum(self, kind: str) -> tuple[str | float, ...]:
        """Return what rows share that are compared with each other: the group, and along updates the series."""
        return (*self.group, self.series) if kind == "updates" else self.group

    def value(self, kind: str) -> float | None:
        """Return what d90 is compared with; ``kind`` is one of ``KINDS``."""
        return {"updates": self.updates, "size": self.size, "score": self.score, "gap": self.gap}[kind]

    def standard_error(self, kind: str) -> float:
        """Return one standard error of the mean of the score or the gap; 0 for updates and sizes, which are known."""
        if kind in ("updates", "size"):
            return 0.0
        score = kind == "score"
        std, number = (self.score_std, self.score_seeds) if score else (self.gap_std, self.gap_runs)
        return (std or 0.0) / math.sqrt(max(number, 1))


def checkpoint(model: str) -> tuple[str, int | None]:
    """Return (series, updates) of a model's name; a name that is no checkpoint's is a series of its own, without."""
    found = _CHECKPOINT.fullmatch(model)
    if found is None:
        return model, None
    return found["series"], int(found["number"]) * (1000 if found["thousand"] else 1)


def series_rows(records: Sequence[SweepRecord]) -> list[SweepRow]:
    """Return one row per sweep."""
    return [_row(record) for record in records]


def _row(record: SweepRecord) -> SweepRow:
    verdict, near = record.verdict, _near(record)
    series, updates = checkpoint(verdict.model)
    low, high = interval(verdict) or (None, None)
    gaps, at, full = _gaps(near), [run.result.d for run in near], _gaps(record.baseline_runs)
    return SweepRow(
        sweep_id=record.sweep_id,
        model=verdict.model,
        series=series,
        updates=updates,
        size=verdict.D,
        task=verdict.task,
        method=verdict.method,
        projection=verdict.projection,
        scope=verdict.scope,
        groups=verdict.groups,
        threshold_kind=verdict.threshold_kind,
        fraction=verdict.fraction,
        status=verdict.status,
        d90=verdict.d90 if verdict.status == "found" else None,
        d90_low=low,
        d90_high=high,
        d_min=verdict.d_min,
        d_max=verdict.d_max,
        score=verdict.baseline_mean,
        score_std=baseline_spread(verdict),
        score_seeds=verdict.baseline_seeds,
        gap=statistics.fmean(gaps) if gaps else None,
        gap_std=statistics.stdev(gaps) if len(gaps) > 1 else None,
        gap_runs=len(gaps),
        gap_d_low=min(at, default=None),
        gap_d_high=max(at, default=None),
        gap_full=statistics.fmean(full) if full else None,
    )


def figure_rows(rows: Sequence[SweepRow], kind: str) -> list[SweepRow]:
    """Return the rows that a figure shows, ordered by group: those whose d90 has a place on the axis.

    ``updates``: checkpoints of series with at least ``FEWEST`` of them. ``size``: each series by its last checkpoint.
    ``score`` and ``gap``: all. Groups (sweeps that differ in the model alone) with fewer than ``FEWEST`` models are
    left out, so that a grid over other things gets no such figure.
    """
    assert kind in KINDS
    seen = [row for row in rows if row.placed and row.value(kind) is not None]
    if kind == "size":
        last = {}
        for row in sorted(seen, key=lambda row: (row.updates is not None, row.updates or 0)):
            last[row.group, row.series] = row
        seen = [row for row in seen if last[row.group, row.series] is row]

    models: dict[tuple[str | float, ...], set[object]] = {}
    for row in seen:
        models.setdefault(row.stratum(kind), set()).add(row.size if kind == "size" else row.model)
    seen = [row for row in seen if len(models[row.stratum(kind)]) >= FEWEST]
    return sorted(seen, key=lambda row: (str(row.stratum(kind)), row.updates or 0, row.size))


def by_group(rows: Iterable[SweepRow]) -> dict[tuple[str | float, ...], list[SweepRow]]:
    """Return the rows of each group, in the order in which the groups occur."""
    groups: dict[tuple[str | float, ...], list[SweepRow]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return groups


def _near(record: SweepRecord) -> list[RunRow]:
    """Return the runs with a training and an evaluation score near d90, or near the end that d90 lies beyond."""
    d90 = _place(record)
    if d90 is None:
        return []
    runs = [run for run in record.runs if _has_both_scores(run)]
    near = [run for run in runs if 1 / NEAR <= run.result.d / d90 <= NEAR]
    if not near and runs:
        nearest = min((run.result.d for run in runs), key=lambda d: abs(math.log(d / d90)))
        near = [run for run in runs if run.result.d == nearest]
    return near


def _place(record: SweepRecord) -> float | None:
    """Return where on the axis of d the answer is: the number, an end of the range, or the middle of the interval."""
    verdict, ends = record.verdict, interval(record.verdict)
    if verdict.status == "found":
        return verdict.d90
    if verdict.status in CENSORED:
        return float(verdict.d_min if verdict.status == "below_range" else verdict.d_max)
    return math.sqrt(ends[0] * ends[1]) if verdict.status == "budget_spent" and ends else None


def _gaps(runs: Sequence[RunRow]) -> list[float]:
    gaps = [run.gap for run in runs]
    return [gap for gap in gaps if gap is not None]


def _has_both_scores(run: RunRow) -> bool:
    return run.scored and run.result.train_score is not None
