"""What a results folder holds at a glance: states, folders that are refused, and how little of it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from intdim import durable
from intdim.errors import UserError
from intdim.ledger import commands
from intdim.ledger.overview import count_runs, gone_runs, overview, run_lines
from tests import small_ledger


def states(out: Path) -> dict[str, str]:
    return {line.sweep_id: line.state for line in overview(out).sweeps}


def test_a_finished_sweep_has_its_verdict_and_its_runs(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    (line,) = overview(tmp_path).sweeps
    assert (line.sweep_id, line.state, line.progress) == (made.spec.sweep_id, "finished", None)
    assert line.verdict is not None
    assert line.verdict["d90"] == 31.5
    assert line.run_ids == made.runs
    assert line.ended > 0


def test_sweeps_without_a_verdict_are_what_their_commands_say(tmp_path: Path) -> None:
    ended = commands.utc(0)
    for name, changes in {
        "aa": {},
        "bb": {"origin": {"process_start": "1", "process": 1}},
        "cc": {"state": "failed", "ended": ended, "progress": {"state": "failed"}, "origin": {"process": 3}},
        "dd": {"state": "stopped", "ended": ended, "progress": {"state": "stopped"}, "origin": {"process": 4}},
        "ee": {"state": "failed", "ended": ended, "progress": {"state": "finished"}, "origin": {"process": 5}},
        "ff": {"ended": ended, "progress": {"state": "removed"}, "origin": {"process": 6}},
    }.items():
        small_ledger.write(tmp_path, small_ledger.command(name, **changes))
    (tmp_path / "sweeps" / "gg").mkdir(parents=True)
    assert states(tmp_path) == {
        "aa": "running", "bb": "stopped", "cc": "failed", "dd": "stopped", "ee": "unfinished", "gg": "unfinished",
    }  # fmt: skip


def test_two_drivers_at_once_are_both_named_and_dead_ones_are_not(tmp_path: Path) -> None:
    for changes in ({}, {"origin": {"host": "euler"}}, {"origin": {"process_start": "1", "process": 1}}):
        small_ledger.write(tmp_path, small_ledger.command("aa", **changes))
    (line,) = overview(tmp_path).sweeps
    assert line.state == "running"
    assert len(line.drivers) == 2


def test_a_verdict_that_was_changed_or_is_of_another_version_is_damaged(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    file = tmp_path / "sweeps" / made.spec.sweep_id / "verdict.json"
    whole = json.loads(file.read_text())
    for changed in (whole | {"status": "perhaps"}, whole | {"d90": "31"}, whole | {"sweep_id": "other"},
                    whole | {"run_ids": [1]}, {"d90": 31}, []):  # fmt: skip
        file.write_text(json.dumps(changed))
        (line,) = overview(tmp_path).sweeps
        assert line.state == "damaged"
        assert "verdict.json" in line.note
        assert line.run_ids == []


def test_a_number_that_was_changed_is_not_listed(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    changed = made.observed[0]
    small_ledger.change(tmp_path / "runs" / changed / "result.json", eval_score=0.99)
    small_ledger.change(tmp_path / "sweeps" / made.spec.sweep_id / "verdict.json", d90=13.0)
    seen = overview(tmp_path)
    assert [(line.state, line.verdict) for line in seen.sweeps] == [("damaged", None)]
    assert [(line.run_id, line.result) for line in run_lines(seen)[0] if line.state == "damaged"] == [(changed, None)]
    (tmp_path / "runs" / made.observed[1] / "hashes.json").unlink()
    assert sum(line.state == "damaged" for line in run_lines(seen)[0]) == 2


def test_runs_are_listed_in_the_order_they_ended_with_their_states(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    failed = small_ledger.single(tmp_path, seed=8, status="failed", reason="the loss became NaN", eval_score=None)
    other = small_ledger.single(tmp_path, seed=9)
    (tmp_path / "runs" / other / "result.json").write_text("{}")
    for name in ("broken", "under-way", "left"):
        (tmp_path / "runs" / name).mkdir()
    (tmp_path / "runs" / "broken" / "error.txt").write_text("Traceback")
    small_ledger.write(tmp_path, small_ledger.command(running=("under-way",)))

    seen = overview(tmp_path)
    lines, every = run_lines(seen)
    by_id = {line.run_id: line for line in lines}
    assert every == len(lines) == len(made.runs) + 5
    assert [line.run_id for line in lines[:3]] == ["broken", "left", "under-way"]
    assert {by_id[run].state for run in made.runs} == {"done"}
    assert {by_id[run].model for run in made.runs} == {"tiny"}
    assert (by_id[failed].state, by_id[failed].note) == ("failed", "the loss became NaN")
    assert by_id[failed].task == "docstrings-package", "from its spec, since no verdict names it"
    assert [by_id[name].state for name in (other, "broken", "under-way", "left")] == [
        "damaged", "broken", "running", "unfinished",
    ]  # fmt: skip
    assert [line.run_id for line in run_lines(seen, 2)[0]] == [line.run_id for line in lines[-2:]]
    assert count_runs(seen) == {"done": 7, "broken": 1, "running": 1, "unfinished": 1}


def test_folders_that_hold_no_results_of_this_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        overview(tmp_path / "none")
    with pytest.raises(UserError, match="holds no results"):
        overview(tmp_path)
    (tmp_path / "intdim.json").write_text(json.dumps({"layout_version": 99}))
    with pytest.raises(UserError, match="layout 99"):
        overview(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["intdim.json"], "nothing is written"


def test_a_mark_that_is_wrong_is_said_and_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small_ledger.sweep(tmp_path)
    (tmp_path / "intdim.json").write_text(json.dumps({"layout_version": 99}))
    assert len(overview(tmp_path).sweeps) == 1
    assert "intdim.json is damaged: it names layout 99" in caplog.text
    assert json.loads((tmp_path / "intdim.json").read_text()) == {"layout_version": 99}


def test_runs_that_are_gone_are_found(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    (tmp_path / "runs" / made.observed[0] / "result.json").unlink()
    assert gone_runs(tmp_path, made.runs) == [made.observed[0]]


def test_a_glance_reads_no_file_of_a_run_and_a_list_two_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = small_ledger.sweep(tmp_path)
    opened: list[Path] = []
    whole = durable.opened
    monkeypatch.setattr(durable, "opened", lambda path: opened.append(Path(path)) or whole(path))
    seen = overview(tmp_path)
    count_runs(seen)
    assert not [path for path in opened if "runs" in path.parts]
    run_lines(seen)
    read = [path.name for path in opened if "runs" in path.parts]
    assert sorted(read) == ["hashes.json"] * len(made.runs) + ["result.json"] * len(made.runs)
