"""The relative gap and the line that it is compared with."""

from __future__ import annotations

import math

import pytest

from intdim.bounds.gap import relative_gap, trend
from intdim.errors import UserError


def test_gap_and_trend() -> None:
    assert relative_gap(0.9, 0.8) == pytest.approx(0.5)
    assert relative_gap(0.7, 0.8) == pytest.approx(-0.5)
    assert math.isnan(relative_gap(1.0, 1.0))
    assert trend(100, 400) == 0.5
    for wrong in ((1.1, 0.5), (0.5, math.nan)):
        with pytest.raises(UserError):
            relative_gap(*wrong)
    for wrong in ((-1, 5), (5, 0), (math.inf, 5)):
        with pytest.raises(UserError):
            trend(*wrong)


@pytest.mark.parametrize(
    ("train", "evaluation", "gap"),
    [(0.8, 0.8, 0.0), (1.0, 0.5, 1.0), (1.0, 0.99, 1.0), (0.5, 0.9, -4.0), (0.0, -1.0, 0.5)],
)
def test_a_gap_is_a_share_of_what_was_left_to_gain(train: float, evaluation: float, gap: float) -> None:
    assert relative_gap(train, evaluation) == pytest.approx(gap)


@pytest.mark.parametrize(
    ("scores", "name"),
    [((1.1, 0.5), "train_score=1.1"), ((0.5, 90.0), "eval_score=90.0"), ((-math.inf, 0.5), "train_score=-inf")],
)
def test_the_refused_score_is_named(scores: tuple[float, float], name: str) -> None:
    with pytest.raises(UserError, match=name) as caught:
        relative_gap(*scores)
    assert len(caught.value.parts) == 3


@pytest.mark.parametrize(("d", "m", "expected"), [(0, 5, 0.0), (9, 1, 3.0), (0.25, 4.0, 0.25)])
def test_the_trend_is_the_root_of_the_share(d: float, m: float, expected: float) -> None:
    assert trend(d, m) == expected


@pytest.mark.parametrize(("d", "m"), [(math.nan, 5), (5, math.nan), (5, math.inf), (5, -1)])
def test_numbers_that_count_nothing_are_refused(d: float, m: float) -> None:
    with pytest.raises(UserError, match=f"m={m}"):
        trend(d, m)
