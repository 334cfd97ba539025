"""d90 against updates, size, score and gap: what is drawn, what is not, and correlations that know their intervals."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from scipy.stats import kendalltau

from intdim.report import report
from intdim.report.correlation import DRAWS, correlation_rows, kendall
from intdim.report.published import claims
from intdim.report.records import read_sweeps
from intdim.report.scatter import draw_scatter
from intdim.report.series import KINDS, checkpoint, figure_rows, series_rows

from . import fake

UPDATES = (0, 100, 400, 800)


def trajectory(out: Path, d90: tuple[float | str, ...] = (4000, 1500, 700, 300), task: str = "kind") -> None:
    """Sweeps along mini-m and at the end of mini-s and mini-l; a word in place of a number is a status."""
    rows = [(f"mini-m@{updates}", 500_000, value) for updates, value in zip(UPDATES, d90, strict=True)]
    rows += [("mini-s@800", 200_000, 600), ("mini-l@800", 1_000_000, 150)]
    for number, (model, size, value) in enumerate(rows):
        status = value if isinstance(value, str) else "found"
        facts: dict[str, Any] = {"status": status, "D": size, "seed": number, "baseline": 0.7 + 0.02 * number}
        if not isinstance(value, str):
            facts |= {"d90": value, "d90_low": value / 1.2, "d90_high": value * 1.2}
        fake.sweep(out, model=model, task=task, ds=(64, 512, 4096), failed=0, collapsed=0, **facts)


def rows_of(out: Path) -> list[dict[str, Any]]:
    return series_rows(read_sweeps(out, None)[0])


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("mini-m@0", ("mini-m", 0)),
        ("multiberts@step_20k", ("multiberts", 20_000)),
        ("pythia-70m@step1000", ("pythia-70m", 1000)),
        ("mine@step-250", ("mine", 250)),
        ("roberta-base", ("roberta-base", None)),
        ("model@0a1b2c3d", ("model@0a1b2c3d", None)),
        ("x@main", ("x@main", None)),
    ],
)
def test_a_name_says_after_how_many_updates(name: str, where: tuple[str, int | None]) -> None:
    assert checkpoint(name) == where


def test_each_figure_shows_what_it_is_about(out: Path) -> None:
    trajectory(out)
    rows = rows_of(out)
    along = figure_rows(rows, "updates")
    assert [row["updates"] for row in along] == list(UPDATES)
    assert {row["series"] for row in along} == {"mini-m"}, "two sizes have one checkpoint each: no curve"
    assert [row["model"] for row in figure_rows(rows, "size")] == ["mini-s@800", "mini-m@800", "mini-l@800"]
    assert len(figure_rows(rows, "score")) == len(figure_rows(rows, "gap")) == 6


def test_the_gap_is_that_of_the_runs_near_d90(out: Path) -> None:
    fake.sweep(out, model="a@1", ds=(64, 512, 4096), d90=500.0, failed=0, collapsed=0)
    [record] = read_sweeps(out, None)[0]
    [row] = series_rows([record])
    near = [run for run in record.runs if run["d"] == 512]
    gaps = [(run["train_score"] - run["eval_score"]) / (1 - run["eval_score"]) for run in near]
    assert row["gap"] == pytest.approx(numpy.mean(gaps))
    assert (row["gap_runs"], row["gap_d_low"], row["gap_d_high"]) == (3, 512, 512)


@pytest.mark.parametrize(("status", "at"), [("above_range", 65536), ("below_range", 8)])
def test_the_gap_of_a_censored_verdict_is_that_at_the_end_of_the_range(out: Path, status: str, at: int) -> None:
    fake.sweep(out, model="a@1", status=status, ds=(8, 512, 65536), failed=0, collapsed=0)
    [row] = rows_of(out)
    assert (row["gap_d_low"], row["gap_d_high"]) == (at, at)
    assert row["d90"] is None


def test_verdicts_without_a_place_are_left_out(out: Path) -> None:
    trajectory(out, ("no_baseline", 1500, "not_monotone", 300))
    assert figure_rows(rows_of(out), "updates") == [], "two points are no curve"
    assert {row["status"] for row in figure_rows(rows_of(out), "score")} == {"found"}


def test_a_grid_over_methods_is_no_trajectory(out: Path) -> None:
    for number, method in enumerate(("did", "said")):
        for task in ("a", "b"):
            fake.sweep(out, method=method, task=task, seed=number)
    assert all(figure_rows(rows_of(out), kind) == [] for kind in KINDS)


def made(
    values: list[float], d90: list[float | None], status: list[str] | None = None, spread: float = 1.0, task: str = "t"
):
    """Rows as ``series_rows`` makes them, for the correlations alone."""
    facts = dict.fromkeys(("method", "projection", "scope", "groups", "threshold_kind", "fraction"), "x")
    rows = []
    for number, (value, d) in enumerate(zip(values, d90, strict=True)):
        ends = (None, None) if d is None else (d / spread, d * spread)
        rows.append(
            {"task": task, **facts, "model": f"m@{number}", "series": "m", "updates": value, "size": number + 1}
            | {
                "score": 0.5 + number / 100,
                "score_std": 0.01,
                "score_seeds": 3,
                "gap": 0.1,
                "gap_std": 0.02,
                "gap_runs": 3,
            }
            | {"status": status[number] if status else "found", "d90": d, "d90_low": ends[0], "d90_high": ends[1]}
            | {"d_min": 8, "d_max": 65536}
        )
    return rows


def test_tau_is_that_of_the_textbook() -> None:
    random = numpy.random.default_rng(0)
    for _ in range(20):
        x, d = random.integers(0, 6, 9), 2.0 ** random.integers(3, 9, 9)
        tau, _, _, pairs = kendall(made([float(v) for v in x], [float(v) for v in d]), "updates")
        assert tau == pytest.approx(kendalltau(x, d).statistic)
        assert pairs == 36


def test_censored_answers_tie_beyond_the_end_whatever_the_numbers() -> None:
    status = ["above_range", "above_range", "found", "found", "below_range"]
    tau, low, high, _ = kendall(made([0, 1, 2, 3, 4], [None, None, 1e9, 2.0, None], status), "updates")
    assert tau == pytest.approx(kendalltau([0, 1, 2, 3, 4], [9, 9, 3, 2, 1]).statistic)
    assert low is not None
    assert high is not None
    assert low <= tau <= high


def test_strata_are_not_mixed() -> None:
    """Within each task d90 falls; the tasks together would say that it rises."""
    one, other = made([1, 2, 3], [30.0, 20.0, 10.0], task="a"), made([11, 12, 13], [3000.0, 2000.0, 1000.0], task="b")
    tau, _, _, pairs = kendall(one + other, "updates")
    assert (tau, pairs) == (-1.0, 6)


def test_a_wider_interval_of_d90_gives_a_wider_interval_of_tau() -> None:
    values, d90 = [float(k) for k in range(8)], [float(2 ** (12 - k)) for k in range(8)]
    narrow, wide = (kendall(made(values, d90, spread=spread), "updates") for spread in (1.01, 8.0))
    assert narrow[1:3] == (-1.0, -1.0)
    assert wide[2] > -0.9


def test_the_interval_covers() -> None:
    """Points without any correlation: 0 lies inside nine times in ten, or more often."""
    random, held, n = numpy.random.default_rng(1), 0, 60
    for _ in range(n):
        d90 = [float(d) for d in numpy.exp(random.normal(6, 1, 8))]
        _, low, high, _ = kendall(made([float(k) for k in range(8)], d90, spread=1.2), "updates")
        assert low is not None
        assert high is not None
        held += low <= 0 <= high
    assert held / n > 0.8


def test_nothing_varies_nothing_is_said() -> None:
    tau, low, high, _ = kendall(made([1, 2, 3], [None] * 3, ["above_range"] * 3), "updates")
    assert (tau, low, high) == (None, None, None)
    assert DRAWS >= 1000


def test_the_words_follow_the_interval(out: Path) -> None:
    trajectory(out)
    rows = {row["against"]: row for row in correlation_rows(rows_of(out), claims())}
    assert rows["updates"]["says"] == "agrees"
    assert rows["updates"]["tau"] == -1.0
    assert rows["size"]["points"] == 3
    assert rows["size"]["tau"] == -1.0
    assert rows["size"]["says"] == "open", "three points lie in this order one time in three by chance"
    assert rows["size"]["random"] == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [6.0, 3.3])
def test_every_mark_is_drawn_inside(out: Path, kind: str, width: float) -> None:
    trajectory(out, ("above_range", "budget_spent", 700, "below_range"))
    trajectory(out, task="other")
    rows = figure_rows(rows_of(out), kind)
    figure = draw_scatter(kind, rows, ["a line of words"], width)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None) is not None]
    assert len(arrows) == sum(row["status"] in ("above_range", "below_range") for row in rows)
    marks = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert len(marks) == sum(row["status"] == "found" for row in rows), "only what was found has a mark"
    box = axes.get_window_extent()
    for mark in marks:
        x, y = axes.transData.transform((float(mark.get_xdata()[0]), float(mark.get_ydata()[0])))
        assert box.x0 <= x <= box.x1
        assert box.y0 <= y <= box.y1
    whole = figure.bbox
    for text in itertools.chain(figure.texts, figure.legends[0].get_texts(), [axes.xaxis.label, axes.yaxis.label]):
        extent = text.get_window_extent()
        assert min(extent.x0 - whole.x0, whole.x1 - extent.x1, extent.y0 - whole.y0, whole.y1 - extent.y1) > -1, text


def test_the_report_has_the_four_figures_each_beside_its_numbers(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intdim.report.typeset.render", lambda draw, kind: kind.encode())
    trajectory(out, ("above_range", 1500, 700, 300))
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


def test_other_reports_stay_as_they_are(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intdim.report.typeset.render", lambda draw, kind: kind.encode())
    fake.sweep(out)
    (out / "pretrain").mkdir()
    (out / "pretrain" / "mini.json").write_text("{", encoding="utf-8")
    folder = report(out)
    assert not (folder / "correlations.csv").exists()
    assert 'id="trends"' not in (folder / "index.html").read_text(encoding="utf-8")
