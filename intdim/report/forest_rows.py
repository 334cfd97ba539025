"""What the comparison of a grid shows, as rows: the CSV beside the figure, and all that ``draw_forest`` may draw."""

from __future__ import annotations

from dataclasses import dataclass

from intdim.ledger.verdict import SecondVerdict, Verdict
from intdim.report.curve import one_bar
from intdim.report.differing import differing
from intdim.report.records import SweepRecord

LONGEST = 30  # characters of settings that differ, beyond which an id is shorter
FACTS = ("model", "task", "method", "projection", "scope", "groups")


@dataclass(frozen=True)
class ForestRow:
    """The answer of one sweep to one kind of threshold, or to ``both`` where they ask for the same score. ``label``
    holds the facts in which the sweeps differ; sweeps that differ in none of them say which settings differ, or carry
    their id."""

    sweep_id: str
    label: str
    model: str
    task: str
    method: str
    projection: str
    scope: str
    groups: str
    threshold_kind: str
    status: str
    d90: float | None
    d90_low: float | None
    d90_high: float | None
    d_min: int
    d_max: int
    both: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        """d_min and d_max of the search."""
        return self.d_min, self.d_max


def forest_rows(records: list[SweepRecord]) -> list[ForestRow]:
    """Return what the figure shows: two rows per sweep, its own threshold first, the second one after it; one row
    where both thresholds are the same score."""
    labels, _ = _labels(records)
    rows = []
    for record, label in zip(records, labels, strict=True):
        verdict = record.verdict
        if one_bar(verdict):
            rows.append(_row(verdict, label, verdict, both=True))
        else:
            rows += [_row(verdict, label, answer) for answer in (verdict, verdict.other)]
    return rows


def _row(verdict: Verdict, label: str, answer: Verdict | SecondVerdict, both: bool = False) -> ForestRow:
    return ForestRow(
        sweep_id=verdict.sweep_id,
        label=label,
        model=verdict.model,
        task=verdict.task,
        method=verdict.method,
        projection=verdict.projection,
        scope=verdict.scope,
        groups=verdict.groups,
        threshold_kind=answer.threshold_kind,
        status=answer.status,
        d90=answer.d90 if answer.status == "found" else None,
        d90_low=answer.d90_low,
        d90_high=answer.d90_high,
        d_min=verdict.d_min,
        d_max=verdict.d_max,
        both=both,
    )


def shared_facts(records: list[SweepRecord]) -> str:
    """Return the facts in which all sweeps are the same."""
    return _labels(records)[1]


def _labels(records: list[SweepRecord]) -> tuple[list[str], str]:
    """Return one label per sweep from the facts in which they differ, and the facts that they share."""
    values = {fact: [str(getattr(record.verdict, fact)) for record in records] for fact in FACTS}
    same = [fact for fact in FACTS if len(set(values[fact])) == 1]
    differ = [fact for fact in FACTS if fact not in same]
    if "method" in differ:  # groups are "none" for every other method, so they say nothing more than the method
        said = {record.verdict.groups for record in records if record.verdict.method == "said"}
        differ = [fact for fact in differ if fact != "groups" or len(said) > 1]

    words = [" · ".join(_word(fact, values[fact][i]) for fact in differ) for i in range(len(records))]
    settings = differing(records)
    labels = []
    for word, record in zip(words, records, strict=True):
        more = settings.get(record.sweep_id, "")
        if not 0 < len(more) <= LONGEST:
            more = record.sweep_id[:8]
        labels.append(" · ".join(one for one in (word, more) if one) if words.count(word) > 1 or not word else word)

    common = " · ".join(_word(fact, values[fact][0]) for fact in same if values[fact][0] != "none")
    return labels, common


def _word(fact: str, value: str) -> str:
    if fact == "method":
        return value.upper()
    return f"{value} {fact}" if fact in ("scope", "groups") else value
