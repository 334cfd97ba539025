from __future__ import annotations

import json
from pathlib import Path

import pandas
import pytest

from intdim.report import report
from intdim.report.tables import D90_COLUMNS, RUN_COLUMNS

from . import fake


@pytest.mark.usefixtures("blank")
def test_d90_has_the_columns_of_the_verdict_in_order(out: Path) -> None:
    sweep_id = fake.sweep(out)
    folder = report(out)
    verdict = json.loads((out / "sweeps" / sweep_id / "verdict.json").read_text())
    table = pandas.read_csv(folder / "d90.csv")
    assert tuple(table.columns[: len(D90_COLUMNS)]) == D90_COLUMNS
    assert all(name.startswith("other_") for name in table.columns[len(D90_COLUMNS) : -2])
    row = table.iloc[0]
    for name in set(D90_COLUMNS) - {"run_ids"}:
        assert row[name] == verdict[name], name
    assert row["run_ids"].split() == verdict["run_ids"]
    assert row["other_d90"] == verdict["other"]["d90"]
    stored = pandas.read_parquet(folder / "d90.parquet")
    assert list(stored.columns) == list(table.columns)
    assert stored["d90"].tolist() == table["d90"].tolist()


@pytest.mark.usefixtures("blank")
def test_runs_carry_the_relative_gap(out: Path) -> None:
    fake.sweep(out, failed=1)
    table = pandas.read_csv(report(out) / "runs.csv")
    assert tuple(table.columns) == RUN_COLUMNS
    assert len(table) == len(list((out / "runs").iterdir()))
    done = table[table["status"] == "done"]
    expected = (done["train_score"] - done["eval_score"]) / (1 - done["eval_score"])
    assert done["gap"].tolist() == pytest.approx(expected.tolist())
    lost = table[table["status"] == "failed"]
    assert len(lost) == 1
    assert lost[["eval_score", "train_score", "gap"]].isna().all(axis=None)


@pytest.mark.usefixtures("blank")
def test_points_keep_every_point(out: Path) -> None:
    ids = fake.grid(out)
    table = pandas.read_csv(report(out) / "points.csv")
    for sweep_id in ids:
        own = pandas.read_csv(out / "sweeps" / sweep_id / "points.csv")
        kept = table[table["sweep_id"] == sweep_id][list(own.columns)].reset_index(drop=True)
        pandas.testing.assert_frame_equal(kept, own, check_dtype=False)
