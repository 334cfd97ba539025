"""What is printed as a number, and in which words."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from intdim.cli.words import answer, cell_label, duration, outcome, verdict_answer, verdict_table
from intdim.ledger.verdict import SecondVerdict
from intdim.measurement.program import Measurement
from intdim.search import make_search
from tests import cells
from tests.records import result_of, verdict

FOUND = SecondVerdict("absolute", 0.81, "found", 1230.4, 980.2, 1560.7, "", None, None, None, None)


@pytest.mark.parametrize(
    ("level", "shown"), [(lambda d: 0.9, "≤ 8 below_range"), (lambda d: 0.5, "> 65,536 above_range")]
)
def test_only_a_measured_answer_is_printed_as_a_number(level, shown: str) -> None:
    search = make_search("bisection", d_min=8, d_max=65536, threshold=0.81, baseline=0.9, chance=0.5, seeds=1)
    while asked := search.ask():
        for d in asked:
            search.tell(d, level(d))
    found = replace(FOUND, status=search.verdict().status, d90=None, d90_low=None, d90_high=None)
    assert answer(found, (8, 65536)) == shown


def test_an_answer_has_its_interval_where_there_is_one() -> None:
    assert answer(FOUND, (8, 65536)) == "1,230 [980, 1,561]"
    assert answer(replace(FOUND, d90_high=None), (8, 65536)) == "1,230"
    assert answer(replace(FOUND, status="budget_spent", d90=None), (8, 65536)) == "– budget_spent"
    assert verdict_answer(verdict()) == answer(verdict(), (verdict().d_min, verdict().d_max))


def test_durations() -> None:
    assert [duration(seconds) for seconds in (3, 600, 7200)] == ["3 s", "10 min", "2.0 h"]


def test_cells_have_names() -> None:
    assert cell_label(cells.sweep()) == "tiny · docstrings-package · did · one_hot · global"


def test_a_run_that_failed_says_why() -> None:
    spec = Measurement(cells.sweep(), cells.prepared().facts).full_run(1e-3, 0)
    assert outcome(result_of(spec)) == "eval 0.5000, train 0.5000 in 1.0 s"
    failed = result_of(spec, status="failed", reason="the loss is not finite", eval_score=None, train_score=None)
    assert outcome(failed) == "failed, the loss is not finite"


def test_the_closing_table_has_a_row_for_each_verdict() -> None:
    table = verdict_table([verdict(), verdict(model="other")])
    assert table.row_count == 2
    assert [str(column.header) for column in table.columns] == [
        "cell",
        "d90 [90 %]",
        "threshold",
        "baseline",
        "runs",
    ]


def test_the_closing_table_fits_eighty_columns() -> None:
    long = {"task": "docstrings-package", "d90": 1_234_567.0, "d90_low": 1_000_000.0, "d90_high": 1_500_000.0}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(verdict_table([verdict(status="found", **long)]))
    lines = console.export_text().splitlines()
    assert any("1,234,567 [1,000,000, 1,500,000]" in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
