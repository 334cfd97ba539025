from __future__ import annotations

from pathlib import Path

from intdim.report.curve import curve_marks
from intdim.report.figures import draw_curve
from intdim.report.pictures import STYLES
from intdim.report.style import LOOKS, render

from . import fake


def test_same_data_same_bytes(out: Path) -> None:
    record = fake.record(out)
    for kind in ("png", "pdf"):
        first, second = (render(lambda: draw_curve(record.verdict, curve_marks(record)), kind) for _ in range(2))
        assert first == second
    assert b"CreationDate" not in render(lambda: draw_curve(record.verdict, curve_marks(record)), "pdf")


def test_every_style_that_can_be_asked_for_has_a_look() -> None:
    assert set(STYLES) == set(LOOKS)
