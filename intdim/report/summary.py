"""The first table of the page: one row for each verdict, d90 with its interval first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from intdim.ledger.verdict import Verdict
from intdim.report.parts import Cell, Table, number
from intdim.report.provenance import Provenance
from intdim.report.records import SweepRecord
from intdim.report.words import (
    baseline_spread,
    count,
    d90_cell,
    known_words,
    score,
    status_words,
    subspace_words,
    threshold_words,
    with_error,
)

HEAD = ("d90 and interval", "model and task", "subspace", "differs in", "status", "threshold",
        "by the other threshold", "baseline", "runs", "ended")  # fmt: skip
DIFFERS = HEAD.index("differs in")
BESIDE = 0.001  # relative: a bound is sorted just beside the same number


def summary_table(
    records: Sequence[SweepRecord], differs: Mapping[str, str], origins: Mapping[str, Provenance]
) -> Table:
    """Return the table.

    Args:
        records: the sweeps, in order.
        differs: by sweep id what tells a sweep from others that look like it; the column is left out where it is empty.
        origins: by sweep id where each verdict comes from.
    """
    rows = [_row(one, differs.get(one.sweep_id, ""), origins[one.sweep_id]) for one in records]
    head = list(HEAD)
    if not differs:
        head.pop(DIFFERS)
        rows = [[*row[:DIFFERS], *row[DIFFERS + 1 :]] for row in rows]
    caption = "d90 of each sweep, with its 90 % interval"
    return Table.of(caption, head, rows, heading=1, sortable=len(records) > 1, cards=True)


def sweep_name(verdict: Verdict) -> str:
    """Return what a sweep is called in headings: its model and task."""
    return f"{verdict.model} on {verdict.task}"


def d90_key(verdict: Verdict) -> float | None:
    """Return what d90 is sorted by: a bound stands just beside its number, no answer has no place."""
    if verdict.status == "found":
        return verdict.d90
    if verdict.status == "below_range":
        return verdict.d_min * (1 - BESIDE)
    return verdict.d_max * (1 + BESIDE) if verdict.status == "above_range" else None


def _row(record: SweepRecord, differs: str, origin: Provenance) -> list[Cell]:
    verdict, other = record.verdict, record.verdict.other
    d90 = d90_cell(verdict, record.bounds) + ("*" if verdict.trivial else "")
    baseline = with_error(verdict.baseline_mean, baseline_spread(verdict))
    warned = count(len(verdict.warnings), "warning") if verdict.warnings else ""
    asked = threshold_words(other.threshold_kind, verdict.fraction)
    second = "" if known_words(other) == "–" else f"{known_words(other)}, "
    return [
        Cell(d90, note=known_words(verdict).removeprefix("–"), key=d90_key(verdict), look="answer"),
        Cell(sweep_name(verdict), note=f"sweep {record.sweep_id[:8]}", href=f"#{record.sweep_id}"),
        Cell(subspace_words(verdict)),
        Cell(differs or "–"),
        Cell(status_words(verdict.status), note=warned),
        Cell(threshold_words(verdict.threshold_kind, verdict.fraction), note=score(verdict.threshold)),
        Cell(d90_cell(other, record.bounds), note=f"{second}by {asked}"),
        number(baseline, verdict.baseline_mean),
        number(str(verdict.runs), verdict.runs),
        number(origin.day, origin.ended or None),
    ]
