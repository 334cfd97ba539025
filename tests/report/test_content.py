"""What the folder of a report holds, and that its tables, figures and page agree."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from intdim.report import report

from . import fake


def test_a_report_has_every_file_and_each_figure_its_numbers(out: Path) -> None:
    fake.sweep(out, method="did", ds=(64, 1024))
    fake.sweep(out, method="said", ds=(64, 1024))
    folder = report(out)
    assert folder == out / "reports" / "latest"
    names = {path.name for path in folder.iterdir()}
    assert names == {"d90.csv", "d90.tex", "d90.parquet", "points.csv", "runs.csv", "figures", "index.html"}
    figures = {path.name for path in (folder / "figures").iterdir()}
    pictures = {name.removesuffix(".png") for name in figures if name.endswith(".png")}
    assert len(pictures) == 3
    for stem in pictures:
        assert {f"{stem}.csv", f"{stem}.pdf", f"{stem}-narrow.pdf"} <= figures
        assert len(pandas.read_csv(folder / "figures" / f"{stem}.csv")) > 3
    assert not list((out / "reports").glob(".*"))


@pytest.mark.usefixtures("blank")
@pytest.mark.parametrize(
    ("status", "tex", "words"),
    [
        ("below_range", r"$\le 8$", "≤ 8"),
        ("above_range", "$> 65{,}536$", "&gt; 65,536"),
        ("not_monotone", "--", "–"),
        ("no_baseline", "--", "–"),
        ("budget_spent", r"-- $[1{,}871,\ 2{,}545]$", "–"),
    ],
)
def test_a_censored_verdict_is_never_a_number(out: Path, status: str, tex: str, words: str) -> None:
    fake.sweep(out, status=status, d90=123456)  # a number that must not come through
    folder = report(out)
    line = next(line for line in (folder / "d90.tex").read_text().splitlines() if line.startswith("tiny"))
    assert line.split(" & ")[3] == tex
    assert f">{words}<" in (folder / "index.html").read_text()
    assert pandas.read_csv(folder / "d90.csv")["d90"].isna().all()
    for path in folder.rglob("*"):
        if path.suffix in (".csv", ".tex", ".html") and path.name != "points.csv":
            assert "123456" not in path.read_text()
            assert "123,456" not in path.read_text()


@pytest.mark.usefixtures("blank")
def test_one_seed_shows_no_spread(out: Path) -> None:
    fake.sweep(out, baseline_seeds=1, baseline_std=0.0, baseline_mean=0.61)
    folder = report(out)
    assert " & $0.610$ & " in (folder / "d90.tex").read_text()
    text = (folder / "index.html").read_text()
    assert "0.610, 1 seed<" in text
    assert "0.610 ±" not in text


def test_same_data_same_report(out: Path) -> None:
    fake.sweep(out)
    first = {p.name: p.read_bytes() for p in report(out, "a").rglob("*") if p.is_file()}
    second = {p.name: p.read_bytes() for p in report(out, "b").rglob("*") if p.is_file()}
    assert first == second
