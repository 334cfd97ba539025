"""``intdim show``: every number with its source, and what is gone or damaged behind it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import small_ledger
from tests.cli.command import call
from tests.cli.looked import data, lines, refused


@pytest.fixture(autouse=True)
def narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def said(*arguments: str) -> str:
    return " ".join(" ".join(lines(*arguments)).split())


def test_a_verdict_with_its_runs_its_command_and_its_versions(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    words, commit = ("intdim", "sweep", "seed=0"), "0123abcd, changed"
    done = small_ledger.command(
        made.spec.sweep_id,
        state="finished",
        ended="2026-11-27T01:36:07Z",
        origin={"words": words, "commit": commit},
        progress={"state": "finished"},
    )
    small_ledger.write(tmp_path, done)
    text = said("show", made.spec.sweep_id[:8], "out=.")
    assert "answer 32 [25, 40]" in text
    assert "threshold 0.8100 90 % of the baseline's mean (0.9 × 0.9000)" in text
    baselines = ", ".join(run[:8] for run in made.baselines)
    assert f"baseline_mean 0.9000 accuracy of full fine-tuning: {baselines}" in text
    assert "intdim sweep seed=0" in text
    assert "commit 0123abcd, changed" in text
    assert "versions torch 2" in text

    found = data("show", made.spec.sweep_id, "out=.")
    assert [row["run_id"] for row in found["runs"]] == made.runs
    assert [row["role"] for row in found["runs"]] == ["search"] * 2 + ["baseline"] * 2 + ["tried"]
    assert found["commands"][0]["command"] == list(words)
    assert found["spec"]["search"]["d_max"] == 65536
    assert {one["name"] for one in found["numbers"]} >= {"d90", "interval", "threshold", "baseline_mean", "chance", "D"}


def test_runs_that_were_removed_by_hand_or_changed_are_said(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    shutil.rmtree(tmp_path / "runs" / made.observed[0])
    (tmp_path / "runs" / made.observed[1] / "result.json").unlink()
    small_ledger.change(tmp_path / "runs" / made.tried[0] / "result.json", eval_score=0.99)
    text = said("show", made.spec.sweep_id, "out=.")
    assert f"removed 1 of its 5 runs: {made.observed[0][:8]}" in text
    found = data("show", made.spec.sweep_id, "out=.")
    assert [row["state"] for row in found["runs"]] == ["removed", "result removed", "done", "done", "damaged"]
    assert found["removed"] == [made.observed[0]]


def test_a_run_whose_score_is_read_again(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    run = made.observed[0]
    text = said("show", run[:10], "out=.")
    assert "(steps 10 and 10 of 10): 200 answers in eval.safetensors, scored again just now" in text
    assert f"used by 1 verdict: {made.spec.sweep_id}" in text
    assert "the command is not known" in text
    assert "host gauss" in text
    assert "versions torch 2.9" in text
    found = data("show", run, "out=.")
    assert (found["state"], found["result"]["d"], found["verdicts"]) == ("done", 20, [made.spec.sweep_id])
    assert found["environment"]["versions"] == {"torch": "2.9", "intdim": "0.1.0"}


def test_a_run_that_did_not_end_says_so(tmp_path: Path) -> None:
    for name in ("aaaa", "bbbb"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / "bbbb" / "error.txt").write_text("Traceback\nRuntimeError: out of memory\n")
    assert "state unfinished" in said("show", "aaaa", "out=.")
    assert "state broken: RuntimeError: out of memory" in said("show", "bbbb", "out=.")
    assert data("show", "aaaa", "out=.")["result"] is None


def test_a_sweep_without_a_verdict_says_how_far_it_is(tmp_path: Path) -> None:
    small_ledger.write(tmp_path, small_ledger.command("aaaa"))
    assert "3 of about 12 runs" in said("show", "aaaa", "out=.")
    assert data("show", "aaaa", "out=.")["progress"]["expected"] == 12


def test_what_is_damaged_is_named_and_no_number_of_it_is_shown(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    run = small_ledger.single(tmp_path, seed=9)
    small_ledger.change(tmp_path / "sweeps" / made.spec.sweep_id / "verdict.json", d90=1.0)
    refused("verdict.json is damaged", "show", made.spec.sweep_id, "out=.")
    file = tmp_path / "runs" / run / "eval.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    ended = call("show", run, "out=.")
    assert (ended.status, ended.out) == (1, "")
    assert "eval.safetensors is damaged" in ended.err


def test_several_are_shown_at_once_and_none_is_refused(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    found = data("show", made.observed[0], made.spec.sweep_id, "out=.")
    assert [one["kind"] for one in found] == ["run", "sweep"]
    refused("no id is given", "show", "out=.")
    refused("is no run and no sweep", "show", "zz", "out=.")
