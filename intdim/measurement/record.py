"""What is recorded of a measurement that has ended: its verdict and its points."""

from __future__ import annotations

import importlib.metadata
import math
import statistics

import numpy as np

from intdim import search
from intdim.ledger.verdict import Curve, Point, SecondVerdict, Verdict
from intdim.measurement.bar_errors import all_errors, bar_errors
from intdim.measurement.doubts import collapsed_runs, least_cosine, nothing_learnt, trivial, trivial_words, warnings_of
from intdim.measurement.program import Measurement, runs_to_go
from intdim.search import estimate
from intdim.search.verdict import MESSAGES, noise_in
from intdim.spec import derive_seed

PACKAGES = ("intdim", "torch", "transformers", "datasets", "tokenizers", "numpy", "scipy")


def make_verdict(measurement: Measurement) -> Verdict:
    """Return the verdict of a measurement whose program has ended."""
    assert measurement.baseline is not None
    spec, wanted, facts, baseline = measurement.spec, measurement.spec.search, measurement.facts, measurement.baseline
    examples = bar_errors(measurement)
    verdict, stuck = first_verdict(measurement, examples)
    threshold = measurement.threshold(measurement.kind)

    observed = [result.run_id for result in measurement.observed]
    return Verdict(
        sweep_id=spec.sweep_id,
        model=spec.model.name,
        task=spec.task.name,
        projection=spec.subspace.projection,
        method=spec.subspace.method,
        scope=spec.subspace.scope,
        groups=spec.subspace.groups if spec.subspace.method == "said" else "none",
        status="no_learning" if stuck else verdict.status,
        d90=None if stuck else _plain(verdict.d90),
        d90_low=None if stuck else _plain(verdict.low),
        d90_high=None if stuck else _plain(verdict.high),
        level=verdict.level,
        threshold=threshold,
        threshold_kind=measurement.kind,
        fraction=wanted.fraction,
        chance=facts.chance,
        baseline_mean=baseline.mean,
        baseline_std=baseline.std,
        baseline_seeds=len(baseline.scores),
        metric=spec.task.metric,
        D=facts.D,
        m=facts.scales(spec.subspace),
        runs=len(measurement.results),
        seconds=round(sum(result.seconds for result in measurement.results.values()), 3),
        run_ids=observed,
        message=_message(measurement, verdict, stuck),
        trivial=trivial(measurement),
        other=second_verdict(measurement, examples, stuck),
        d90_low_seeds=None if stuck else _plain(verdict.low_seeds),
        d90_high_seeds=None if stuck else _plain(verdict.high_seeds),
        evaluation_noise_std=six_digits(noise_in(examples[measurement.kind])) if examples else None,
        limit=verdict.limit,
        resamples=wanted.resamples if examples else 0,
        isotonic_d90=_plain(verdict.isotonic),
        curve=_curve(verdict),
        chance_se=facts.chance_se,
        d_min=wanted.d_min,
        d_max=wanted.d_max,
        search=wanted.name,
        selection=spec.task.selection,
        train_examples=facts.train_examples,
        eval_examples=facts.eval_examples,
        learning_rate=baseline.learning_rate,
        learning_rates={f"{rate:g}": _finite(score) for rate, score in sorted(baseline.tried.items())},
        step_lengths=measurement.lengths.evidence(),
        baseline_scores=baseline.scores,
        stop_at=measurement.stop_at,
        stopped_run_ids=[result.run_id for result in measurement.observed if result.crossed],
        baseline_run_ids=baseline.run_ids,
        other_run_ids=sorted(set(measurement.results) - set(observed) - set(baseline.run_ids)),
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
        warnings=warnings_of(measurement),
        data=facts.data,
        next_max_runs=None if stuck else _next_max_runs(verdict),
        collapsed_share=round(len(collapsed_runs(measurement)) / max(1, len(observed)), 4),
        baseline_collapsed=baseline.collapsed,
        least_cosine=_plain(least_cosine(measurement)),
    )


def first_verdict(measurement: Measurement, examples: dict[str, np.ndarray]) -> tuple[search.Verdict, bool]:
    """Return the verdict of the search, with all errors of the threshold, and whether no run beat chance."""
    assert measurement.search is not None
    verdict = measurement.search.verdict(shifts=all_errors(measurement, measurement.kind, examples))
    return verdict, verdict.status != "no_baseline" and nothing_learnt(measurement)


def second_verdict(measurement: Measurement, examples: dict[str, np.ndarray], stuck: bool) -> SecondVerdict:
    """Return the answer by the other kind of threshold, from the same runs or, with ``search.threshold=both``, from
    further ones as well; ``stuck``: none of them beat chance."""
    assert measurement.baseline is not None
    spec, wanted, facts, baseline = measurement.spec, measurement.spec.search, measurement.facts, measurement.baseline
    kind = measurement.other_kind
    shifts = all_errors(measurement, kind, examples)
    threshold = measurement.threshold(kind)
    other = (
        measurement.second.verdict(shifts=shifts)
        if measurement.second
        else estimate(
            [(result.d, result.score, result.crossed) for result in measurement.observed],
            threshold=threshold,
            baseline=baseline.mean,
            chance=facts.chance,
            d_min=wanted.d_min,
            d_max=wanted.d_max,
            baseline_std=baseline.standard_error,
            freedom=baseline.freedom,
            fraction=wanted.fraction,
            seed=derive_seed(spec.seed, "search"),
            seeds=wanted.seeds,
            shifts=shifts,
        )
    )
    return SecondVerdict(
        threshold_kind=kind,
        threshold=threshold,
        status="no_learning" if stuck else other.status,
        d90=None if stuck else _plain(other.d90),
        d90_low=None if stuck else _plain(other.low),
        d90_high=None if stuck else _plain(other.high),
        message=MESSAGES["no_learning"] if stuck else other.message,
        d90_low_seeds=None if stuck else _plain(other.low_seeds),
        d90_high_seeds=None if stuck else _plain(other.high_seeds),
        evaluation_noise_std=six_digits(noise_in(examples[kind])) if examples else None,
        limit=other.limit,
    )


def make_points(measurement: Measurement) -> list[Point]:
    """Return all observed runs at one d with one step length, reduced, for each of them; a failed run has no score."""
    points = []
    for d, length in sorted({(result.d, result.step_length) for result in measurement.observed}):
        here = [result for result in measurement.observed if (result.d, result.step_length) == (d, length)]
        scores = [result.score for result in here if math.isfinite(result.score)]
        point = Point(
            d=d,
            score_mean=statistics.fmean(scores) if scores else None,
            score_std=statistics.stdev(scores) if len(scores) > 1 else None,
            seeds=len(here),
            step_length=f"{length:g}",
            run_ids=" ".join(result.run_id for result in here),
        )
        points.append(point)
    return points


def six_digits(value: float) -> float:
    """Round to six significant digits: more would be noise in a record."""
    return float(f"{value:.6g}")


def _message(measurement: Measurement, verdict: search.Verdict, stuck: bool) -> str:
    """Return the answer in words, with what would bring more where it is missing."""
    if stuck:
        return MESSAGES["no_learning"]

    said, wanted = verdict.message, _next_max_runs(verdict)
    if wanted is not None:
        more = runs_to_go(verdict.low_seeds, verdict.high_seeds, verdict.runs)
        likely = f"Likely found after {more} more run{'s' * (more != 1)}" if more else "More runs are needed"
        said += f" {likely}: search.max_runs={wanted} goes on from these."
    return said + (f" {trivial_words(measurement)}" if trivial(measurement) else "")


def _next_max_runs(verdict: search.Verdict) -> int | None:
    """Return the budget that is likely to be enough; twice as many runs where nobody can say; None if runs were."""
    if verdict.status != "budget_spent" or verdict.limit != "runs":
        return None
    more = runs_to_go(verdict.low_seeds, verdict.high_seeds, verdict.runs) or 0
    return max(2 * verdict.runs, verdict.runs + more)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else six_digits(value)


def _curve(verdict: search.Verdict) -> Curve | None:
    if verdict.curve is None:
        return None
    rounded = {name: [six_digits(float(value)) for value in values] for name, values in verdict.curve.items()}
    return Curve(**rounded)
