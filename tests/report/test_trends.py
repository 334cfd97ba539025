"""The figures about updates, size, score and gap in a report: what is drawn and what is not."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from intdim.report import report
from intdim.report.series import KINDS

from . import fake


@pytest.mark.usefixtures("blank")
def test_the_report_has_the_four_figures_each_beside_its_numbers(out: Path) -> None:
    fake.trajectory(out, ("above_range", 1500, 700, 300))
    fake.write(out / "pretrain" / "mini.json", {"cells": [["mini-m@0", "kind"], ["mini-m@3200", "kind"]]})
    folder = report(out)
    for kind in KINDS:
        names = [f"d90-{kind}{end}" for end in (".csv", ".png", ".pdf", "-narrow.pdf")]
        assert all((folder / "figures" / name).exists() for name in names)
        table = pandas.read_csv(folder / "figures" / f"d90-{kind}.csv")
        assert table.loc[table["status"] != "found", "d90"].isna().all(), "no answer that was not measured"
    taus = pandas.read_csv(folder / "correlations.csv")
    assert list(taus["against"]) == list(KINDS)
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "half finished: 1 of its 2 cells" in page
    assert "Rank correlations of d90" in page
    assert "&gt; 65,536" in page


@pytest.mark.usefixtures("blank")
def test_other_reports_stay_as_they_are(out: Path) -> None:
    fake.sweep(out)
    (out / "pretrain").mkdir()
    (out / "pretrain" / "mini.json").write_text("{", encoding="utf-8")
    folder = report(out)
    assert not (folder / "correlations.csv").exists()
    assert 'id="trends"' not in (folder / "index.html").read_text(encoding="utf-8")
