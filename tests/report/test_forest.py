from __future__ import annotations

from pathlib import Path

import pytest

from intdim.report.forest import draw_forest
from intdim.report.forest_rows import forest_rows
from intdim.report.records import read_sweeps

from . import fake
from .drawn import LONG, check_text


@pytest.mark.parametrize("width", [3.3, 6.0])
def test_no_text_of_a_comparison_overlaps_or_is_cut(out: Path, width: float) -> None:
    for i, status in enumerate(fake.STATUSES):
        fake.sweep(out, model=LONG if i % 2 else "tiny", method="said" if i > 2 else "did", status=status, seed=i)
    records, _ = read_sweeps(out)
    check_text(draw_forest(records, forest_rows(records), width))


def test_labels_of_a_comparison_hold_what_differs(out: Path) -> None:
    fake.sweep(out, method="did")
    fake.sweep(out, method="said")
    records, _ = read_sweeps(out)
    assert [row.label for row in forest_rows(records)] == ["DID", "DID", "SAID", "SAID"]
    fake.sweep(out, method="said", seed=5)
    labels = {row.label for row in forest_rows(read_sweeps(out)[0])}
    assert len(labels) == 3
    assert sum(label.startswith("SAID ") for label in labels) == 2, "sweeps that differ in nothing carry their ids"
