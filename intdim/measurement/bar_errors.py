"""The error of the threshold relative to the scores that all runs of a cell share: by the evaluation examples that were
drawn, and by step lengths that keep less than all of the gain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intdim.measurement.evaluation_noise import bar_shifts, chance_answer, changes, have_score, rounding
from intdim.measurement.lengths_error import length_errors
from intdim.spec import derive_seed

if TYPE_CHECKING:
    from intdim.measurement.program import Measurement

Array = np.ndarray


def all_errors(measurement: Measurement, kind: str, examples: dict[str, Array]) -> Array | None:
    """Return equally likely errors of a threshold relative to the scores, (2, resamples) as in ``bar_errors``: by the
    drawn evaluation examples and by step lengths that keep less than all of the gain. Without the former they are
    (draws,), and None where neither is known."""
    lengths = length_errors(measurement, kind)
    if kind not in examples:
        return lengths

    errors = examples[kind].copy()
    if lengths is not None:  # whether they lower the ceiling as well is not known
        errors[0] += np.resize(lengths, errors.shape[1])
    return errors


def bar_errors(measurement: Measurement) -> dict[str, Array]:
    """Return, for each kind of threshold, what changes when other evaluation examples are drawn, (2, resamples): the
    threshold against the curve where it crosses, and the baseline against the runs that score nearest to it. Empty
    where that was not asked for, or no run in the subspace or of the baseline kept its answers.
    """
    if measurement.bar_errors is not None:
        return measurement.bar_errors
    assert measurement.baseline is not None
    spec, count = measurement.spec, measurement.spec.search.resamples
    observed = {result.run_id: result.score for result in measurement.observed}
    full = {run_id: measurement.results[run_id].score for run_id in measurement.baseline.run_ids}
    kept = {run_id: measurement.answers(run_id) for run_id in (observed | full if count else {})}
    good = {
        run_id: answers
        for run_id, answers in kept.items()
        if answers is not None and have_score(answers, (observed | full)[run_id], spec.task.metric)
    }
    inside, whole = [one for one in observed if one in good], [one for one in full if one in good]
    if not inside or not whole:
        return {}

    labels, halves = good[whole[0]].labels, good[whole[0]].halves
    predictions = [good[run_id].predictions for run_id in inside + whole]
    constant = chance_answer(spec.task.metric, labels, measurement.facts.chance)
    seed = derive_seed(spec.seed, "ruler")  # the word is part of the seed, hence of every interval
    answers = predictions + ([] if constant is None else [constant])
    moved = changes(spec.task.metric, labels, answers, count, seed, halves)
    runs, baseline = moved[: len(inside)], moved[len(inside) : len(predictions)].mean(axis=0)
    chance = moved[-1] if constant is not None else np.zeros(count)

    share, scores = spec.search.fraction, np.array([observed[run_id] for run_id in inside])
    bars = {"absolute": share * baseline, "above_chance": (1 - share) * chance + share * baseline}
    gap = measurement.baseline.mean - measurement.facts.chance
    steps = rounding(len(labels), count, seed)
    top = bar_shifts(baseline, runs, scores, measurement.baseline.mean, gap)  # rounding says nothing of a ceiling
    return {
        kind: np.stack([bar_shifts(bar, runs, scores, measurement.threshold(kind), gap) + steps, top])
        for kind, bar in bars.items()
    }
