"""Numbers and verdicts in words, the same in figures, tables and pages. Censored answers never become numbers."""

from __future__ import annotations

from typing import Protocol

from intdim.ledger.verdict import Verdict

THRESHOLDS = {"absolute": "of the score", "above_chance": "of the gain over chance"}
MEANINGS = {
    "found": "Measured: the number and its interval hold.",
    "below_range": "The threshold is already reached at the smallest d of the search.",
    "above_range": "The threshold is not reached at the largest d of the search.",
    "not_monotone": "The scores do not rise with d, so that no single d can be named.",
    "no_baseline": "Full fine-tuning does not beat chance, so that there is nothing to reach.",
    "no_learning": "No run in a subspace beats chance: the training settings are in doubt, not d.",
    "budget_spent": "Runs, or examples of the evaluation split, were too few for an interval that is narrow enough.",
}
CENSORED = ("below_range", "above_range")
PLACED = ("found", "budget_spent")  # their interval says where d90 is; a bound has one end, that of the range
SIGNED = ("matthews", "pearson", "spearman", "correlation", "mcc")


class HasAnswer(Protocol):
    """A verdict, a second verdict, or a row of a figure: how the search ended, and the number where it is found."""

    @property
    def status(self) -> str: ...
    @property
    def d90(self) -> float | None: ...


class HasInterval(Protocol):
    """What has the two ends of an interval of d90."""

    @property
    def d90_low(self) -> float | None: ...
    @property
    def d90_high(self) -> float | None: ...


class HasBoth(HasAnswer, HasInterval, Protocol):
    """A verdict by one of the two kinds of threshold."""


def whole(value: float) -> str:
    """Return a count with thousands separators: ``1,230``."""
    return f"{round(value):,}"


def score(value: float | None, digits: int = 3) -> str:
    """Return a score with a fixed number of digits, a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def with_error(value: float, error: float | None) -> str:
    """Return a score with its error where there is one: ``0.842 ± 0.003``."""
    return score(value) if error is None else f"{score(value)} ± {score(error)}"


def status_words(status: str) -> str:
    """Return a status as words: ``below range``."""
    return status.replace("_", " ")


def count(number: int, thing: str) -> str:
    """Return ``1 seed`` or ``3 seeds``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def d90_cell(verdict: HasAnswer, bounds: tuple[int, int]) -> str:
    """Return ``1,230``, ``≤ 8``, ``> 65,536`` or ``–``, as the status allows; ``bounds`` are d_min and d_max."""
    if verdict.status == "found" and verdict.d90 is not None:
        return whole(verdict.d90)
    if verdict.status == "below_range":
        return f"≤ {whole(bounds[0])}"
    return f"> {whole(bounds[1])}" if verdict.status == "above_range" else "–"


def interval(verdict: HasInterval) -> tuple[float, float] | None:
    """Return (low, high) in trained dimensions where the verdict has both ends, else None."""
    low, high = verdict.d90_low, verdict.d90_high
    return None if low is None or high is None else (low, high)


def interval_words(verdict: HasInterval) -> str:
    """Return ``980 to 1,560``, ``above 980`` or ``below 1,560`` where one end is known, a dash where none is."""
    low, high = verdict.d90_low, verdict.d90_high
    if low is None and high is None:
        return "–"
    if low is None or high is None:
        return f"below {whole(high or 0)}" if low is None else f"above {whole(low)}"
    return f"{whole(low)} to {whole(high)}"


def known_words(verdict: HasBoth) -> str:
    """Return ``interval_words`` of an answer whose interval says where d90 is, a dash for any other."""
    return interval_words(verdict) if verdict.status in PLACED else "–"


def seeds_interval(verdict: Verdict) -> tuple[float, float] | None:
    """Return the interval without the error of the evaluation examples where it differs from the whole one."""
    low, high = verdict.d90_low_seeds, verdict.d90_high_seeds
    if low is None or high is None or (low, high) == interval(verdict):
        return None
    return low, high


def baseline_spread(verdict: Verdict) -> float | None:
    """Return the standard deviation of the baseline's seeds; None for one seed, which shows no spread."""
    return verdict.baseline_std if verdict.baseline_seeds > 1 else None


def verdict_line(verdict: Verdict) -> str:
    """Return the verdict as one line of a figure: ``d90 = 1,230 (90 % interval 980 to 1,560)`` or why there is none."""
    cell = d90_cell(verdict, (verdict.d_min, verdict.d_max))
    if verdict.status == "found":
        line = f"d90 = {cell}{_interval_note(verdict)}"
    elif verdict.status == "below_range":
        line = f"d90 {cell} (threshold reached already at the smallest d)"
    elif verdict.status == "above_range":
        line = f"d90 {cell} (threshold not reached at the largest d)"
    else:
        known = known_words(verdict)
        line = f"No d90: {_reason(verdict)}{'' if known == '–' else f'; so far {known}'}"
    return f"{line}; chance alone meets this threshold" if verdict.trivial else line


def _interval_note(verdict: Verdict) -> str:
    if interval(verdict) is None:
        return ""
    note = f"{100 * verdict.level:g} % interval {interval_words(verdict)}"
    seeds = seeds_interval(verdict)
    if seeds:
        note += f"; by the seeds alone {whole(seeds[0])} to {whole(seeds[1])}"
    return f" ({note})"


def _reason(verdict: Verdict) -> str:
    if verdict.status == "budget_spent":
        few_examples = verdict.limit == "examples"
        return "the evaluation split is too small" if few_examples else "the runs were used up first"
    reasons = {
        "not_monotone": "the scores do not rise with d",
        "no_baseline": "full fine-tuning does not beat chance",
        "no_learning": "no run in a subspace beats chance",
    }
    return reasons.get(verdict.status, verdict.status)


def threshold_words(kind: str, fraction: float) -> str:
    """Return what a threshold asks for: ``90 % of the score`` or ``90 % of the gain over chance``."""
    return f"{100 * fraction:g} % {THRESHOLDS.get(kind, kind)}"


def subspace_words(verdict: Verdict) -> str:
    """Return method, projection, scope and, for SAID, scales: ``SAID · fastfood · global scope · 4 scales, one per
    layer``."""
    words = [verdict.method.upper(), verdict.projection, f"{verdict.scope} scope"]
    if verdict.method == "said":
        words.append(f"{verdict.m} scales, one per {verdict.groups}")
    return " · ".join(words)


def metric_range(metric: str) -> str:
    """Return the range of a metric as the unit of an axis."""
    return "−1 to 1" if any(name in metric.lower() for name in SIGNED) else "0 to 1"
