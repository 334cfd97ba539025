"""Correlations that include the uncertainty of d90."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from scipy.stats import kendalltau

from intdim.report.correlation import DRAWS, correlation_rows, kendall
from intdim.report.published import claims
from intdim.report.records import read_sweeps
from intdim.report.series import SweepRow, series_rows

from . import fake


def made(
    values: list[float], d90: list[float | None], status: list[str] | None = None, spread: float = 1.0, task: str = "t"
) -> list[SweepRow]:
    """Rows as ``series_rows`` makes them, for the correlations alone; ``values`` are updates."""
    return [
        SweepRow(
            sweep_id=f"{task}{number}",
            model=f"m@{number}",
            series="m",
            updates=int(value),
            size=number + 1,
            task=task,
            method="did",
            projection="fastfood",
            scope="global",
            groups="none",
            threshold_kind="absolute",
            fraction=0.9,
            status=status[number] if status else "found",
            d90=d,
            d90_low=None if d is None else d / spread,
            d90_high=None if d is None else d * spread,
            d_min=8,
            d_max=65536,
            score=0.5 + number / 100,
            score_std=0.01,
            score_seeds=3,
            gap=0.1,
            gap_std=0.02,
            gap_runs=3,
            gap_d_low=None,
            gap_d_high=None,
            gap_full=None,
        )
        for number, (value, d) in enumerate(zip(values, d90, strict=True))
    ]


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
    fake.trajectory(out)
    rows = {row.against: row for row in correlation_rows(series_rows(read_sweeps(out)[0]), claims())}
    assert rows["updates"].says == "agrees"
    assert rows["updates"].tau == -1.0
    assert rows["size"].points == 3
    assert rows["size"].tau == -1.0
    assert rows["size"].says == "open", "three points lie in this order one time in three by chance"
    assert rows["size"].random == pytest.approx(1 / 3, abs=0.05)
