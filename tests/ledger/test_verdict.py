"""Verdicts and points, written and read."""

from __future__ import annotations

import json

import pytest

from intdim.ledger.verdict import Curve, Point, Verdict, points_csv, read_points
from intdim.spec import STATUSES, from_dict, to_dict
from tests.records import verdict


def test_a_verdict_survives_json() -> None:
    for answer in (verdict(), verdict(curve=Curve([8.0], [0.5], [0.4], [0.6]), d90=None, status="budget_spent")):
        assert from_dict(Verdict, json.loads(json.dumps(to_dict(answer)))) == answer
        assert answer.status in STATUSES


@pytest.mark.parametrize("change", [{"d90": "many"}, {"other": None}, {"run_ids": "a"}, {"curve": {"d": [8]}}])
def test_a_verdict_of_another_shape_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Verdict"):
        from_dict(Verdict, to_dict(verdict()) | change)


def test_points_survive_csv() -> None:
    points = [Point(8, None, None, 1, "3", "a"), Point(64, 1 / 3, 0.1, 2, "1 3", "b c")]
    text = points_csv(points)
    assert text.startswith("d,score_mean,score_std,seeds,step_length,run_ids\n8,,,1,3,a\n")
    assert read_points(text) == points
    for damaged in ("d,seeds\n8,1\n", "d,score_mean,score_std,seeds,step_length,run_ids\nx,,,1,3,a\n"):
        with pytest.raises(ValueError, match=r"Point|float|convert"):
            read_points(damaged)
