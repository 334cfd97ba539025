from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from intdim.report.curve import curve_marks
from intdim.report.figures import draw_curve

from . import fake
from .drawn import LONG, boxes, check_text

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "long": {"model": LONG, "task": "a-task-with-a-long-name", "method": "said", "scope": "tensor"},
    "narrow": {"ds": (900, 950, 1000, 1100), "bounds": (900, 1100), "middle": 600, "slope": 4.0},
    "one": {"ds": (1000,), "bounds": (999, 1001), "status": "budget_spent", "failed": 0, "collapsed": 0},
    "wide": {"ds": (4, 100, 10_000, 10_000_000), "bounds": (1, 300_000_000), "middle": 40_000.0},
    "close": {"chance": 0.70, "baseline": 0.765, "status": "below_range", "trivial": True, "noise": 0.006},
    "equal": {"chance": 0.5, "baseline": 0.5001, "status": "no_baseline", "noise": 0.0, "curve": None},
    "signed": {"metric": "matthews", "chance": 0.0, "baseline": 0.5, "status": "not_monotone"},
    "above": {"status": "above_range", "middle": 300_000.0},
}


@pytest.mark.parametrize("width", [3.3, 6.0])
@pytest.mark.parametrize("case", CASES)
def test_no_text_of_a_curve_overlaps_or_is_cut(out: Path, case: str, width: float) -> None:
    record = fake.record(out, **CASES[case])
    figure = draw_curve(record.verdict, curve_marks(record), width)
    assert figure.get_size_inches()[0] == width
    check_text(figure)


def test_words_of_the_figure_follow_the_status(out: Path) -> None:
    def words(**case: Any) -> str:
        record = fake.record(out, **case)
        return "\n".join(text for text, _ in boxes(draw_curve(record.verdict, curve_marks(record))))

    assert "d90 = 2,175 (90 % interval 1,871 to 2,545)" in words(middle=700.0)
    assert "d90 > 65,536" in words(status="above_range")
    assert "d90 ≤ 8" in words(status="below_range")
    for status in ("not_monotone", "no_baseline", "budget_spent"):
        text = words(status=status)
        assert "No d90" in text
        assert "d90 =" not in text
    assert "chance alone meets" in words(trivial=True, seed=3)
