from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation

from intdim.report.arrows import ARROW
from intdim.report.forest import draw_forest
from intdim.report.forest_rows import ForestRow, forest_rows
from intdim.report.records import read_sweeps
from intdim.report.style import LOOKS, drawing

from . import fake
from .drawn import LONG, check_text


@pytest.mark.parametrize(("name", "narrow"), [("screen", True), ("screen", False), ("paper", True), ("paper", False)])
def test_no_text_of_a_comparison_overlaps_or_is_cut(out: Path, name: str, narrow: bool) -> None:
    for i, status in enumerate(fake.STATUSES):
        fake.sweep(out, model=LONG if i % 2 else "tiny", method="said" if i > 2 else "did", status=status, seed=i)
    records, _ = read_sweeps(out)
    look = LOOKS[name]
    with drawing(look):
        check_text(draw_forest(records, forest_rows(records), look.narrow if narrow else look.wide, look))


def test_labels_of_a_comparison_hold_what_differs(out: Path) -> None:
    fake.sweep(out, method="did")
    fake.sweep(out, method="said")
    records, _ = read_sweeps(out)
    assert [row.label for row in forest_rows(records)] == ["DID", "DID", "SAID", "SAID"]
    fake.sweep(out, method="said", seed=5)
    labels = {row.label for row in forest_rows(read_sweeps(out)[0])}
    assert labels == {"DID", "SAID · seed 0", "SAID · seed 5"}
    long = fake.sweep(out, method="said", seed=6, bounds=(9, 1024), metric="matthews")
    labels = {row.label for row in forest_rows(read_sweeps(out)[0])}
    assert f"SAID · {long[:8]}" in labels, "an id is shorter than all that differs"


def drawn(out: Path, **case: Any) -> tuple[Axes, list[ForestRow]]:
    fake.sweep(out, seed=1)
    fake.sweep(out, seed=2, **case)
    records, _ = read_sweeps(out)
    rows = [row for row in forest_rows(records) if row.status == case["status"]]
    return draw_forest(records, forest_rows(records)).axes[0], rows


@pytest.mark.parametrize(("status", "bound", "sign"), [("above_range", 65_536, 1), ("below_range", 8, -1)])
def test_an_arrow_starts_at_its_bound(out: Path, status: str, bound: int, sign: int) -> None:
    axes, rows = drawn(out, status=status)
    arrows = [one for one in axes.texts if isinstance(one, Annotation)]
    assert len(arrows) == len(rows) == 2
    for arrow in arrows:
        assert arrow.xy[0] == bound
        assert arrow.xyann == (sign * ARROW, 0)
        assert arrow.arrowprops["arrowstyle"] == "<|-", "the head is at the end in points"
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert [line.get_marker() for line in hollow] == ["o", "s"], "thresholds differ in shape"
    assert axes.get_xlim()[0] < bound < axes.get_xlim()[1]


def test_an_interval_without_d90_is_a_hatched_bar(out: Path) -> None:
    axes, _ = drawn(out, status="budget_spent", d90_low=300.0, d90_high=900.0)
    bars = [one for one in axes.patches if one.get_hatch()]
    first = bars[0]
    assert isinstance(first, Rectangle)
    assert (first.get_x(), first.get_x() + first.get_width()) == (300, 900)
    assert len({one.get_hatch() for one in bars}) == 2, "thresholds differ in hatching"
    words = [text.get_text() for text in axes.texts]
    assert "– 300 to 900" in words


@pytest.mark.parametrize(("low", "high", "sign"), [(619.0, None, 1), (None, 90.0, -1)])
def test_an_interval_with_one_end_is_drawn(out: Path, low: float | None, high: float | None, sign: int) -> None:
    axes, _ = drawn(out, status="budget_spent", d90_low=low, d90_high=high)
    (arrow,) = [one for one in axes.texts if isinstance(one, Annotation)]
    assert arrow.xy[0] == (low or high)
    assert arrow.xyann == (sign * ARROW, 0)
    (stroke,) = [line for line in axes.lines if line.get_marker() == "|"]
    assert list(stroke.get_xdata()) == [low or high]


def test_thresholds_that_are_one_score_are_one_row(out: Path) -> None:
    axes, rows = drawn(out, status="found", chance=0.0)
    assert sorted(row.both for row in rows) == [False, False, True]
    assert len(axes.lines) == 6, "an interval and a mark for each row"
