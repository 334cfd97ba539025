"""Published d90 beside ours, cell by cell, where both measured the same thing by the same threshold.

``published.csv`` lies beside this file: paper, place, model and task by the names of ``conf/``, method, threshold and
d90 (Aghajanyan, Zettlemoyer and Gupta 2020, arXiv 2012.13255; Li et al. 2018, arXiv 1804.08838). Where ``threshold`` is
given, the paper asked for that score and not for a share of its baseline; then only a verdict with that bar is a
counterpart. The networks of Li et al. are named and not made here (``intdim`` fine-tunes transformers), so their rows
match nothing that comes with the package. The papers print no intervals, and the later one says neither scope nor
groups nor seeds; so the comparison says what ours used and draws no conclusion beyond the ratio.

``claims.csv`` has what the figures of the later paper claim and print no numbers for: which way d90 goes with what.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files
from typing import Any

from intdim.report.records import SweepRecord
from intdim.report.words import interval

COLUMNS = (
    "sweep_id", "model", "task", "method", "projection", "scope", "groups", "status", "d90", "d90_low", "d90_high",
    "published_d90", "ratio", "inside_interval", "paper", "place",
)  # fmt: skip
CLOSE = 1e-9  # fractions are typed, not computed
SAME_BAR = 5e-4  # a bar of its own is printed with two or three digits


@lru_cache(maxsize=1)
def published() -> tuple[dict[str, Any], ...]:
    """Return the rows of ``published.csv`` with numbers as numbers."""
    text = files("intdim.report").joinpath("published.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(
        dict(row)
        | {"d90": int(row["d90"]), "fraction": float(row["fraction"])}
        | {"threshold": float(row["threshold"]) if row["threshold"] else None}
        for row in rows
    )


@lru_cache(maxsize=1)
def claims() -> dict[str, dict[str, str]]:
    """Return the rows of ``claims.csv`` by what d90 is said to go with: updates, size, score or gap."""
    text = files("intdim.report").joinpath("claims.csv").read_text(encoding="utf-8")
    return {row["against"]: dict(row) for row in csv.DictReader(text.splitlines())}


def comparisons(records: list[SweepRecord]) -> list[dict[str, Any]]:
    """Return one row for each published value that a sweep has a counterpart to, with the keys ``COLUMNS``.

    ``ratio`` is ours over theirs, None unless ours is found; ``inside_interval`` says whether theirs lies in our
    interval: for a censored verdict, whether it lies on the side that is left; None where nothing is known.
    """
    rows = []
    for record in records:
        verdict = record.verdict
        for row in published():
            if _same(row, verdict):
                ours = verdict["d90"] if verdict["status"] == "found" else None
                mine = {key: verdict.get(key) for key in COLUMNS[:11]} | {"d90": ours}
                theirs = {
                    "published_d90": row["d90"],
                    "ratio": None if ours is None else ours / row["d90"],
                    "inside_interval": _inside(row["d90"], record),
                    "paper": row["paper"],
                    "place": row["place"],
                }
                rows.append(mine | theirs)
    return rows


def _same(row: dict[str, Any], verdict: dict[str, Any]) -> bool:
    keys = ("model", "task", "method", "threshold_kind")
    if any(row[key] != verdict[key] for key in keys):
        return False
    if row["threshold"] is not None:
        return verdict.get("threshold") is not None and abs(row["threshold"] - verdict["threshold"]) < SAME_BAR
    return abs(row["fraction"] - verdict["fraction"]) < CLOSE


def _inside(theirs: int, record: SweepRecord) -> bool | None:
    status, ends = record.verdict["status"], interval(record.verdict)
    if status == "below_range":
        return theirs <= record.range[0]
    if status == "above_range":
        return theirs > record.range[1]
    return ends[0] <= theirs <= ends[1] if status == "found" and ends is not None else None
