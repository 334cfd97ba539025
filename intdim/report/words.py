"""Numbers and verdicts in words, the same in figures, tables and pages. Censored answers never become numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = {"absolute": "of the score", "above_chance": "of the gain over chance"}
MEANINGS = {
    "found": "Measured: the number and its interval hold.",
    "below_range": "The threshold is already reached at the smallest d of the search.",
    "above_range": "The threshold is not reached at the largest d of the search.",
    "not_monotone": "The scores do not rise with d, so that no single d can be named.",
    "no_baseline": "Full fine-tuning does not beat chance, so that there is nothing to reach.",
    "budget_spent": "Runs, or examples of the evaluation split, were too few for an interval that is narrow enough.",
}
SIGNED = ("matthews", "pearson", "spearman", "correlation", "mcc")


def whole(value: float) -> str:
    """Return a count with thousands separators: ``1,230``."""
    return f"{round(value):,}"


def score(value: float | None, digits: int = 3) -> str:
    """Return a score with a fixed number of digits, a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def d90_cell(verdict: Mapping[str, Any], bounds: tuple[int, int]) -> str:
    """Return ``1,230``, ``≤ 8``, ``> 65,536`` or ``–``, as the status allows."""
    status = verdict["status"]
    if status == "found":
        return whole(verdict["d90"])
    if status == "below_range":
        return f"≤ {whole(bounds[0])}"
    return f"> {whole(bounds[1])}" if status == "above_range" else "–"


def interval(verdict: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return (low, high) in trained dimensions where the verdict has both ends, else None."""
    low, high = verdict.get("d90_low"), verdict.get("d90_high")
    return None if low is None or high is None else (low, high)


def verdict_line(verdict: Mapping[str, Any], bounds: tuple[int, int]) -> str:
    """Return the verdict as one line of a figure: ``d90 = 1,230 (90 % interval 980 to 1,560)`` or why there is none."""
    status, ends = verdict["status"], interval(verdict)
    if status == "found":
        line = f"d90 = {d90_cell(verdict, bounds)}"
        if ends:
            low, high = verdict.get("d90_low_seeds"), verdict.get("d90_high_seeds")
            line += f" ({100 * (verdict.get('level') or 0.9):g} % interval {whole(ends[0])} to {whole(ends[1])}"
            if low is not None and high is not None and (low, high) != ends:
                line += f"; by the seeds alone {whole(low)} to {whole(high)}"
            line += ")"
    elif status in ("below_range", "above_range"):
        reached = "reached already at the smallest d" if status == "below_range" else "not reached at the largest d"
        line = f"d90 {d90_cell(verdict, bounds)} (threshold {reached})"
    else:
        reasons = {
            "not_monotone": "the scores do not rise with d",
            "no_baseline": "full fine-tuning does not beat chance",
            "budget_spent": "the evaluation split is too small"
            if verdict.get("limit") == "examples"
            else "the runs were used up first",
        }
        line = f"No d90: {reasons.get(status, status)}"
    if verdict.get("trivial"):
        line += "; chance alone meets this threshold"
    return line


def threshold_words(kind: str, fraction: float) -> str:
    """Return what a threshold asks for: ``90 % of the score`` or ``90 % of the gain over chance``."""
    return f"{100 * fraction:g} % {KINDS.get(kind, kind)}"


def subspace_words(verdict: Mapping[str, Any]) -> str:
    """Return method, projection, scope and, for SAID, groups: ``SAID · fastfood · global · m = 4 per layer``."""
    words = [str(verdict["method"]).upper(), str(verdict["projection"]), f"{verdict['scope']} scope"]
    if verdict["method"] == "said":
        words.append(f"{verdict['m']} scales, one per {verdict['groups']}")
    return " · ".join(words)


def metric_range(metric: str) -> str:
    """Return the range of a metric as the unit of an axis."""
    return "−1 to 1" if any(name in metric.lower() for name in SIGNED) else "0 to 1"
