"""The verdict of a search, and the rules that decide which verdict the runs support."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from intdim.search.curve import Array, Setting
from intdim.search.evidence import LEVEL, Crossing, Evidence
from intdim.search.isotonic import bands_of, crossing_by_isotonic_fit, dips, noise_of

WIDEST = 4.0  # a wider interval (high / low) is not called found
CENSORED = 0.9  # probability of lying beyond an end of the range from which that is the verdict
NEAR = 3.0  # an end of the range counts as measured when runs lie within this factor of it

MESSAGES = {
    "found": "d90 is {d90}: with probability {level} it lies between {low} and {high}.",
    "below_range": "The threshold is already reached at d_min={d_min}: d90 is at most that.",
    "above_range": "The threshold is not reached at d_max={d_max}: d90 is larger.",
    "not_monotone": "The scores fall below the threshold again as d grows, so no single d90 describes them.",
    "no_baseline": "Full fine-tuning does not beat the majority class, so there is no threshold to reach.",
    "no_learning": "No run in a subspace beat always answering the majority class, so nothing is known about d90. "
    "Raise train.max_steps, or widen train.step_grid.",
    "budget_spent": "{runs} runs are not enough to determine d90{sofar}.",
    "no_scores": "None of {runs} runs gave a score, so nothing is known about d90.",
    "examples": "The evaluation split is too small to determine d90: another draw of its examples would move the "
    "threshold by ±{noise} relative to the scores{sofar}. More runs cannot change that; more evaluation examples can.",
    "baseline": "The error of the baseline makes the interval too wide{sofar}. More runs in the subspace cannot change "
    "that; more seeds of the baseline can: raise train.baseline_seeds.",
    "lengths": "Runs at a smaller d score clearly better than those at d_max={d_max}, so the step length does not suit "
    "the largest d, and whether d90 lies beyond it is not known{sofar}. Widen train.step_grid.",
}
CLEARLY = 3.0  # standard errors by which one median is clearly above another
Ends = tuple[float | None, float | None]


@dataclass(frozen=True)
class Verdict:
    """The verdict of a search.

    Attributes:
        status: one of ``intdim.spec.STATUSES``.
        d90: a number only when ``status`` is ``found``, else None.
        low: lower end of the interval at ``level``; None if unknown or outside the range. A censored verdict has only
            the end that is known.
        high: upper end, likewise.
        low_seeds: the lower end without the evaluation-set noise.
        high_seeds: the upper end without it.
        evaluation_noise: that noise: the standard deviation of the threshold relative to the scores over draws of the
            evaluation examples; 0.0 if it was not taken into account.
        limit: what is missing if the interval is too wide: ``runs``, seeds of the ``baseline``, ``examples`` of the
            evaluation split, or step ``lengths`` that suit the largest d; None for other verdicts.
        threshold: the score to reach.
        level: probability that the interval holds d90.
        runs: how many runs the verdict rests on, failed ones included.
        isotonic: d90 by isotonic regression, a second opinion; None if it gives none.
        message: the verdict in one or two sentences.
        curve: posterior of the mean score, as lists ``d``, ``median``, ``low``, ``high``; None without scores.
    """

    status: str
    d90: float | None
    low: float | None
    high: float | None
    low_seeds: float | None
    high_seeds: float | None
    evaluation_noise: float
    limit: str | None
    threshold: float
    level: float
    runs: int
    isotonic: float | None
    message: str
    curve: dict[str, list[float]] | None

    def __repr__(self) -> str:
        ends = "" if self.low is None or self.high is None else f" [{self.low:.0f}, {self.high:.0f}]"
        d90 = "-" if self.d90 is None else f"{self.d90:.0f}"
        return f"Verdict({self.status}, d90 {d90}{ends}, {self.runs} runs)"

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain JSON types."""
        return dict(self.__dict__)


def beats_chance(setting: Setting) -> bool:
    """True when the baseline is above chance by more than two of its standard errors."""
    return setting.baseline - 2 * setting.baseline_se > setting.chance


def judge(evidence: Evidence, seeds: int, threshold: float | None = None, shifts: Array | None = None) -> Verdict:
    """Return the verdict that all runs so far support, whatever search asked for them.

    Args:
        evidence: the runs.
        seeds: runs with a score wanted on each side of d90, or at the end of the range beyond which d90 lies.
        threshold: the score to reach, if another one than the evidence's own.
        shifts: (any number,) or (2, any number) equally likely errors of the threshold relative to the scores, and of
            the baseline relative to the ceiling, shared by all runs: see ``evidence.with_errors``. They widen the
            interval. With the second row d90 is the median with them, else that without.
    """
    setting, points = evidence.setting, evidence.points
    bar = setting.threshold if threshold is None else float(threshold)
    if not beats_chance(setting):
        return _make("no_baseline", setting, bar, len(points))
    if not points:
        return _make("budget_spent", setting, bar, 0, limit="runs")
    if all(math.isnan(score) for _, score in points):  # failed runs are no evidence about d90
        return _make("budget_spent", setting, bar, len(points), limit="runs", message="no_scores")

    evidence = evidence.refined()
    alone = whole = evidence.crossing(bar)
    if shifts is not None:
        whole = evidence.crossing(bar, shifts)
    centre = whole.median if knows_ceiling(shifts) else alone.median
    status_by_seeds, status = (status_of(evidence, crossing, seeds, bar, centre) for crossing in (alone, whole))

    low, high = _ends(status, setting, whole)
    low_seeds, high_seeds = _ends(status_by_seeds, setting, alone)
    d90 = math.exp(centre) if status == "found" else None
    if d90 is not None and low is not None and high is not None:
        low, high = min(low, d90), max(high, d90)  # a median without shifts may lie outside

    return _make(
        status,
        setting,
        bar,
        len(points),
        d90,
        (low, high),
        (low_seeds, high_seeds),
        isotonic=crossing_by_isotonic_fit(points, bar, evidence.bounded),
        curve=evidence.band(),
        evaluation_noise=noise_in(shifts),
        limit=_limit(evidence, status_by_seeds, bar, shifts) if status == "budget_spent" else "runs",
    )


def knows_ceiling(shifts: Array | None) -> bool:
    """True where errors say what they do to the ceiling as well."""
    return shifts is not None and shifts.ndim == 2


def noise_in(shifts: Array | None) -> float:
    """Return the standard deviation of errors of the threshold; 0.0 without any."""
    return 0.0 if shifts is None else float(np.std(shifts if shifts.ndim == 1 else shifts[0]))


def _limit(evidence: Evidence, by_seeds: str, bar: float, shifts: Array | None) -> str:
    """Return what a verdict lacks whose interval is too wide."""
    if by_seeds != "budget_spent":
        return "examples"
    if falls_off(evidence, bar):
        return "lengths"
    fixed = shifts if knows_ceiling(shifts) else None  # errors of step lengths alone are what further runs do change
    if evidence.bar_width(bar, fixed) <= math.log(WIDEST):
        return "runs"
    return "examples" if noise_in(shifts) > evidence.setting.fraction * evidence.setting.baseline_se else "baseline"


def falls_off(evidence: Evidence, bar: float) -> bool:
    """True when runs at a smaller d score clearly better than those at the upper end of the range, although none is
    clearly above the threshold: a length of step that does not suit the end, rather than a d90 beyond it."""
    bands = bands_of(evidence.upper_points)
    if len(bands) < 2 or math.log(evidence.setting.d_max / bands[-1].d) > math.log(NEAR):
        return False

    last = bands[-1]
    noise = noise_of(bands)
    for band in bands[:-1]:
        error = noise * math.sqrt(1 / len(band.scores) + 1 / len(last.scores))
        if band.median - last.median > max(CLEARLY * error, 0.03 * evidence.setting.gap) and last.median < bar:
            return True
    return False


def _ends(status: str, setting: Setting, crossing: Crossing) -> Ends:
    """Return the interval that belongs to a status; an end outside the range is None."""
    tail = (1 - LEVEL) / 2
    if status == "below_range":
        return None, float(setting.d_min)
    if status == "above_range":
        return float(setting.d_max), None
    low = math.exp(min(crossing.low, setting.high)) if crossing.below < tail else None
    high = math.exp(max(crossing.high, setting.low)) if crossing.above < tail else None
    return low, high


def status_of(evidence: Evidence, crossing: Crossing, seeds: int, bar: float, centre: float | None = None) -> str:
    """Return the status that the runs support.

    Args:
        evidence: the runs.
        crossing: the posterior of log d90 for the threshold ``bar``.
        seeds: runs wanted on each side.
        bar: the threshold.
        centre: the log d90 on each side of which runs are wanted; the posterior's median if not given.
    """
    setting, tail = evidence.setting, (1 - LEVEL) / 2
    centre = crossing.median if centre is None else centre

    if dips(evidence.points, bar, evidence.upper_points):
        return "not_monotone"
    if crossing.below > CENSORED and evidence.near(setting.low, NEAR) >= seeds:
        return "below_range"
    at_end = evidence.near(setting.high, NEAR) >= seeds and evidence.near(setting.high, 1.0) >= 1
    if crossing.above > CENSORED and at_end and not falls_off(evidence, bar):
        return "above_range"

    inside = crossing.below < tail and crossing.above < tail
    narrow = inside and crossing.high - crossing.low <= math.log(WIDEST)
    if narrow and min(evidence.sides(centre)) >= seeds:
        return "found"
    return "budget_spent"


def _make(
    status: str,
    setting: Setting,
    threshold: float,
    runs: int,
    d90: float | None = None,
    ends: Ends = (None, None),
    seeds_ends: Ends = (None, None),
    isotonic: float | None = None,
    curve: dict[str, list[float]] | None = None,
    evaluation_noise: float = 0.0,
    limit: str = "runs",
    message: str = "",
) -> Verdict:
    """Return a verdict with its sentence; ``message`` names another one in ``MESSAGES`` than the status does."""
    (low, high), (low_seeds, high_seeds) = ends, seeds_ends
    if low is not None and high is not None:
        so_far = f"; so far it lies between {round(low):,} and {round(high):,}"
    elif low is not None or high is not None:
        so_far = f"; so far it is {'above' if low is not None else 'below'} {round(low or high or 0):,}"
    else:
        so_far = ""

    values = {
        "d90": f"{round(d90 or 0):,}",
        "low": f"{round(low or 0):,}",
        "high": f"{round(high or 0):,}",
        "level": f"{100 * LEVEL:g} %",
        "d_min": f"{setting.d_min:,}",
        "d_max": f"{setting.d_max:,}",
        "runs": str(runs),
        "sofar": so_far,
        "noise": f"{evaluation_noise:.3f}",
    }
    if status == "budget_spent" and limit != "runs":
        message = limit
    sentence = MESSAGES[message or status].format(**values)
    seeds_alone = ""
    if low_seeds is not None and high_seeds is not None:
        seeds_alone = f" ({round(low_seeds):,} to {round(high_seeds):,} by the seeds alone)"
    if status == "found" and evaluation_noise:
        sentence = sentence.removesuffix(".") + seeds_alone + "."

    return Verdict(
        status=status,
        d90=d90,
        low=low,
        high=high,
        low_seeds=low_seeds,
        high_seeds=high_seeds,
        evaluation_noise=evaluation_noise,
        limit=limit if status == "budget_spent" else None,
        threshold=threshold,
        level=LEVEL,
        runs=runs,
        isotonic=isotonic,
        message=sentence,
        curve=curve,
    )
