"""Which runs of a sweep did not train as the others did: failed, collapsed, stopped early, or far from the curve."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from intdim.ledger.verdict import Verdict
from intdim.report.records import RunRow

FEWEST = 5  # runs that trained, below which nothing is called an outlier
FAR = 4.0  # robust standard deviations from the curve
SHARE = 0.1  # of the baseline's gain: what is nearer to the curve than this is no outlier


def run_kinds(runs: Sequence[RunRow], verdict: Verdict) -> dict[str, str]:
    """Return by run id one of

    * ``run``: it trained;
    * ``failed_run``: it has no score;
    * ``collapsed_run``: it ended within two standard errors of chance, though another run at its d or a smaller one
      came more than half of the way from chance to the baseline, and more than four standard errors;
    * ``stopped_run``: it ended when it had crossed the bar, so that its score is a lower bound;
    * ``outlier_run``: it lies more than ``FAR`` robust standard deviations (1.4826 times the median distance of the
      runs that trained), and more than ``SHARE`` of the baseline's gain, from the fitted curve.
    """
    half = max((verdict.chance + verdict.baseline_mean) / 2, verdict.chance + 4 * verdict.chance_se)
    good = min((run.result.d for run in runs if run.scored and run.result.score > half), default=math.inf)
    kinds = {run.result.run_id: _kind(run, verdict, good) for run in runs}

    trained = [run for run in runs if kinds[run.result.run_id] == "run"]
    far = _far_from_curve(trained, verdict)
    return kinds | dict.fromkeys(far, "outlier_run")


def _kind(run: RunRow, verdict: Verdict, good: float) -> str:
    """Say what kind a run is, given the smallest d at which a run came far."""
    if not run.scored:
        return "failed_run"
    if run.result.score <= verdict.chance + 2 * verdict.chance_se and run.result.d >= good:
        return "collapsed_run"
    return "stopped_run" if run.result.crossed else "run"


def _far_from_curve(trained: Sequence[RunRow], verdict: Verdict) -> list[str]:
    """Return the ids of the runs that lie far from the fitted curve."""
    if verdict.curve is None or len(trained) < FEWEST:
        return []
    at = np.log([run.result.d for run in trained])
    curve = np.interp(at, np.log(verdict.curve.d), verdict.curve.median)
    distances = [abs(run.result.score - float(one)) for run, one in zip(trained, curve, strict=True)]
    usual = 1.4826 * statistics.median(distances)
    far = max(FAR * usual, SHARE * abs(verdict.baseline_mean - verdict.chance))
    return [run.result.run_id for run, distance in zip(trained, distances, strict=True) if distance > far]
