"""Tables of what a verdict stands on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from intdim.ledger.verdict import StepLengthEvidence
from intdim.report.evidence import lengths_table, points_table, rates_table, thresholds_table
from intdim.report.run_table import anchor

from . import fake


def test_step_lengths_are_a_row_for_each_d(out: Path) -> None:
    verdict = fake.record(out).verdict
    tried = {"512": {"3": 0.7, "10": None}, "16": {"1": 0.41, "3": 0.52}}
    table = lengths_table(replace(verdict, step_lengths=StepLengthEvidence({"16": 3.0}, tried)))
    assert table is not None
    assert [[cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows] == [
        ["16", "1: 0.4100, 3: 0.5200", "3"],
        ["512", "3: 0.7000, 10: failed", "–"],
    ]
    assert len(table.head) == 3, "as wide with twenty lengths as with two"
    assert lengths_table(replace(verdict, step_lengths=StepLengthEvidence({}, {}))) is None


def test_learning_rates_say_which_was_taken(out: Path) -> None:
    table = rates_table(fake.record(out).verdict)
    assert table is not None
    found = [(row[0].text, row[1].text, row[1].note) for row in table.rows]
    assert found == [("3e-05", "0.8000", ""), ("0.0001", "0.8400", "best"), ("0.0003", "failed", "")]


def test_points_lead_to_their_runs(out: Path) -> None:
    record = fake.record(out)
    links = [link for row in points_table(record).rows for link in row[4].links]
    assert [link.href for link in links] == [
        f"#{anchor(record.sweep_id, run_id)}" for point in record.points for run_id in point.run_ids.split()
    ]


def test_an_interval_with_one_end_is_told(out: Path) -> None:
    record = fake.record(out, status="budget_spent", d90_high=None, d90_low=619.0)
    assert thresholds_table(record).rows[0][3].text == "above 619"
