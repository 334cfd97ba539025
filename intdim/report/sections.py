"""The part of the page about one sweep: its answer, facts, points, runs, and everything that decided it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from intdim.ledger.verdict import Verdict
from intdim.report.evidence import lengths_table, points_table, rates_table, thresholds_table
from intdim.report.parts import Cell, Picture, Table
from intdim.report.provenance import UNKNOWN, Provenance
from intdim.report.records import SweepRecord
from intdim.report.run_table import run_table
from intdim.report.summary import sweep_name
from intdim.report.words import (
    baseline_spread,
    count,
    subspace_words,
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
    """What ``sweep.html.j2`` shows of one sweep: ``name`` and ``detail`` are its heading, which no other sweep of the
    page has; a reader opens ``runs``; ``runs`` is opened by its caption, ``spec`` is the text of spec.json."""

    sweep_id: str
    name: str
    detail: str
    answer: str
    message: str
    warnings: list[str]
    picture: Picture | None
    tables: list[Table]
    runs: Table
    spec: str


def sweep_section(
    record: SweepRecord,
    png: bytes | None,
    stem: str,
    origin: Provenance,
    differs: str = "",
    out: Path | None = None,
) -> SweepSection:
    """Return the section of a sweep.

    Args:
        record: the sweep.
        png: its picture.
        stem: name of the picture's files under ``figures/``, without ending.
        origin: where the verdict comes from.
        differs: what tells it from sweeps that look like it, "" where none does.
        out: the results folder, for the learning curves and files of its runs; None: without them.
    """
    verdict = record.verdict
    name, answer = sweep_name(verdict), verdict_line(verdict)
    words = f"{verdict.metric} against d for {name}: {answer}. Table of points below."
    tables = [thresholds_table(record), points_table(record), lengths_table(verdict), rates_table(verdict)]
    tables += [_failed(record), _facts(record), _made_by(record, origin)]
    return SweepSection(
        sweep_id=record.sweep_id,
        name=name,
        detail=" · ".join(word for word in (subspace_words(verdict), differs) if word),
        answer=answer,
        message=verdict.message,
        warnings=verdict.warnings,
        picture=Picture.of(png, words, stem) if png else None,
        tables=[one for one in tables if one is not None],
        runs=run_table(record, out),
        spec=json.dumps(to_dict(record.spec), indent=2, ensure_ascii=False),
    )


def baseline_words(verdict: Verdict) -> str:
    """Return the baseline's mean with the spread of its seeds."""
    return with_error(verdict.baseline_mean, baseline_spread(verdict))


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
        ("learning rate of the baseline", f"{verdict.learning_rate:g}"),
        ("time of all runs", f"{verdict.seconds:,.0f} s"),
        ("seed of the sweep", record.spec.seed),
        ("sweep", Cell(record.sweep_id, look="id")),
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


def _failed(record: SweepRecord) -> Table | None:
    lost = [run.result for run in record.all_runs if run.result.failed]
    rows = [(whole(one.d), one.seed, one.reason or "–", Cell(one.run_id, look="id")) for one in lost]
    return Table.of("Failed runs", ("d", "seed", "reason", "run"), rows, cards=True) if rows else None


def _made_by(record: SweepRecord, origin: Provenance) -> Table:
    """Return when the verdict was written, and by which command of which version."""
    rows: list[tuple[str, object]] = [("verdict written", origin.day)]
    if not origin.command:
        rows.append(("command", UNKNOWN))
    else:
        rows += [
            ("command", Cell(origin.command, look="code")),
            ("in the folder", Cell(origin.folder or "–", look="code")),
            ("begun", f"{origin.began} on {origin.host}"),
            ("intdim", f"{origin.version}, {f'commit {origin.commit}' if origin.commit else 'no commit is known'}"),
        ]
    if origin.others:
        rows.append(("other commands that worked on it", origin.others))
    packages = ", ".join(f"{name} {version}" for name, version in record.verdict.versions.items())
    rows.append(("packages", packages or "–"))
    return Table.of("Made by", ("what", "value"), rows)
