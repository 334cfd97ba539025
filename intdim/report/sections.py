"""The part of the page about one sweep: its answer, facts, points, failed runs, and everything that decided it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from intdim.ledger.verdict import Verdict
from intdim.report.parts import Picture, Table
from intdim.report.records import SweepRecord
from intdim.report.words import (
    baseline_spread,
    count,
    d90_cell,
    interval_words,
    score,
    status_words,
    subspace_words,
    threshold_words,
    verdict_line,
    whole,
    with_error,
)
from intdim.spec import DataFacts, to_dict

SELECTIONS = {
    "half": "each half of the latter scores what the other half chose",
    "same": "chosen and scored on the same",
}


@dataclass(frozen=True)
class SweepSection:
    """What ``sweep.html.j2`` shows of one sweep: ``evidence`` and ``versions`` are nested names and numbers,
    ``run_ids`` lists of ids by title, ``spec`` the text of spec.json."""

    sweep_id: str
    title: str
    subspace: str
    answer: str
    message: str
    warnings: list[str]
    picture: Picture | None
    thresholds: Table
    facts: Table
    points: Table
    failed: Table | None
    evidence: Mapping[str, object]
    run_ids: Mapping[str, list[str]]
    versions: Mapping[str, str]
    spec: str


def sweep_section(record: SweepRecord, png: bytes | None, stem: str) -> SweepSection:
    """Return the section of a sweep.

    Args:
        record: the sweep.
        png: its picture.
        stem: name of the picture's files under ``figures/``, without ending.
    """
    verdict = record.verdict
    title, answer = f"{verdict.model} on {verdict.task}", verdict_line(verdict)
    words = f"{verdict.metric} against d for {title}: {answer}. Table of points below."
    return SweepSection(
        sweep_id=record.sweep_id,
        title=title,
        subspace=subspace_words(verdict),
        answer=answer,
        message=verdict.message,
        warnings=verdict.warnings,
        picture=Picture.of(png, words, stem) if png else None,
        thresholds=_thresholds(record),
        facts=_facts(record),
        points=_points(record),
        failed=_failed(record),
        evidence={
            "step lengths": asdict(verdict.step_lengths),
            "learning rates of the baseline": verdict.learning_rates,
        },
        run_ids={
            "In the subspace, behind the verdict": verdict.run_ids,
            "Baseline": verdict.baseline_run_ids,
            "Tried for a step length or a learning rate": verdict.other_run_ids,
        },
        versions=verdict.versions,
        spec=json.dumps(to_dict(record.spec), indent=2, ensure_ascii=False),
    )


def baseline_words(verdict: Verdict) -> str:
    """Return the baseline's mean with the spread of its seeds."""
    return with_error(verdict.baseline_mean, baseline_spread(verdict))


def plain(value: object) -> str:
    """Return a number or a word as text, a dash for none; numbers have six digits."""
    if value is None or value in ({}, []):
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _thresholds(record: SweepRecord) -> Table:
    verdict = record.verdict
    rows = [
        (
            threshold_words(one.threshold_kind, verdict.fraction),
            score(one.threshold, 4),
            d90_cell(one, record.bounds),
            interval_words(one),
            status_words(one.status),
            origin,
        )
        for one, origin in ((verdict, "asked for"), (verdict.other, "from the same runs"))
    ]
    return Table.of("Both thresholds", ("threshold", "score to reach", "d90", "interval", "status", ""), rows)


def _facts(record: SweepRecord) -> Table:
    verdict, (d_min, d_max) = record.verdict, record.bounds
    isotonic = verdict.isotonic_d90
    rows = [
        ("baseline (full fine-tuning)", f"{baseline_words(verdict)}, {count(verdict.baseline_seeds, 'seed')}"),
        ("chance (majority class)", with_error(verdict.chance, verdict.chance_se)),
        ("search", f"{verdict.search}, d from {whole(d_min)} to {whole(d_max)}"),
        ("d90 by an isotonic fit, a second opinion", "–" if isotonic is None else whole(isotonic)),
        ("metric", verdict.metric),
        ("examples: training, evaluation", _examples(verdict)),
        *_data(verdict.data),
        ("weights inside the subspace, D", whole(verdict.D)),
        ("learning rate of the baseline", verdict.learning_rate),
        ("time of all runs", f"{verdict.seconds:,.0f} s"),
        ("sweep", record.sweep_id),
    ]
    return Table.of("Facts", ("fact", "value"), rows)


def _data(data: DataFacts) -> list[tuple[str, object]]:
    """Return what was read of the task; nothing for a record without it."""
    if not data.text:
        return []
    rows: list[tuple[str, object]] = [
        ("columns read as text, as label", f"{' and '.join(data.text)}; {data.label}"),
        ("classes", ", ".join(data.classes) if data.classes else "none: real numbers"),
        ("texts cut, median length", f"{100 * data.truncated:.1f} %, {data.median_tokens} tokens"),
        ("evaluation rows that stand in training", f"{100 * data.overlap:.1f} %"),
    ]
    if data.positive:
        rows.append(("positive class of the metric", data.positive))
    return rows + [("note", note) for note in data.notes]


def _examples(verdict: Verdict) -> str:
    words = f"{whole(verdict.train_examples)} and {whole(verdict.eval_examples)}"
    return f"{words} ({SELECTIONS.get(verdict.selection, verdict.selection)})"


def _points(record: SweepRecord) -> Table:
    rows = [
        (
            whole(point.d),
            score(point.score_mean, 4),
            score(point.score_std, 4),
            point.seeds,
            plain(point.step_length),
        )
        for point in record.points
    ]
    head = ("d", "mean score", "standard deviation", "runs", "step length")
    return Table.of("Points: all runs at one d", head, rows)


def _failed(record: SweepRecord) -> Table | None:
    lost = [run.result for run in record.all_runs if run.result.failed]
    rows = [(whole(one.d), one.seed, one.reason or "–", one.run_id) for one in lost]
    return Table.of("Failed runs", ("d", "seed", "reason", "run"), rows) if rows else None
