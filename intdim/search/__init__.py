"""Searches for d90: algorithms that propose dimensions and judge scores. No torch, no files, no clock.

s = make_search("posterior", d_min=8, d_max=65536, threshold=0.81, baseline=0.90, chance=0.5, max_runs=12, seed=0)
while ds := s.ask(n=1):
    for d in ds:
        s.tell(d, score(d), seed=0)
v = s.verdict()  # v.status, v.d90, v.low, v.high
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from intdim.errors import UserError, suggest
from intdim.search.base import Search, checked_shifts, make_setting, number, whole_number
from intdim.search.bisection import BisectionSearch
from intdim.search.curve import Array
from intdim.search.evidence import Evidence
from intdim.search.grid import GridSearch
from intdim.search.posterior import PosteriorSearch
from intdim.search.verdict import Verdict, judge

__all__ = ["SEARCHES", "Search", "Verdict", "estimate", "make_search"]

SEARCHES: dict[str, type[Search]] = {"posterior": PosteriorSearch, "bisection": BisectionSearch, "grid": GridSearch}


def make_search(name: str, **settings: Any) -> Search:
    """Return the search ``name``; for the settings see ``Search``.

    Raises:
        UserError: an unknown name, or a setting outside its range.
    """
    if name not in SEARCHES:
        raise UserError(f"unknown search {name!r}", suggest(name, SEARCHES), "Choose one of these.")
    return SEARCHES[name](**settings)


def estimate(
    points: Sequence[tuple[int, float] | tuple[int, float, bool]],
    *,
    threshold: float,
    baseline: float,
    chance: float,
    d_min: int,
    d_max: int,
    baseline_std: float = 0.0,
    freedom: float = math.inf,
    fraction: float = 1.0,
    seed: int = 0,
    seeds: int = 1,
    shifts: Array | None = None,
) -> Verdict:
    """Return the verdict for given points and a threshold, without a search: for example for the other threshold.

    Args:
        points: (d, score) of each run; a third entry that is true makes the score a lower bound.
        threshold: the score to reach.
        baseline: the mean score of full fine-tuning.
        chance: the score of always answering the majority class.
        d_min: the smallest dimension of the range.
        d_max: the largest one.
        baseline_std: the standard error of the baseline's mean.
        freedom: degrees of freedom of that error; inf: it is normal.
        fraction: share of that error which is in the threshold.
        seed: that of the search whose runs these are.
        seeds: runs wanted on each side of d90.
        shifts: as in ``Search.verdict``.

    Raises:
        UserError: a setting or a point is outside its range.
    """
    setting = make_setting(d_min, d_max, threshold, baseline, chance, baseline_std, freedom, fraction)
    evidence = Evidence(setting, abs(int(seed)))
    for d, score, *at_least in points:
        evidence.add(whole_number(d, "d"), number(score, f"the score at d={d}"), any(at_least))
    return judge(evidence, seeds, shifts=None if shifts is None else checked_shifts(shifts))
