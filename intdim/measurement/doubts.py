"""What makes a verdict doubtful, in sentences: for the terminal, the record, the page and the figure."""

from __future__ import annotations

import math

from scipy.special import ndtri

from intdim.ledger.results import RunResult
from intdim.measurement.program import Measurement

SEEN = 0.95  # cosine of the update that the forward pass sees: below it scores fell in scripts/bench_precision.py
SPREAD = 0.1  # of the gain over chance: seeds of the baseline that vary by more leave the threshold uncertain


def nothing_learnt(measurement: Measurement) -> bool:
    """True where runs in subspaces have scores and none of them beat always answering the majority class.

    Of many runs that learn nothing one may score high by luck, so that the best of them has to be further above chance
    (Bonferroni, 5 % for all of them).
    """
    inside = [result.score for result in measurement.results.values() if result.method != "full"]
    lucky = measurement.facts.chance + float(ndtri(1 - 0.05 / max(1, len(inside)))) * measurement.facts.chance_se
    scored = [score for score in inside if math.isfinite(score)]
    return bool(scored) and not any(score > lucky for score in scored)


def warnings_of(measurement: Measurement) -> list[str]:
    """Return what a reader should know before believing the verdict of a measurement that has ended."""
    found = [*measurement.facts.data.warnings, *_about_the_baseline(measurement), *_about_the_runs(measurement)]
    if measurement.lengths.decided:
        found.append(
            "One step length was given and none was tuned: the interval does not cover that another may suit better."
        )
    return found + _about_precision(measurement) + _about_the_threshold(measurement)


def trivial(measurement: Measurement) -> bool:
    """True where chance alone meets the threshold."""
    return measurement.threshold(measurement.kind) <= measurement.facts.chance


def trivial_words(measurement: Measurement) -> str:
    """Say that chance meets the threshold."""
    advice = "; read the above_chance verdict instead" if measurement.kind == "absolute" else ""
    return (
        f"This threshold is trivially easy: always answering the majority class scores "
        f"{measurement.facts.chance:.3f}, and {measurement.threshold(measurement.kind):.3f} is asked for{advice}."
    )


def least_cosine(measurement: Measurement) -> float | None:
    """Return the smallest cosine between an update that was meant and what the forward pass saw of it."""
    found = [result.update_cosine for result in measurement.observed if result.update_cosine is not None]
    return min(found, default=None)


def _about_precision(measurement: Measurement) -> list[str]:
    least = least_cosine(measurement)
    if least is None or least >= SEEN:
        return []
    return [
        f"In weights of {measurement.spec.train.precision} the forward pass sees another update than z stands for "
        f"(their cosine is as small as {least:.2f}): d90 may be that of the precision. Try train.precision=float32."
    ]


def _about_the_threshold(measurement: Measurement) -> list[str]:
    facts, threshold = measurement.facts, measurement.threshold(measurement.kind)
    if trivial(measurement):
        return [trivial_words(measurement)]
    if threshold > facts.chance + facts.chance_se:
        return []
    return [
        f"The threshold {threshold:.3f} is no further from the score of always answering the majority class "
        f"({facts.chance:.3f} ± {facts.chance_se:.3f}) than that score is uncertain: d90 of it says little."
    ]


def _about_the_baseline(measurement: Measurement) -> list[str]:
    baseline, facts = measurement.baseline, measurement.facts
    assert baseline is not None
    found = []
    edge = baseline.clear_edge(facts.chance)
    if edge:
        found.append(
            f"The best learning rate of full fine-tuning, {baseline.learning_rate:g}, is the {edge} that was tried: "
            "another may be better, and the threshold too low. Widen train.learning_rate."
        )
    if baseline.collapsed:
        seeds = f"{baseline.collapsed} of {baseline.collapsed + len(baseline.scores)} seeds of full fine-tuning"
        found.append(f"{seeds} did not train; the threshold is of the others.")
    spread, gain = 2 * baseline.std, baseline.mean - facts.chance
    if gain <= 0 or spread <= SPREAD * gain:
        return found
    varied = f"The {len(baseline.scores)} seeds of full fine-tuning vary by ±{baseline.std:.3f}"
    uncertain = f"more than a twentieth of its gain over chance ({gain:.3f}): the threshold is uncertain"
    return [*found, f"{varied}, {uncertain}. Raise train.baseline_seeds."]


def _about_the_runs(measurement: Measurement) -> list[str]:
    found = []
    failed = [result for result in measurement.observed if result.failed]
    if failed:
        found.append(f"{_counted(failed)} failed (a loss that is not finite) and say nothing about the score.")

    collapsed = collapsed_runs(measurement)
    if collapsed and not nothing_learnt(measurement):
        places = ", ".join(f"d={result.d:,}" for result in collapsed[:4])
        found.append(
            f"{_counted(collapsed)} collapsed, it seems ({places}): at chance although another run at the same or a "
            "smaller d is far above it. Lower or widen train.step_grid if there are many."
        )
    return found + _too_short(measurement)


def _too_short(measurement: Measurement) -> list[str]:
    """Say that runs at the upper end of the range do not fit their own training examples well enough."""
    end, bar = measurement.spec.search.d_max, measurement.threshold(measurement.kind)
    last = [result.train_score for result in measurement.observed if result.d == end and result.train_score is not None]
    full = [
        result.train_score
        for result in measurement.results.values()
        if result.method == "full" and result.train_score is not None
    ]
    if not last or max(last) >= bar or not full or max(full) < bar:
        return []
    return [
        f"At d={end:,} the score on the training examples ({max(last):.3f} at best) is below the threshold {bar:.3f} "
        "too: the runs may be too short for a subspace, rather than the subspace too small. Raise train.max_steps."
    ]


def collapsed_runs(measurement: Measurement) -> list[RunResult]:
    """Return the observed runs that ended at chance although a run at the same or a smaller d came more than half of
    the way from chance to the baseline."""
    assert measurement.baseline is not None
    half = (measurement.facts.chance + measurement.baseline.mean) / 2
    good = [result.d for result in measurement.observed if result.score > half]
    return [
        result
        for result in measurement.observed
        if result.score <= measurement.chance_level and any(d <= result.d for d in good)
    ]


def _counted(runs: list[RunResult]) -> str:
    return f"{len(runs)} run{'s' * (len(runs) != 1)}"
