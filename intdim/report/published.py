"""Published d90 beside ours, cell by cell, where both measured the same thing by the same threshold.

``published.csv`` lies beside this file: paper, place, model and task by the names of ``conf/``, method, threshold and
d90 (Aghajanyan, Zettlemoyer and Gupta 2020, arXiv 2012.13255; Li et al. 2018, arXiv 1804.08838). Where ``threshold`` is
given, the paper asked for that score and not for a share of its baseline; then only a verdict with that bar is a
counterpart. The networks of Li et al. are named but not built here (``intdim`` fine-tunes transformers), so their rows
match nothing that comes with the package. The papers print no intervals, and the later one reports neither scope nor
groups nor seeds; so the comparison reports what ours used and draws no conclusion beyond the ratio.

``claims.csv`` has what the figures of the later paper claim and print no numbers for: which way d90 goes with what.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from intdim.ledger.verdict import Verdict
from intdim.report.records import SweepRecord
from intdim.report.words import interval

CLOSE = 1e-9  # fractions are typed, not computed
SAME_BAR = 5e-4  # a bar of its own is printed with two or three digits


@dataclass(frozen=True)
class Published:
    """A row of ``published.csv``; ``threshold`` is None where the paper asked for a share of its baseline."""

    paper: str
    place: str
    model: str
    task: str
    method: str
    fraction: float
    threshold_kind: str
    threshold: float | None
    d90: int


@dataclass(frozen=True)
class Claim:
    """A row of ``claims.csv``: in which direction (falls, rises) d90 goes with what, and where a paper says so."""

    against: str
    direction: str
    paper: str
    place: str
    claim: str


@dataclass(frozen=True)
class Comparison:
    """A verdict beside a published value. ``ratio`` is ours over theirs, None unless ours is found;
    ``inside_interval``: theirs lies in our interval (for a censored verdict: on the side that is left), None where
    nothing is known."""

    sweep_id: str
    model: str
    task: str
    method: str
    projection: str
    scope: str
    groups: str
    status: str
    d90: float | None
    d90_low: float | None
    d90_high: float | None
    published_d90: int
    ratio: float | None
    inside_interval: bool | None
    paper: str
    place: str


@lru_cache(maxsize=1)
def published() -> tuple[Published, ...]:
    """Return the rows of ``published.csv``."""
    return tuple(
        Published(
            paper=row["paper"],
            place=row["place"],
            model=row["model"],
            task=row["task"],
            method=row["method"],
            fraction=float(row["fraction"]),
            threshold_kind=row["threshold_kind"],
            threshold=float(row["threshold"]) if row["threshold"] else None,
            d90=int(row["d90"]),
        )
        for row in _rows("published.csv")
    )


@lru_cache(maxsize=1)
def claims() -> dict[str, Claim]:
    """Return the rows of ``claims.csv`` by what d90 is said to go with: updates, size, score or gap."""
    return {row["against"]: Claim(**row) for row in _rows("claims.csv")}


def comparisons(records: list[SweepRecord]) -> list[Comparison]:
    """Return one row for each published value that a sweep has a counterpart to."""
    return [_compare(record, theirs) for record in records for theirs in published() if _same(theirs, record.verdict)]


def _compare(record: SweepRecord, theirs: Published) -> Comparison:
    verdict = record.verdict
    d90 = verdict.d90 if verdict.status == "found" else None
    return Comparison(
        sweep_id=record.sweep_id,
        model=verdict.model,
        task=verdict.task,
        method=verdict.method,
        projection=verdict.projection,
        scope=verdict.scope,
        groups=verdict.groups,
        status=verdict.status,
        d90=d90,
        d90_low=verdict.d90_low,
        d90_high=verdict.d90_high,
        published_d90=theirs.d90,
        ratio=None if d90 is None else d90 / theirs.d90,
        inside_interval=_inside(theirs.d90, verdict),
        paper=theirs.paper,
        place=theirs.place,
    )


def _rows(name: str) -> list[dict[str, str]]:
    text = files("intdim.report").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _same(theirs: Published, verdict: Verdict) -> bool:
    """Say whether both measured the same thing by the same threshold."""
    cell = (verdict.model, verdict.task, verdict.method, verdict.threshold_kind)
    if cell != (theirs.model, theirs.task, theirs.method, theirs.threshold_kind):
        return False
    if theirs.threshold is not None:
        return abs(theirs.threshold - verdict.threshold) < SAME_BAR
    return abs(theirs.fraction - verdict.fraction) < CLOSE


def _inside(theirs: int, verdict: Verdict) -> bool | None:
    ends = interval(verdict)
    if verdict.status == "below_range":
        return theirs <= verdict.d_min
    if verdict.status == "above_range":
        return theirs > verdict.d_max
    return ends[0] <= theirs <= ends[1] if verdict.status == "found" and ends is not None else None
