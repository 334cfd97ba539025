from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.patches import Rectangle

from intdim.report.curve import curve_marks
from intdim.report.figures import draw_curve
from intdim.report.style import LOOKS, PAPER, drawing, render

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


@pytest.mark.parametrize(("name", "narrow"), [("screen", True), ("screen", False), ("paper", True), ("paper", False)])
@pytest.mark.parametrize("case", CASES)
def test_no_text_of_a_curve_overlaps_or_is_cut(out: Path, case: str, name: str, narrow: bool) -> None:
    record, look = fake.record(out, **CASES[case]), replace(LOOKS[name], lengths=name == "paper")
    width = look.narrow if narrow else look.wide
    with drawing(look):
        figure = draw_curve(record.verdict, curve_marks(record), width, look)
        assert figure.get_size_inches()[0] == width
        check_text(figure)


def test_a_figure_for_a_paper_has_no_title_and_plain_labels(out: Path) -> None:
    record = fake.record(out, warnings=["A doubt."])
    with drawing(PAPER):
        words = [text for text, _ in boxes(draw_curve(record.verdict, curve_marks(record), PAPER.wide, PAPER))]
    assert {"accuracy", "trained dimensions d"} <= set(words)
    assert not [text for text in words if "d90 =" in text or "tiny" in text or "warning" in text]
    screen = [text for text, _ in boxes(draw_curve(record.verdict, curve_marks(record)))]
    assert {"tiny on docstrings-package", "accuracy (0 to 1)"} <= set(screen)


def test_letters_of_a_paper_have_serifs_and_stay_letters(out: Path) -> None:
    record = fake.record(out)
    pdf = render(lambda: draw_curve(record.verdict, curve_marks(record), PAPER.narrow, PAPER), "pdf", PAPER)
    assert b"STIXGeneral" in pdf
    assert b"/CIDFontType2" in pdf
    assert b"/Subtype /Image" not in pdf, "vectors alone"
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", pdf)
    assert box
    assert float(box[1]) == pytest.approx(72 * PAPER.narrow)


def test_an_interval_without_d90_is_hatched(out: Path) -> None:
    def spans(**case: Any) -> list[tuple[str | None, float, float]]:
        record = fake.record(out, **case)
        axes = draw_curve(record.verdict, curve_marks(record)).axes[0]
        shown = [one for one in axes.patches if isinstance(one, Rectangle) and one.get_height() == 1.0]
        return [(one.get_hatch(), one.get_x(), one.get_x() + one.get_width()) for one in shown]

    ((hatch, low, high),) = spans()
    assert (hatch, low, high) == (None, 1871, 2545)
    ((hatch, low, high),) = spans(status="budget_spent", d90_low=900.0, d90_high=1100.0)
    assert hatch
    assert (low, high) == pytest.approx((900, 1100))
    ((hatch, low, high),) = spans(status="budget_spent", d90_low=619.0, d90_high=None, seed=1)
    assert hatch
    assert low == pytest.approx(619)
    assert high > 65_536, "it has no other end"
    assert spans(status="not_monotone", d90_low=900.0, d90_high=1100.0, seed=2) == []


def test_thresholds_that_are_one_score_are_one_line(out: Path) -> None:
    record = fake.record(out, chance=0.0, metric="matthews")
    figure = draw_curve(record.verdict, curve_marks(record))
    words = [text for text, _ in boxes(figure)]
    assert [
        text for text in words if "90 %" in text and "of" in text and "interval" not in text and "band" not in text
    ] == ["90 % of score\nand of gain\n0.756"]
    assert not [mark for mark in curve_marks(record) if mark.element == "other_threshold"]


def test_step_lengths_are_shown_where_asked(out: Path) -> None:
    record = fake.record(out)
    look = replace(PAPER, lengths=True)
    with drawing(look):
        top, panel = draw_curve(record.verdict, curve_marks(record), look.wide, look).axes
    assert len(draw_curve(record.verdict, curve_marks(record)).axes) == 1
    assert panel.get_xlim() == top.get_xlim()
    (line,) = panel.lines
    shown = sorted(zip(line.get_xdata(), line.get_ydata(), strict=True))  # type: ignore[arg-type]
    assert shown == sorted((run.result.d, run.result.step_length) for run in record.runs)


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
