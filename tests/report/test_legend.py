from __future__ import annotations

from pathlib import Path

from intdim.report.curve import curve_marks
from intdim.report.legend import labels, legend

from . import fake


def test_each_horizontal_line_is_named(out: Path) -> None:
    record = fake.record(out)
    lines = [label.lines for label in labels(record.verdict, curve_marks(record))]
    assert [line[0] for line in lines] == ["baseline", "90 % of score", "90 % of gain", "chance"]
    assert lines[1][1] == "0.756"
    assert "±" in lines[0][1]


def test_the_legend_has_the_marks_that_occur(out: Path) -> None:
    def keys(**case: object) -> list[str]:
        record = fake.record(out, **case)
        return [str(key.get_label()) for key in legend(curve_marks(record), 6.0, 8.0)[0]]

    assert "failed or collapsed run" in keys(failed=1, collapsed=1)
    assert "failed run" in keys(failed=1, collapsed=0, seed=1)
    assert not [key for key in keys(failed=0, collapsed=0, seed=2) if "failed" in key]
    assert "interval without d90" in keys(status="budget_spent")
    found = keys(d90_low_seeds=1900.0, d90_high_seeds=2500.0, seed=3)
    assert {"d90 and interval", "by the seeds alone", "run", "baseline run"} <= set(found)


def test_a_narrow_figure_has_fewer_columns(out: Path) -> None:
    marks = curve_marks(fake.record(out))
    assert legend(marks, 3.3, 7.0)[1] < legend(marks, 6.0, 8.0)[1]
