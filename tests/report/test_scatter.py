from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from intdim.report.records import read_sweeps
from intdim.report.scatter import draw_scatter
from intdim.report.series import KINDS, figure_rows, series_rows

from . import fake


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [6.0, 3.3])
def test_every_mark_is_drawn_inside(out: Path, kind: str, width: float) -> None:
    fake.trajectory(out, ("above_range", "budget_spent", 700, "below_range"))
    fake.trajectory(out, task="other")
    rows = figure_rows(series_rows(read_sweeps(out)[0]), kind)
    figure = draw_scatter(kind, rows, ["a line of words"], width)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None) is not None]
    assert len(arrows) == sum(row.status in ("above_range", "below_range") for row in rows)
    starts = [
        (row.value(kind), row.d_max if row.status == "above_range" else row.d_min) for row in rows if row.censored
    ]
    upright = kind in ("updates", "size")
    assert [arrow.xy for arrow in arrows] == [one if upright else one[::-1] for one in starts], "where the bound is"
    marks = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert len(marks) == sum(row.status == "found" for row in rows), "only what was found has a mark"
    box = axes.get_window_extent()
    for arrow in arrows:
        tip = arrow.arrow_patch.get_window_extent()
        assert box.x0 - 2 <= tip.x0 <= tip.x1 <= box.x1 + 2
        assert box.y0 - 2 <= tip.y0 <= tip.y1 <= box.y1 + 2
    for mark in marks:
        x, y = axes.transData.transform((float(mark.get_xdata()[0]), float(mark.get_ydata()[0])))
        assert box.x0 <= x <= box.x1
        assert box.y0 <= y <= box.y1
    whole = figure.bbox
    for text in itertools.chain(figure.texts, figure.legends[0].get_texts(), [axes.xaxis.label, axes.yaxis.label]):
        extent = text.get_window_extent()
        assert min(extent.x0 - whole.x0, whole.x1 - extent.x1, extent.y0 - whole.y0, whole.y1 - extent.y1) > -1, text
