"""The answer of a search, and the rules by which the runs earn it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from intdim.search.curve import Setting
from intdim.search.evidence import LEVEL, Crossing, Evidence
from intdim.search.isotonic import crossing_by_isotonic_fit, dips

WIDEST = 4.0  # a wider interval (high / low) is not called found
CENSORED = 0.9  # probability beyond an end of the range from which that is the answer
NEAR = 3.0  # an end of the range counts as measured when runs lie within this factor of it

MESSAGES = {
    "found": "d90 is {d90}: with probability {level} it lies between {low} and {high}.",
    "below_range": "The bar is reached already at d_min={d_min}: d90 is at most that.",
    "above_range": "The bar is not reached at d_max={d_max}: d90 is larger.",
    "not_monotone": "The scores fall again with growing d across the bar, so no single d90 describes them.",
    "no_baseline": "Full fine-tuning does not beat the majority class, so there is no bar to reach.",
    "budget_spent": "{runs} runs do not tell d90 well enough{sofar}.",
}


@dataclass(frozen=True)
class Verdict:
    """The answer of a search. ``d90`` is a number only when ``status`` is ``found``; ``low`` and ``high`` are the ends
    of the interval at ``level``, or the one end that is known of a censored answer; ``isotonic`` is the second
    opinion; ``curve`` has the lists d, median, low, high of the mean score."""

    status: str
    d90: float | None
    low: float | None
    high: float | None
    threshold: float
    level: float
    runs: int
    isotonic: float | None
    message: str
    curve: dict[str, list[float]] | None

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain JSON types."""
        return dict(self.__dict__)


def beats_chance(setting: Setting) -> bool:
    """True when the baseline is above chance by more than two of its standard errors."""
    return setting.baseline - 2 * setting.baseline_se > setting.chance


def judge(evidence: Evidence, seeds: int, threshold: float | None = None) -> Verdict:
    """Return the verdict that all runs so far support, whatever search asked for them.

    Args:
        evidence: the runs.
        seeds: runs with a score wanted on each side of d90, or at the end of the range that the answer is about.
        threshold: another one than the evidence's own.
    """
    setting, points = evidence.setting, evidence.points
    bar = setting.threshold if threshold is None else float(threshold)
    if not beats_chance(setting):
        return _make("no_baseline", setting, bar, len(points))
    if not points:
        return _make("budget_spent", setting, bar, 0)
    crossing = evidence.crossing(bar)
    status = status_of(evidence, crossing, seeds, bar)
    tail = (1 - LEVEL) / 2
    low = math.exp(min(crossing.low, setting.high)) if crossing.below < tail else None
    high = math.exp(max(crossing.high, setting.low)) if crossing.above < tail else None
    if status == "below_range":
        low, high = None, float(setting.d_min)
    elif status == "above_range":
        low, high = float(setting.d_max), None
    d90 = math.exp(crossing.median) if status == "found" else None
    isotonic = crossing_by_isotonic_fit(points, bar)
    return _make(status, setting, bar, len(points), d90, low, high, isotonic, evidence.band())


def status_of(evidence: Evidence, crossing: Crossing, seeds: int, bar: float) -> str:
    """Return the status that the runs support; ``crossing`` is the posterior of log d90 for the threshold ``bar``."""
    setting, tail = evidence.setting, (1 - LEVEL) / 2
    if dips(evidence.points, bar):
        return "not_monotone"
    if crossing.below > CENSORED and evidence.near(setting.low, NEAR) >= seeds:
        return "below_range"
    if crossing.above > CENSORED and evidence.near(setting.high, NEAR) >= seeds:
        return "above_range"
    inside = crossing.below < tail and crossing.above < tail
    if inside and crossing.high - crossing.low <= math.log(WIDEST) and min(evidence.sides(crossing.median)) >= seeds:
        return "found"
    return "budget_spent"


def _make(
    status: str,
    setting: Setting,
    threshold: float,
    runs: int,
    d90: float | None = None,
    low: float | None = None,
    high: float | None = None,
    isotonic: float | None = None,
    curve: dict[str, list[float]] | None = None,
) -> Verdict:
    if low is not None and high is not None:
        so_far = f"; so far it lies between {round(low):,} and {round(high):,}"
    elif low is not None or high is not None:
        so_far = f"; so far it is {'above' if low is not None else 'below'} {round(low or high or 0):,}"
    else:
        so_far = ""
    words = {
        "d90": f"{round(d90 or 0):,}",
        "low": f"{round(low or 0):,}",
        "high": f"{round(high or 0):,}",
        "level": f"{100 * LEVEL:g} %",
        "d_min": f"{setting.d_min:,}",
        "d_max": f"{setting.d_max:,}",
        "runs": str(runs),
        "sofar": so_far,
    }
    return Verdict(status, d90, low, high, threshold, LEVEL, runs, isotonic, MESSAGES[status].format(**words), curve)
