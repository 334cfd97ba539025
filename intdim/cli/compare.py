"""``intdim compare A B``: two runs or two verdicts, their difference with an interval, and what differs in settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from intdim.cli.answers import cell_words, run_words, verdict_words
from intdim.cli.looking import Settings, look, print_json
from intdim.cli.plain import columns, folded, pairs
from intdim.cli.show import environment_of
from intdim.errors import RunFailed, UserError, visible
from intdim.ledger.named import RUN, Named, find
from intdim.ledger.overview import Overview, overview
from intdim.ledger.records import read_record
from intdim.ledger.results import Answers, RunResult
from intdim.ledger.settings import differences
from intdim.ledger.store import SPEC, Ledger
from intdim.ledger.verdict import Verdict
from intdim.measurement.paired import Difference, paired_difference, ratio
from intdim.report.words import interval
from intdim.spec import RunSpec, SweepSpec, to_dict
from intdim.tasks.metrics import METRICS

MACHINE = ("host", "device", "threads", "products", "versions")  # of environment.json
LONGEST = 40  # characters of a value in the table of settings


@dataclass(frozen=True)
class Side:
    """One of the two: what it is, its settings, the runs whose scores are compared and their answers (None where one
    is not kept), and why there are none."""

    id: str
    title: str
    settings: dict[str, Any]
    metric: str
    scores: list[float]
    answers: list[Answers] | None
    why: str
    verdict: Verdict | None = None


def main(arguments: list[str]) -> int:
    """Read what was typed and compare; return the exit status."""
    return look("compare", arguments, show)


def show(settings: Settings) -> int:
    """Print how two runs or two verdicts differ."""
    words = settings["ids"]
    if len(words) != 2:
        raise UserError(f"{len(words)} ids are given", "intdim compare A B: two runs, or two sweeps", "Give two.")
    seen = overview(settings["out"])
    first, second = (find(seen, word) for word in words)
    if first.kind != second.kind:
        raise UserError(
            f"{first.id} is a {first.kind} and {second.id} a {second.kind}",
            "two runs, or two sweeps",
            "`intdim show` names the runs behind a sweep.",
        )
    if first.id == second.id:
        raise UserError(f"both are {first.kind} {first.id}", "two different ones", "")

    sides = [side_of(seen, one) for one in (first, second)]
    changed = differences(*(side.settings for side in sides))
    scores, remark = score_difference(*sides)
    d90, d90_remark = d90_ratio(*sides)
    if settings["json"]:
        print_json(as_json(first.kind, sides, changed, scores, remark, d90, d90_remark))
    else:
        print("\n".join(as_text(first.kind, sides, changed, scores, remark, d90, d90_remark)))
    return 0


# -- what is compared --------------------------------------------------------------------------------------------------


def side_of(seen: Overview, named: Named) -> Side:
    """Return one of the two.

    Raises:
        UserError: it has not ended, or a file is damaged.
    """
    ledger = Ledger(seen.out)
    return _run_side(ledger, named.id) if named.kind == RUN else _sweep_side(ledger, named.id)


def _run_side(ledger: Ledger, run_id: str) -> Side:
    folder = ledger.run_folder(run_id)
    spec, result = read_record(RunSpec, folder / SPEC), ledger.result(run_id)
    if result is None or spec is None:
        raise UserError(f"run {run_id} has not ended", "runs that have ended", f"`intdim show {run_id}` says more.")
    environment = {name: value for name, value in environment_of(folder).items() if name in MACHINE}
    answers, why = _answers(ledger, [result])
    scores = [] if result.eval_score is None else [result.eval_score]
    settings = to_dict(spec) | {"environment": environment}
    return Side(run_id, run_words(to_dict(spec), result.d), settings, result.metric, scores, answers, why)


def _sweep_side(ledger: Ledger, sweep_id: str) -> Side:
    verdict = ledger.whole_verdict(sweep_id)
    spec = read_record(SweepSpec, ledger.sweep_folder(sweep_id) / SPEC)
    if verdict is None or spec is None:
        raise UserError(f"sweep {sweep_id} has no verdict yet", "sweeps that are finished", "See `intdim status`.")
    found = [_baseline(ledger, run_id) for run_id in verdict.baseline_run_ids]
    there = [one for one in found if one is not None]
    answers, why = _answers(ledger, there)
    if len(there) < len(found):
        answers, why = None, f"{len(found) - len(there)} of the baseline's runs were removed or are damaged"
    settings = to_dict(spec) | {"versions": verdict.versions}
    title = cell_words(to_dict(verdict)) + f", seed {spec.seed}"
    return Side(sweep_id, title, settings, verdict.metric, verdict.baseline_scores, answers, why, verdict)


def _baseline(ledger: Ledger, run_id: str) -> RunResult | None:
    try:
        return ledger.result(run_id)
    except RunFailed:
        return None


def _answers(ledger: Ledger, results: Sequence[RunResult]) -> tuple[list[Answers] | None, str]:
    """Return the answers of runs, None where one has none, with the reason."""
    kept = []
    for result in results:
        if result.failed:
            return None, f"run {result.run_id} failed"
        answers = ledger.answers(result.run_id)
        if answers is None:
            return None, f"run {result.run_id} kept no answers"
        kept.append(answers)
    return (kept, "") if kept else (None, "there are no runs")


def score_difference(first: Side, second: Side) -> tuple[Difference | None, str]:
    """Return by how much the second score is above the first, None where the two cannot be paired, with the reason."""
    if first.verdict and second.verdict and first.verdict.baseline_run_ids == second.verdict.baseline_run_ids:
        return None, "both stand on the same baseline"
    if first.metric != second.metric:
        return None, f"not comparable: one score is {first.metric}, the other {second.metric}"
    if first.metric not in METRICS:
        return None, f"not paired: {first.metric} is a function of a Python session"
    for side in (first, second):
        if side.answers is None:
            return None, f"not paired: {side.why}"
    assert first.answers is not None
    assert second.answers is not None
    labels = first.answers[0].labels
    halves, everyone = first.answers[0].half, (*first.answers, *second.answers)
    if not all(np.array_equal(labels, one.labels) and np.array_equal(halves, one.half) for one in everyone):
        return None, "not paired: the two were scored on different evaluation examples"
    fields = ("fingerprint", "eval_split", "holdout", "selection", "max_eval")
    if any(first.settings["task"][name] != second.settings["task"][name] for name in fields):
        return None, "not paired: the two were scored on different evaluation examples"
    one, other = ([answers.predictions for answers in side.answers or []] for side in (first, second))
    return paired_difference(first.metric, labels, one, other, first.answers[0].halves), ""


def d90_ratio(first: Side, second: Side) -> tuple[tuple[float, float, float] | None, str]:
    """Return the second d90 over the first with its interval, None where one of them is no number, with the reason."""
    if first.verdict is None or second.verdict is None:
        return None, ""
    found = []
    for side in (first.verdict, second.verdict):
        ends = interval(side)
        if side.d90 is None or ends is None:
            return None, f"no ratio of d90: sweep {side.sweep_id} says {verdict_words(to_dict(side))}"
        found.append((side.d90, *ends))
    return ratio(*found), ""


# -- what is said ------------------------------------------------------------------------------------------------------


def as_json(
    kind: str,
    sides: Sequence[Side],
    changed: dict[str, tuple[Any, Any]],
    scores: Difference | None,
    remark: str,
    d90: tuple[float, float, float] | None,
    d90_remark: str,
) -> dict[str, Any]:
    """Return the answer as JSON data."""
    data: dict[str, Any] = {"kind": kind, "ids": [side.id for side in sides], "metric": sides[0].metric}
    data["scores"] = [float(np.mean(side.scores)) if side.scores else None for side in sides]
    data["difference"] = None if scores is None else dataclasses.asdict(scores)
    data["remark"] = remark
    if kind != RUN:
        data["d90"] = [side.verdict and side.verdict.d90 for side in sides]
        data["d90_ratio"] = None if d90 is None else dict(zip(("value", "low", "high"), d90, strict=True))
        data["d90_remark"] = d90_remark
    data["settings"] = {name: list(values) for name, values in changed.items()}
    return data


def as_text(
    kind: str,
    sides: Sequence[Side],
    changed: dict[str, tuple[Any, Any]],
    scores: Difference | None,
    remark: str,
    d90: tuple[float, float, float] | None,
    d90_remark: str,
) -> list[str]:
    """Return the answer as lines."""
    first, second = sides
    lines = pairs([(f"{letter}  {kind} {side.id}", side.title) for letter, side in zip("AB", sides, strict=True)])
    facts: list[tuple[str, str]] = []
    if first.verdict is not None and second.verdict is not None:
        facts.append(("d90", " and ".join(verdict_words(to_dict(side)) for side in (first.verdict, second.verdict))))
        if d90 is not None:
            words = f"{d90[0]:.2f} [{d90[1]:.2f}, {d90[2]:.2f}]: 90 %, from the two intervals as if independent"
            facts.append(("B / A", words))
        elif d90_remark:
            facts.append(("", d90_remark))
    name = "score" if kind == RUN else "baseline"
    facts.append((name, " and ".join(_mean(side.scores) for side in sides) + f" ({first.metric})"))
    if scores is not None:
        facts.append(("B − A", f"{scores.value:+.4f} [{scores.low:+.4f}, {scores.high:+.4f}]: {_rests(scores, sides)}"))
    else:
        if len(first.scores) == len(second.scores) == 1 and first.metric == second.metric:
            facts.append(("B − A", f"{second.scores[0] - first.scores[0]:+.4f}, without an interval"))
        facts.append(("", remark))
    lines += ["", *pairs(facts), ""]

    if not changed:
        return [*lines, *folded("no setting differs")]
    rows = [[name, _value(one), _value(other)] for name, (one, other) in changed.items()]
    return lines + columns(("setting", "A", "B"), rows, cut=2)


def _rests(scores: Difference, sides: Sequence[Side]) -> str:
    seeds = "" if all(len(side.scores) == 1 for side in sides) else ", the seeds as they are"
    return f"90 %, paired over the same {scores.examples:,} evaluation examples{seeds}"


def _mean(scores: Sequence[float]) -> str:
    return f"{np.mean(scores):.4f}" if scores else "–"


def _value(value: Any) -> str:
    text = "–" if value is None else visible(str(value))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
