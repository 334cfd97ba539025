"""Tables of what a verdict stands on: thresholds, points, step lengths and learning rates that were tried."""

from __future__ import annotations

import math

from intdim.ledger.verdict import Verdict
from intdim.report.parts import Cell, Table, number
from intdim.report.records import SweepRecord
from intdim.report.run_table import run_links
from intdim.report.words import d90_cell, known_words, score, status_words, threshold_words, whole

THRESHOLDS = ("threshold", "score to reach", "d90", "90 % interval", "status", "which")
POINTS = ("d", "mean score", "standard deviation", "step length", "runs")
LENGTHS = ("d", "s: selection score of the first seed", "best s, by a fit to all runs")
CHOSEN = "best"


def thresholds_table(record: SweepRecord) -> Table:
    """Return the answers by both thresholds, from the same runs."""
    verdict = record.verdict
    rows = [
        (
            threshold_words(one.threshold_kind, verdict.fraction),
            score(one.threshold, 4),
            d90_cell(one, record.bounds),
            known_words(one),
            status_words(one.status),
            origin,
        )
        for one, origin in ((verdict, "asked for"), (verdict.other, "also, from the same runs"))
    ]
    return Table.of("Both thresholds", THRESHOLDS, rows, cards=True)


def points_table(record: SweepRecord) -> Table:
    """Return the rows of points.csv, with links to the rows of their runs."""
    rows = [
        (
            number(whole(point.d), point.d),
            number(score(point.score_mean, 4), point.score_mean),
            number(score(point.score_std, 4), point.score_std),
            number(point.step_length, None),
            Cell("" if point.run_ids else "–", links=run_links(record.sweep_id, point.run_ids)),
        )
        for point in record.points
    ]
    return Table.of("Points: the runs at one d with one step length", POINTS, rows, sortable=len(rows) > 1, cards=True)


def lengths_table(verdict: Verdict) -> Table | None:
    """Return for each d the step lengths that were tried there, with the selection score of the first seed, and the
    best one by all runs; None where none was tried. One row for each d: a search tries other lengths at each."""
    tried, known = verdict.step_lengths.tried, verdict.step_lengths.known
    rows = []
    for d, scores in sorted(tried.items(), key=lambda one: int(one[0])):
        pairs = sorted((float(s), value) for s, value in scores.items())
        words = ", ".join(_pair(s, value) for s, value in pairs)
        best = known.get(d)
        rows.append((number(whole(int(d)), int(d)), words, "–" if best is None else f"{best:g}"))
    caption = "Step lengths s that were tried at each d"
    return Table.of(caption, LENGTHS, rows, cards=True) if rows else None


def _pair(length: float, value: float | None) -> str:
    """Return a length and its score, which stay on one line."""
    return f"{length:g}:\N{NO-BREAK SPACE}{'failed' if value is None else score(value, 4)}"


def rates_table(verdict: Verdict) -> Table | None:
    """Return which learning rates full fine-tuning tried, with their selection scores; None where none is known."""
    rates = {float(rate): value for rate, value in verdict.learning_rates.items()}
    if not rates:
        return None
    rows = [(f"{rate:g}", _tried(rates, rate, _same(rate, verdict.learning_rate))) for rate in sorted(rates)]
    return Table.of("Learning rates of full fine-tuning that were tried", ("learning rate", "selection score"), rows)


def _same(one: float, other: float) -> bool:
    """True where two numbers that were written with six digits are one."""
    return math.isclose(one, other, rel_tol=1e-6)


def _tried(scores: dict[float, float | None], value: float, chosen: bool) -> Cell:
    """Return a score that was tried; the best one says so in words."""
    if value not in scores:
        return Cell("–", note=CHOSEN if chosen else "")
    found = scores[value]
    return Cell("failed" if found is None else score(found, 4), note=CHOSEN if chosen else "", look="number")
