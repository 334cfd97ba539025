from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from intdim.ledger.verdict import Point
from intdim.report.curve import curve_marks
from intdim.report.figures import draw_curve
from intdim.report.records import RunRow
from intdim.report.run_kinds import run_kinds

from . import fake


def test_every_run_is_a_mark_and_lost_runs_are_crosses(out: Path) -> None:
    record = fake.record(out, failed=1, collapsed=1)
    everything = curve_marks(record)
    marks = [mark for mark in everything if mark.element in ("run", "failed_run", "collapsed_run")]
    assert sorted(str(mark.run_id) for mark in marks) == sorted(record.verdict.run_ids)
    failed = [mark for mark in everything if mark.element == "failed_run"]
    assert [mark.value for mark in failed] == [record.verdict.chance]
    assert [mark.d for mark in everything if mark.element == "collapsed_run"] == [16384]
    axes = draw_curve(record.verdict, everything).axes[0]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert sum(len(line.get_xdata()) for line in crosses) == 2  # type: ignore[arg-type]
    dots = next(line for line in axes.lines if line.get_marker() == "o")
    assert len(dots.get_xdata()) == len(marks) - 2  # type: ignore[arg-type]


def test_runs_at_chance_have_not_collapsed_where_nothing_is_learnt(out: Path) -> None:
    record = fake.record(out, status="above_range", middle=1e9, failed=0, collapsed=0)
    assert not [mark for mark in curve_marks(record) if mark.element == "collapsed_run"]


def test_an_answer_that_is_not_found_has_no_line(out: Path) -> None:
    record = fake.record(out, status="budget_spent", d90=777.0)
    spent = [mark for mark in curve_marks(record) if mark.element == "d90"]
    assert spent[0].d is None
    assert spent[0].low is not None
    censored = fake.record(out, status="above_range")
    assert not [mark for mark in curve_marks(censored) if mark.element == "d90"]


def test_a_run_that_ended_at_the_bar_is_drawn_as_a_lower_bound(out: Path) -> None:
    sweep = fake.record(out, status="budget_spent")
    results = [
        fake.result("a", 0.7, d=10),
        fake.result("b", 0.82, d=100, stopped="crossed"),
        fake.result("c", 0.8, d=100, seed=1, stopped="converged"),
    ]
    verdict = replace(sweep.verdict, chance=0.5, chance_se=0.0, baseline_mean=0.9, curve=None, d90_low=None)
    points = [Point(10, 0.7, None, 1, "3", "a"), Point(100, 0.81, None, 2, "3", "b c")]
    runs = [RunRow(result, "tiny", "kind", "global", "layer") for result in results]
    record = replace(sweep, verdict=verdict, points=points, runs=runs, baseline_runs=[])
    marks = [(mark.element, mark.d) for mark in curve_marks(record) if mark.d]
    assert marks == [("run", 10), ("stopped_run", 100), ("run", 100), ("point_mean", 10)]


def test_what_did_not_train_is_no_part_of_a_mean(out: Path) -> None:
    record = fake.record(out, failed=0, collapsed=1)
    marks = curve_marks(record)
    (collapsed,) = [mark for mark in marks if mark.element == "collapsed_run"]
    others = [mark.value for mark in marks if mark.element == "run" and mark.d == collapsed.d]
    (mean,) = [mark.value for mark in marks if mark.element == "point_mean" and mark.d == collapsed.d]
    assert mean == pytest.approx(sum(value for value in others if value is not None) / len(others))
    point = next(point for point in record.points if point.d == collapsed.d)
    assert point.score_mean is not None
    assert mean is not None
    assert point.score_mean < mean - 0.1, "points.csv has all runs"


def test_runs_at_one_d_have_one_mean_whatever_their_step_lengths(out: Path) -> None:
    sweep = fake.record(out, failed=0, collapsed=0)
    results = [fake.result("a", 0.6, d=10), fake.result("b", 0.7, d=10, seed=1), fake.result("c", 0.8, d=10, seed=2)]
    points = [Point(10, 0.65, 0.07, 2, "3", "a b"), Point(10, 0.8, None, 1, "4", "c")]
    runs = [RunRow(result, "tiny", "kind", "global", "layer") for result in results]
    record = replace(sweep, verdict=replace(sweep.verdict, curve=None), points=points, runs=runs)
    for kept in (runs, runs[1:]):
        (mean,) = [mark.value for mark in curve_marks(replace(record, runs=kept)) if mark.element == "point_mean"]
        assert mean == pytest.approx(0.7)


def test_a_run_far_from_the_curve_is_an_outlier(out: Path) -> None:
    record = fake.record(out, failed=0, collapsed=0)
    lost, near = (run for run in record.runs if run.result.d == 1024 and run.result.seed < 2)
    moved = replace(lost, result=replace(lost.result, eval_score=lost.result.score - 0.2))
    changed = replace(record, runs=[moved if run is lost else run for run in record.runs])
    kinds = run_kinds(changed.runs, changed.verdict)
    assert kinds[lost.result.run_id] == "outlier_run"
    assert kinds[near.result.run_id] == "run"
    assert "outlier_run" not in run_kinds(record.runs, record.verdict).values()
    assert "outlier_run" not in run_kinds(changed.runs, replace(changed.verdict, curve=None)).values()
    (mean,) = [mark.value for mark in curve_marks(changed) if mark.element == "point_mean" and mark.d == 1024]
    rest = [run.result.score for run in record.runs if run.result.d == 1024 and run is not lost]
    assert mean == pytest.approx(sum(rest) / len(rest))


def test_a_mean_stands_where_its_runs_are_gone(out: Path) -> None:
    record = fake.record(out, failed=0, collapsed=0)
    gone = replace(record, runs=[run for run in record.runs if run.result.d != 512])
    (mean,) = [mark.value for mark in curve_marks(gone) if mark.element == "point_mean" and mark.d == 512]
    assert mean == next(point.score_mean for point in record.points if point.d == 512)
