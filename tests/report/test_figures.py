from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from intdim.report.curve import curve_rows
from intdim.report.figures import draw_curve
from intdim.report.forest import draw_forest, forest_rows
from intdim.report.records import SweepRecord, read_sweep, read_sweeps
from intdim.report.typeset import log_ticks, render, spread, text_width, wrap

from . import fake

LONG = "organisation-with-a-long-name/some_model-large-uncased-whole-word-masking-v2"
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "long": {"model": LONG, "task": "a-task-with-a-long-name", "method": "said", "scope": "tensor"},
    "narrow": {"ds": (900, 950, 1000, 1100), "bounds": (900, 1100), "middle": 600, "slope": 4.0},
    "one": {"ds": (1000,), "bounds": (999, 1001), "status": "budget_spent", "failed": 0, "collapsed": 0},
    "wide": {"ds": (4, 100, 10_000, 10_000_000), "bounds": (1, 300_000_000), "middle": 40_000.0},
    "close": {"chance": 0.70, "baseline": 0.765, "status": "below_range", "trivial": True, "noise": 0.006},
    "equal": {"chance": 0.5, "baseline": 0.5001, "status": "no_baseline", "noise": 0.0, "curve": None, "other": None},
    "signed": {"metric": "matthews", "chance": 0.0, "baseline": 0.5, "status": "not_monotone"},
    "above": {"status": "above_range", "middle": 300_000.0},
}


def record_of(out: Path, **case: Any) -> SweepRecord:
    record = read_sweep(out, fake.sweep(out, **case))
    assert record is not None
    return record


def rows_of(record: SweepRecord) -> list[dict[str, Any]]:
    return curve_rows(record.verdict, record.points, record.runs, record.baseline_runs, record.range)


def boxes(figure: Figure) -> list[tuple[str, Any]]:
    """Every text that is drawn (matplotlib keeps many that are not), with its box in pixels."""
    drawn: list[Text] = []
    draw = Text.draw

    def record(self: Text, renderer: Any) -> None:
        if self.get_visible() and self.get_text().strip() and self not in drawn:
            drawn.append(self)
        draw(self, renderer)

    canvas = FigureCanvasAgg(figure)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", record)
        canvas.draw()
    return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in drawn]


def check_text(figure: Figure) -> None:
    """No two texts overlap and none leaves the figure; half a pixel is rounding."""
    found = boxes(figure)
    assert len(found) > 5
    width, height = figure.get_size_inches() * figure.dpi
    for text, box in found:
        assert box.x0 > -0.5, text
        assert box.y0 > -0.5, text
        assert box.x1 < width + 0.5, text
        assert box.y1 < height + 0.5, text
    for (text_a, a), (text_b, b) in itertools.combinations(found, 2):
        apart = a.x1 < b.x0 + 0.5 or b.x1 < a.x0 + 0.5 or a.y1 < b.y0 + 1.0 or b.y1 < a.y0 + 1.0
        assert apart, (text_a, text_b)


@pytest.mark.parametrize("width", [3.3, 6.0])
@pytest.mark.parametrize("case", CASES)
def test_no_text_of_a_curve_overlaps_or_is_cut(out: Path, case: str, width: float) -> None:
    record = record_of(out, **CASES[case])
    figure = draw_curve(record.verdict, rows_of(record), width)
    assert figure.get_size_inches()[0] == width
    check_text(figure)


@pytest.mark.parametrize("width", [3.3, 6.0])
def test_no_text_of_a_comparison_overlaps_or_is_cut(out: Path, width: float) -> None:
    for i, status in enumerate(fake.STATUSES):
        fake.sweep(out, model=LONG if i % 2 else "tiny", method="said" if i > 2 else "did", status=status, seed=i)
    records, _ = read_sweeps(out)
    check_text(draw_forest(records, forest_rows(records), width))


def test_words_of_the_figure_follow_the_status(out: Path) -> None:
    def words(**case: Any) -> str:
        record = record_of(out, **case)
        return "\n".join(text for text, _ in boxes(draw_curve(record.verdict, rows_of(record))))

    assert "d90 = 2,175 (90 % interval 1,871 to 2,545)" in words(middle=700.0)
    assert "d90 > 65,536" in words(status="above_range")
    assert "d90 ≤ 8" in words(status="below_range")
    for status in ("not_monotone", "no_baseline", "budget_spent"):
        text = words(status=status)
        assert "No d90" in text
        assert "d90 =" not in text
    assert "chance alone meets" in words(trivial=True, seed=3)


def test_every_run_is_a_mark_and_lost_runs_are_crosses(out: Path) -> None:
    record = record_of(out, failed=1, collapsed=1)
    rows = rows_of(record)
    marks = [row for row in rows if row["element"] in ("run", "failed_run", "collapsed_run")]
    assert sorted(row["run_id"] for row in marks) == sorted(record.verdict["run_ids"])
    failed = [row for row in rows if row["element"] == "failed_run"]
    assert [row["value"] for row in failed] == [record.verdict["chance"]]
    assert [row["d"] for row in rows if row["element"] == "collapsed_run"] == [16384]
    axes = draw_curve(record.verdict, rows).axes[0]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert sum(len(line.get_xdata()) for line in crosses) == 2  # type: ignore[arg-type]
    dots = next(line for line in axes.lines if line.get_marker() == "o")
    assert len(dots.get_xdata()) == len(marks) - 2  # type: ignore[arg-type]


def test_runs_at_chance_have_not_collapsed_where_nothing_is_learnt(out: Path) -> None:
    record = record_of(out, status="above_range", middle=1e9, failed=0, collapsed=0)
    assert not [row for row in rows_of(record) if row["element"] == "collapsed_run"]


def test_an_answer_that_is_not_found_has_no_line(out: Path) -> None:
    spent = [row for row in rows_of(record_of(out, status="budget_spent", d90=777)) if row["element"] == "d90"]
    assert spent[0]["d"] is None
    assert spent[0]["low"] is not None
    assert not [row for row in rows_of(record_of(out, status="above_range")) if row["element"] == "d90"]


def test_same_data_same_bytes(out: Path) -> None:
    record = record_of(out)
    for kind in ("png", "pdf"):
        first, second = (render(lambda: draw_curve(record.verdict, rows_of(record)), kind) for _ in range(2))
        assert first == second
    assert b"CreationDate" not in render(lambda: draw_curve(record.verdict, rows_of(record)), "pdf")


def test_labels_of_a_comparison_hold_what_differs(out: Path) -> None:
    fake.sweep(out, method="did")
    fake.sweep(out, method="said")
    records, _ = read_sweeps(out)
    assert [row["label"] for row in forest_rows(records)] == ["DID", "DID", "SAID", "SAID"]
    fake.sweep(out, method="said", seed=5)
    labels = {row["label"] for row in forest_rows(read_sweeps(out)[0])}
    assert len(labels) == 3


def test_spread_keeps_order_distance_and_limits() -> None:
    placed = spread([0.5, 0.52, 0.51, 0.0], [0.2, 0.2, 0.2, 0.2], 0.0, 1.0)
    assert placed == pytest.approx([0.31, 0.71, 0.51, 0.1])
    top = spread([0.99, 0.98], [0.2, 0.2], 0.0, 1.0)
    assert top == pytest.approx([0.9, 0.7])
    alone = spread([0.4, 0.8], [0.1, 0.1], 0.0, 1.0)
    assert alone == pytest.approx([0.4, 0.8])


def test_wrap_keeps_every_letter_and_the_width() -> None:
    for text in (LONG, "a b  c", "x" * 200, "three words here"):
        lines = wrap(text, 1.2, 8)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert all(text_width(line, 8) <= 1.2 for line in lines)


@pytest.mark.parametrize(("low", "high"), [(1, 10), (900, 1100), (999, 1001), (4, 3e7), (0.9, 5e8), (2, 3)])
def test_ticks_lie_inside_and_apart(low: float, high: float) -> None:
    for inches in (1.5, 4.5):
        ticks = log_ticks(low, high, inches, 8)
        assert 1 <= len(ticks) <= 8
        assert all(low <= tick <= high for tick in ticks)
        if len(ticks) > 2:
            gaps = [math.log(b / a) / math.log(high / low) * inches for a, b in itertools.pairwise(ticks)]
            assert min(gaps) > 0.1


def test_a_run_that_ended_at_the_bar_is_drawn_as_a_lower_bound():
    verdict = {"status": "budget_spent", "d90": None, "chance": 0.5, "baseline_mean": 0.9}
    runs = [
        {"run_id": "a", "d": 10, "seed": 0, "status": "done", "stopped": "", "eval_score": 0.7},
        {"run_id": "b", "d": 100, "seed": 0, "status": "done", "stopped": "crossed", "eval_score": 0.82},
        {"run_id": "c", "d": 100, "seed": 1, "status": "done", "stopped": "converged", "eval_score": 0.8},
    ]
    points = [{"d": 10, "score_mean": 0.7}, {"d": 100, "score_mean": 0.81}]
    marks = [(row["element"], row["d"]) for row in curve_rows(verdict, points, runs, [], (8, 1000)) if row["d"]]
    assert marks == [("run", 10), ("stopped_run", 100), ("run", 100), ("point_mean", 10)]
