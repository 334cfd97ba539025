from __future__ import annotations

import itertools
import math

import pytest

from intdim.report.typeset import log_ticks, spread, text_width, wrap

from .drawn import LONG


def test_spread_keeps_order_distance_and_limits() -> None:
    placed = spread([0.5, 0.52, 0.51, 0.0], [0.2, 0.2, 0.2, 0.2], 0.0, 1.0)
    assert placed == pytest.approx([0.31, 0.71, 0.51, 0.1])
    top = spread([0.99, 0.98], [0.2, 0.2], 0.0, 1.0)
    assert top == pytest.approx([0.9, 0.7])
    alone = spread([0.4, 0.8], [0.1, 0.1], 0.0, 1.0)
    assert alone == pytest.approx([0.4, 0.8])


def test_wrap_keeps_every_letter_and_the_width() -> None:
    for text in (LONG, "a b  c", "x" * 200, "three words here"):
        lines = wrap(text, 1.2, 8)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert all(text_width(line, 8) <= 1.2 for line in lines)


@pytest.mark.parametrize(("low", "high"), [(1, 10), (900, 1100), (999, 1001), (4, 3e7), (0.9, 5e8), (2, 3)])
def test_ticks_lie_inside_and_apart(low: float, high: float) -> None:
    for inches in (1.5, 4.5):
        ticks = log_ticks(low, high, inches, 8)
        assert 1 <= len(ticks) <= 8
        assert all(low <= tick <= high for tick in ticks)
        if len(ticks) > 2:
            gaps = [math.log(b / a) / math.log(high / low) * inches for a, b in itertools.pairwise(ticks)]
            assert min(gaps) > 0.1
