"""Where each number of a run or of a verdict came from, in a sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intdim.cli.plain import short
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict
from intdim.report.words import count, whole
from intdim.spec import RunSpec, SweepSpec


@dataclass(frozen=True)
class Source:
    """A number, or several that belong together: what it is called, its value in words, and where it came from."""

    name: str
    value: str
    origin: str


def of_run(spec: RunSpec, result: RunResult, answers: int | None) -> list[Source]:
    """Return the sources of a run's numbers.

    Args:
        spec: what was asked.
        result: what came out.
        answers: how many answers are kept in eval.safetensors and have the score; None where none are kept.
    """
    full = spec.subspace.method == "full"
    kept = "" if answers is None else f": {answers:,} answers in eval.safetensors, scored again just now"
    steps = f"steps {result.best_step:,} and {result.other_step:,} of {result.steps:,}"
    scored = f"each half of the evaluation split at the step that the other half chose ({steps})"
    chosen = f"each half at the step that it chose ({steps})"
    if spec.task.selection == "same":
        scored = f"the whole evaluation split, which also chose step {result.best_step:,} of {result.steps:,}"
        chosen = "the same"
    rate = "spec.json" if full else f"spec.json; the learning rate is s / √d = {result.learning_rate:.3g}"
    return [
        Source("eval_score", _score(result.eval_score), f"{result.metric} on {scored}{kept}"),
        Source("select_score", _score(result.select_score), f"{result.metric} on {chosen}"),
        Source("train_score", _score(result.train_score), f"{result.metric} on a fixed sample of the training split"),
        Source("eval_loss", _score(result.eval_loss), "mean loss on the examples of eval_score"),
        Source("d", f"{result.d:,}", "all weights" if full else "spec.json; the scales of SAID are counted"),
        Source("D", f"{result.D:,}", f"the weights of {spec.model.name} inside the subspace"),
        Source("lr" if full else "s", f"{spec.learning_rate if full else spec.step_length:g}", rate),
        Source("seed", str(result.seed), "spec.json; projection, head, order of the data and dropout follow from it"),
        Source("seconds", f"{result.seconds:,.1f}", "measured, without waiting for a slot"),
        Source("peak memory", f"{result.peak_memory_bytes / 2**20:,.0f} MiB", "measured, of the device or the process"),
    ]


def of_verdict(spec: SweepSpec, verdict: Verdict) -> list[Source]:
    """Return the sources of a verdict's numbers."""
    search, dimensions = spec.search, "points.csv"
    seen = f"{count(len(verdict.run_ids), 'run')} that the search {search.name} observed ({dimensions})"
    rest = "its gain over chance" if verdict.threshold_kind == "above_chance" else "the baseline's mean"
    baselines = ", ".join(short(run) for run in verdict.baseline_run_ids)
    noise = f", {verdict.resamples:,} drawings of the evaluation examples" if verdict.resamples else ", the seeds alone"
    other = f"by the {verdict.other.threshold_kind} threshold"
    interval = f"{_end(verdict.d90_low)} to {_end(verdict.d90_high)}"
    seeds = f"{_end(verdict.d90_low_seeds)} to {_end(verdict.d90_high_seeds)}"
    made = [
        Source("d90", _end(verdict.d90), f"where the curve through the scores of {seen} crosses the threshold"),
        Source("interval", interval, f"{100 * verdict.level:g} %, from the same runs{noise}"),
        Source("seeds alone", seeds, "the same without the error of the evaluation examples"),
        Source("isotonic_d90", _end(verdict.isotonic_d90), "a second opinion: an isotonic fit of the same points"),
        Source("threshold", _score(verdict.threshold), f"{100 * verdict.fraction:g} % of {rest} ({_bar(verdict)})"),
        Source(
            "other.d90", _end(verdict.other.d90), f"{verdict.other.status}, {other} ({verdict.other.threshold:.4f})"
        ),
        Source("baseline_mean", _score(verdict.baseline_mean), f"{verdict.metric} of full fine-tuning: {baselines}"),
        Source("chance", _score(verdict.chance), "always the commonest training label, on the scored examples"),
        Source("lr", f"{verdict.learning_rate:g}", f"the best of {count(len(verdict.learning_rates), 'rate')} tried"),
        Source("D", f"{verdict.D:,}", f"the weights of {verdict.model} inside the subspace"),
        Source("runs", str(verdict.runs), "all trainings behind the verdict, the ones that tried rates too"),
        Source("seconds", f"{verdict.seconds:,.0f}", "the time of these runs, added up"),
    ]
    if verdict.m:
        made.insert(10, Source("m", str(verdict.m), f"scales of SAID, one per {verdict.groups}; counted in d"))
    return made


def roles(verdict: Verdict) -> list[tuple[str, Sequence[str]]]:
    """Return the runs of a verdict by what they were for."""
    return [
        ("search", verdict.run_ids),
        ("baseline", verdict.baseline_run_ids),
        ("tried", verdict.other_run_ids),
    ]


def _bar(verdict: Verdict) -> str:
    if verdict.threshold_kind == "above_chance":
        return f"{verdict.chance:.4f} + {verdict.fraction:g} × ({verdict.baseline_mean:.4f} − {verdict.chance:.4f})"
    return f"{verdict.fraction:g} × {verdict.baseline_mean:.4f}"


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _end(value: float | None) -> str:
    return "–" if value is None else whole(value)
