"""Trackio's database holds what the ledger has."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.track import real


def test_the_database_has_curves_results_and_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    monkeypatch.setenv("TRACKIO_SPACE_ID", "someone/space")  # which an off-line tracker must not use
    made = real.sent("trackio", tmp_path / "out")
    with sqlite3.connect(made.folder / "intdim.db") as database:
        rows = database.execute("select run_name, step, metrics from metrics order by step").fetchall()
        configs = dict(database.execute("select run_name, config from configs").fetchall())
    found: dict[str, list] = {}
    for name, step, metrics in rows:
        found.setdefault(name, []).append((step, json.loads(metrics)))
    assert set(found) == {made.verdict.sweep_id, *real.run_ids(made.verdict)}

    lines = found[made.run.run_id]
    assert [(step, line["loss"]) for step, line in lines if "loss" in line] == real.curve("loss")
    (result,) = [line for _, line in lines if "result/eval_score" in line]
    assert result["result/eval_score"] == made.run.eval_score
    assert json.loads(configs[made.run.run_id])["d"] == made.run.d
    (verdict,) = [line for _, line in found[made.verdict.sweep_id]]
    assert (verdict["result/d90"], verdict["result/status"]) == (made.verdict.d90, "found")
