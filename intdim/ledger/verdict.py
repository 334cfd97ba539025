"""What one sweep leaves behind: ``verdict.json`` and ``points.csv``, as types with one reader and writer."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from intdim.spec import DataFacts, from_dict


@dataclass(frozen=True)
class Curve:
    """The fitted mean score over d: its median and 90 % band, lists of equal length."""

    d: list[float]
    median: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class StepLengthEvidence:
    """Which step lengths were tried. ``known``: the best one, by all runs, at each d where several were tried;
    ``tried``: selection score of the first seed by length, by d (None where the run failed)."""

    known: dict[str, float]
    tried: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class SecondVerdict:
    """The answer by the other kind of threshold, from the same runs; fields as in ``Verdict``."""

    threshold_kind: str
    threshold: float
    status: str
    d90: float | None
    d90_low: float | None
    d90_high: float | None
    message: str
    d90_low_seeds: float | None
    d90_high_seeds: float | None
    evaluation_noise_std: float | None
    limit: str | None


@dataclass(frozen=True)
class Verdict:
    """The content of ``verdict.json``, in the order of its fields.

    Attributes:
        sweep_id: hash of the sweep's spec.
        model: what the model is called.
        task: what the task is called.
        projection: name of P.
        method: ``did`` or ``said``.
        scope: what one P covers.
        groups: what one scale of SAID covers, ``none`` for DID.
        status: one of ``spec.STATUSES``; only ``found`` has a ``d90``.
        d90: trained dimensions at which the mean score reaches the threshold.
        d90_low: lower end of the interval in trained dimensions, None where it is not known.
        d90_high: upper end.
        level: of the interval, 0.9.
        threshold: the score to reach.
        threshold_kind: ``absolute`` or ``above_chance``.
        fraction: of the baseline (or of its gain over chance) that is to be reached.
        chance: score of always answering the majority class.
        baseline_mean: mean score of full fine-tuning.
        baseline_std: standard deviation of its seeds.
        baseline_seeds: how many trained.
        metric: name of the score.
        D: weights inside the subspace.
        m: scales of SAID, counted in d.
        runs: trainings behind the verdict, all together.
        seconds: their time, added up.
        run_ids: the runs that the search observed, in order.
        message: the answer in words.
        trivial: chance alone meets the threshold.
        other: the answer by the other kind of threshold.
        d90_low_seeds: lower end of the interval without the error of the evaluation examples.
        d90_high_seeds: upper end of it.
        evaluation_noise_std: by how much the drawn evaluation examples move the threshold against the scores, a
            standard deviation; None where it was not measured.
        limit: what an interval that is too wide lacks, ``runs``, seeds of the ``baseline``, ``examples``, or step
            ``lengths`` that suit the largest d; None for other answers.
        resamples: drawings of the evaluation examples behind it.
        isotonic_d90: a second opinion, by an isotonic fit.
        curve: the fitted curve.
        chance_se: standard error of ``chance``.
        d_min: smallest dimension of the search.
        d_max: largest one.
        search: name of the search.
        selection: ``half`` or ``same``.
        train_examples: how many.
        eval_examples: how many, both halves.
        learning_rate: of the baseline.
        learning_rates: selection score by rate that was tried (None where the run failed).
        step_lengths: which were tried.
        baseline_scores: one for each seed.
        stop_at: selection score at which the runs of a bisection end.
        stopped_run_ids: runs that ended there.
        baseline_run_ids: the baseline's runs.
        other_run_ids: runs that tried a rate or a step length and do not count.
        versions: of the packages that a number may depend on.
        warnings: what makes this verdict doubtful, in sentences; empty where nothing does.
        data: what was read: columns, classes, truncation, overlap.
        next_max_runs: the ``search.max_runs`` that is likely to be enough, where runs were missing; None elsewhere.
        collapsed_share: share of the observed runs that collapsed; the curve is that of runs that trained.
        baseline_collapsed: seeds of the baseline that did not train; its mean is that of the others.
        least_cosine: smallest ``update_cosine`` of the observed runs; None where none has one.
    """

    sweep_id: str
    model: str
    task: str
    projection: str
    method: str
    scope: str
    groups: str
    status: str
    d90: float | None
    d90_low: float | None
    d90_high: float | None
    level: float
    threshold: float
    threshold_kind: str
    fraction: float
    chance: float
    baseline_mean: float
    baseline_std: float
    baseline_seeds: int
    metric: str
    D: int
    m: int
    runs: int
    seconds: float
    run_ids: list[str]
    message: str
    trivial: bool
    other: SecondVerdict
    d90_low_seeds: float | None
    d90_high_seeds: float | None
    evaluation_noise_std: float | None
    limit: str | None
    resamples: int
    isotonic_d90: float | None
    curve: Curve | None
    chance_se: float
    d_min: int
    d_max: int
    search: str
    selection: str
    train_examples: int
    eval_examples: int
    learning_rate: float
    learning_rates: dict[str, float | None]
    step_lengths: StepLengthEvidence
    baseline_scores: list[float]
    stop_at: float | None
    stopped_run_ids: list[str]
    baseline_run_ids: list[str]
    other_run_ids: list[str]
    versions: dict[str, str]
    warnings: list[str] = field(default_factory=list)
    data: DataFacts = field(default_factory=DataFacts)
    next_max_runs: int | None = None
    collapsed_share: float = 0.0
    baseline_collapsed: int = 0
    least_cosine: float | None = None

    def __repr__(self) -> str:
        ends = "" if self.d90_low is None or self.d90_high is None else f" [{self.d90_low:.0f}, {self.d90_high:.0f}]"
        d90 = "-" if self.d90 is None else f"{self.d90:.0f}"
        return f"Verdict({self.model} on {self.task}: {self.status}, d90 {d90}{ends}, {self.runs} runs)"


@dataclass(frozen=True)
class Point:
    """A row of ``points.csv``: all observed runs at one d with one step length, reduced. Failed runs count among
    ``seeds`` and have no score; ``run_ids`` are joined by blanks."""

    d: int
    score_mean: float | None
    score_std: float | None
    seeds: int
    step_length: str
    run_ids: str


POINT_COLUMNS = tuple(one.name for one in fields(Point))


def points_csv(points: Sequence[Point]) -> str:
    """Return points as the text of ``points.csv``; a missing score is an empty cell."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(POINT_COLUMNS)
    for point in points:
        values = [getattr(point, name) for name in POINT_COLUMNS]
        writer.writerow(["" if value is None else value for value in values])
    return table.getvalue()


def read_points(text: str) -> list[Point]:
    """Return the points in the text of ``points.csv``.

    Raises:
        ValueError: a column is missing, or a value is no number.
    """
    made = []
    for row in csv.DictReader(io.StringIO(text)):
        counts = {name: int(float(row.get(name) or "nan")) for name in ("d", "seeds")}
        scores = {name: _finite(row.get(name)) for name in ("score_mean", "score_std")}
        words = {name: row.get(name) for name in ("step_length", "run_ids")}
        made.append(from_dict(Point, counts | scores | words))
    return made


def _finite(text: str | None) -> float | None:
    value = float(text or "nan")
    return value if math.isfinite(value) else None
