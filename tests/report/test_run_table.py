"""The runs behind a verdict, with their learning curves and files."""

from __future__ import annotations

import json
from pathlib import Path

from intdim.report.run_table import run_table
from intdim.report.spark import HEIGHT, WIDTH, evaluations, spark, thinned

from . import fake


def curve(*scores: float) -> list[dict[str, float]]:
    return [{"step": 10.0 * (place + 1), "eval_score": score} for place, score in enumerate(scores)]


def test_every_run_is_a_row_with_its_role(out: Path) -> None:
    record = fake.record(out, failed=1)
    table = run_table(record, out)
    roles = {row[0].text: row[1].text for row in table.rows}
    verdict = record.verdict
    assert roles == (
        dict.fromkeys(verdict.run_ids, "search")
        | dict.fromkeys(verdict.baseline_run_ids, "baseline")
        | dict.fromkeys(verdict.other_run_ids, "tried")
    )
    (failed,) = [row for row in table.rows if row[5].text == "failed"]
    assert failed[5].note == "the loss became NaN at step 31"
    assert failed[5].key is None


def test_files_and_curves_that_are_there_are_linked(out: Path) -> None:
    record = fake.record(out)
    run_id = record.verdict.run_ids[0]
    (out / "runs" / run_id / "metrics.jsonl").write_text(
        "\n".join([*map(json.dumps, curve(0.2, 0.4, 0.3)), '{"step": 5, "loss": 1.0}', '{"step": 4'])
    )
    cell = next(row for row in run_table(record, out).rows if row[0].text == run_id)[9]
    there = ("result.json", "metrics.jsonl")
    assert [link.href for link in cell.links] == [f"../../runs/{run_id}/{name}" for name in there]
    for link in cell.links:
        assert (out / "reports" / "latest" / link.href).resolve().parent == out / "runs" / run_id
    assert cell.spark is not None
    assert cell.spark.words == "score from 0.200 at step 10 to 0.300 at step 30"
    assert all(row[9].links == () for row in run_table(record, None).rows)


def test_a_curve_stays_in_its_box() -> None:
    made = spark(curve(0.2, 0.9, 0.5), best_step=20)
    assert made is not None
    places = [tuple(map(float, one.split(","))) for one in made.points.split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert places[1][1] < places[2][1] < places[0][1], "up is better"
    assert made.dot == places[1]
    level = spark(curve(0.5, 0.5), best_step=7)
    assert level is not None
    assert level.dot is None
    assert spark(curve(0.5), 10) is None


def test_only_evaluations_with_a_score_count() -> None:
    scores = {2: None, True: 0.1, "4": 0.7}
    lines = [{"step": 1, "loss": 2.0}, *({"step": step, "eval_score": score} for step, score in scores.items())]
    lines += [{"step": 3, "eval_score": 0.5}, {"step": 3, "eval_score": 0.6}]
    assert evaluations(lines) == [(3.0, 0.6)]


def test_a_long_curve_keeps_its_ends() -> None:
    points = [(float(i), 0.0) for i in range(1000)]
    kept = thinned(points, 60)
    assert len(kept) <= 61
    assert (kept[0], kept[-1]) == (points[0], points[-1])
