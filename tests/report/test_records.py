from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from intdim.errors import UserError
from intdim.report import report
from intdim.report.records import read_runs, read_sweep, read_sweeps
from intdim.seals import Damaged

from . import fake

CHANGED = "it was changed after it was written"


@pytest.mark.parametrize("damage", ['{"status": ', "[]", "\xff"])
def test_damaged_files_are_named(out: Path, damage: str) -> None:
    path = out / "sweeps" / fake.sweep(out) / "verdict.json"
    path.write_text(damage, encoding="latin-1")
    with pytest.raises(UserError, match=re.escape(str(path))):
        report(out)


@pytest.mark.parametrize(
    "name", ["sweeps/*/spec.json", "sweeps/*/points.csv", "runs/*/result.json", "runs/*/spec.json"]
)
def test_every_damaged_file_is_named(out: Path, name: str) -> None:
    fake.sweep(out, ds=(64, 1024))
    path = next(iter(sorted(out.glob(name))))
    path.write_text("d\nx\n", encoding="utf-8")
    with pytest.raises(Damaged, match=re.escape(str(path))):
        read_sweeps(out)


def test_a_report_names_what_is_damaged_and_leaves_it_out(out: Path) -> None:
    first, second = fake.grid(out)
    runs = read_sweep(out, first).runs  # pyright: ignore
    gone = out / "runs" / runs[0].result.run_id / "result.json"
    data = json.loads(gone.read_text())
    gone.write_text(json.dumps(data | {"eval_score": 0.99}))
    torn = out / "sweeps" / second / "points.csv"
    torn.write_text(torn.read_text()[:-20])

    told: list[str] = []
    page = (report(out, tell=told.append) / "index.html").read_text()
    assert sorted(told) == sorted(f"left out: {file} is damaged: {CHANGED}" for file in (gone, torn))
    assert first in page
    assert (out / "reports" / "latest" / "d90.csv").read_text().count("\n") == 2
    assert "0.99" not in (out / "reports" / "latest" / "runs.csv").read_text()
    for file in (gone, torn):
        assert f"{file} is damaged" in page


@pytest.mark.parametrize("count", [1, 3])
def test_a_report_names_runs_that_are_gone(out: Path, count: int) -> None:
    record = fake.record(out)
    for run_id in record.verdict.run_ids[:count]:
        shutil.rmtree(out / "runs" / run_id)
    (out / "runs" / record.verdict.run_ids[0]).symlink_to("nowhere")
    told: list[str] = []
    report(out, tell=told.append)
    (line,) = told
    assert f"{out / 'runs' / record.verdict.run_ids[0]} is damaged: it is missing, a run of sweep" in line
    assert line.endswith("and so are 2 more runs of it" if count == 3 else record.sweep_id)


def test_a_verdict_with_another_field_is_damaged(out: Path) -> None:
    path = out / "sweeps" / fake.sweep(out) / "verdict.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"extra": 1}), encoding="utf-8")
    with pytest.raises(Damaged, match="extra"):
        read_sweeps(out)


def test_a_sweep_without_its_spec_is_named(out: Path) -> None:
    folder = out / "sweeps" / fake.sweep(out)
    (folder / "spec.json").unlink()
    with pytest.raises(UserError, match=re.escape(str(folder))):
        read_sweeps(out)


def test_runs_that_are_gone_are_left_out(out: Path) -> None:
    record = fake.record(out)
    gone, kept = record.runs[0].result.run_id, record.runs[1].result.run_id
    shutil.rmtree(out / "runs" / gone)
    (out / "runs" / kept / "spec.json").unlink()
    (out / "runs" / "stray").write_text("", encoding="utf-8")
    (out / "runs" / "feedfeedfeedfeed").mkdir()

    again = read_sweep(out, record.sweep_id)
    assert again is not None
    assert [run.result.run_id for run in again.runs] == record.verdict.run_ids[1:]
    assert (again.runs[0].model, again.runs[0].scope) == (None, None), "a run without its spec has no names"
    assert len(read_runs(out)) == len(record.all_runs) - 1


def test_a_sweep_reads_the_same_alone_and_among_others(out: Path) -> None:
    first, second = fake.grid(out)
    (out / "sweeps" / "feedfeedfeedfeed").mkdir()
    records, unfinished = read_sweeps(out)
    assert [record.sweep_id for record in records] == [first, second]
    assert unfinished == ["feedfeedfeedfeed"]
    assert records[0] == read_sweep(out, first)
    assert read_sweep(out, "feedfeedfeedfeed") is None


def test_runs_say_whose_they_are(out: Path) -> None:
    record = fake.record(out, model="mini", task="kind", method="said", scope="layer")
    assert {(run.model, run.task, run.scope, run.groups) for run in record.runs} == {("mini", "kind", "layer", "layer")}
    assert {(run.scope, run.groups) for run in record.baseline_runs} == {("none", "none")}
    assert record.bounds == (8, 65536)
    [lost] = [run for run in record.runs if run.result.failed]
    assert (lost.scored, lost.gap) == (False, None)
