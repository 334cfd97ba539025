"""Which sweeps the figures about updates, size, score and gap show, and what is known of each."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from intdim.report.records import read_sweeps
from intdim.report.series import KINDS, SweepRow, checkpoint, figure_rows, series_rows

from . import fake


def rows_of(out: Path) -> list[SweepRow]:
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
    fake.trajectory(out)
    rows = rows_of(out)
    along = figure_rows(rows, "updates")
    assert [row.updates for row in along] == list(fake.UPDATES)
    assert {row.series for row in along} == {"mini-m"}, "two sizes have one checkpoint each: no curve"
    assert [row.model for row in figure_rows(rows, "size")] == ["mini-s@800", "mini-m@800", "mini-l@800"]
    assert len(figure_rows(rows, "score")) == len(figure_rows(rows, "gap")) == 6


def test_the_gap_is_that_of_the_runs_near_d90(out: Path) -> None:
    fake.sweep(out, model="a@1", ds=(64, 512, 4096), d90=500.0, failed=0, collapsed=0)
    [record] = read_sweeps(out, None)[0]
    [row] = series_rows([record])
    near = [run for run in record.runs if run.result.d == 512]
    scores = [(run.result.train_score or 0.0, run.result.score) for run in near]
    gaps = [(train - score) / (1 - score) for train, score in scores]
    assert row.gap == pytest.approx(numpy.mean(gaps))
    assert (row.gap_runs, row.gap_d_low, row.gap_d_high) == (3, 512, 512)


@pytest.mark.parametrize(("status", "at"), [("above_range", 65536), ("below_range", 8)])
def test_the_gap_of_a_censored_verdict_is_that_at_the_end_of_the_range(out: Path, status: str, at: int) -> None:
    fake.sweep(out, model="a@1", status=status, ds=(8, 512, 65536), failed=0, collapsed=0)
    [row] = rows_of(out)
    assert (row.gap_d_low, row.gap_d_high) == (at, at)
    assert row.d90 is None


def test_verdicts_without_a_place_are_left_out(out: Path) -> None:
    fake.trajectory(out, ("no_baseline", 1500, "not_monotone", 300))
    assert figure_rows(rows_of(out), "updates") == [], "two points are no curve"
    assert {row.status for row in figure_rows(rows_of(out), "score")} == {"found"}


def test_a_grid_over_methods_is_no_trajectory(out: Path) -> None:
    for number, method in enumerate(("did", "said")):
        for task in ("a", "b"):
            fake.sweep(out, method=method, task=task, seed=number)
    assert all(figure_rows(rows_of(out), kind) == [] for kind in KINDS)
