"""``intdim list``: a line for each sweep, or for each run."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.cli.answers import run_words, verdict_words
from intdim.spec import to_dict
from tests import small_ledger
from tests.cli.looked import data, lines, refused
from tests.records import verdict


@pytest.fixture(autouse=True)
def narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def test_sweeps_with_their_answers_and_those_without(tmp_path: Path) -> None:
    made = [small_ledger.sweep(tmp_path, seed) for seed in (0, 1)]
    small_ledger.write(tmp_path, small_ledger.command("aaaa"))
    printed = lines("list", "out=.")
    assert printed[0].split() == ["sweep", "ended", "d90", "[90", "%]", "runs", "cell"]
    assert {line.split()[0] for line in printed[1:]} == {"aaaa", *(one.spec.sweep_id[:8] for one in made)}
    assert sum("32 [25, 40]" in line for line in printed) == 2
    assert any("running" in line and "3/12" in line for line in printed)
    assert lines("list", "out=.", "last=2")[-1] == "and 1 before these: intdim list last=0"
    assert len(data("list", "out=.", "last=2")) == 3, "as JSON, all of them"


def test_runs_with_their_scores_and_what_failed(tmp_path: Path) -> None:
    run = small_ledger.single(tmp_path, d=1234, seed=77)
    small_ledger.single(tmp_path, seed=8, status="failed", reason="the loss became NaN", eval_score=None)
    printed = lines("list", "runs", "out=.")
    (row,) = [line for line in printed if line.startswith(run[:8])]
    assert row.split()[2:7] == ["done", "1,234", "0.750", "3", "77"]
    assert any("failed" in line for line in printed)
    assert lines("list", "runs", "out=.", "last=1")[-1] == "and 1 before these: intdim list runs last=0"
    found = {one["run_id"]: one for one in data("list", "runs", "out=.")}
    assert found[run]["result"]["eval_score"] == 0.75
    assert {one["note"] for one in found.values()} == {"", "the loss became NaN"}


def test_nothing_and_what_cannot_be_listed(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert lines("list", "out=.") == ["no sweep was begun in ."]
    assert lines("list", "runs", "out=.") == ["no run was begun in ."]
    refused("did you mean 'runs'", "list", "run", "out=.")
    refused("last is a whole number", "list", "out=.", "last=few")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "32 [25, 40]"),
        ({"status": "above_range", "d90": None}, "> 1,000 above range"),
        ({"status": "below_range", "d90": None}, "≤ 8 below range"),
        ({"status": "budget_spent", "d90": None}, "– budget spent"),
    ],
)
def test_an_answer_that_was_not_measured_is_no_number(changes: dict[str, object], words: str) -> None:
    assert verdict_words(to_dict(verdict(**changes))) == words


def test_a_run_is_named_by_what_it_trained() -> None:
    cell = to_dict(small_ledger.spec_of())
    inside = cell | {"d": 16, "step_length": 3.0, "seed": 5}
    assert run_words(inside) == "tiny docstrings-package did one_hot global, d=16, s=3, seed 5"
    full = inside | {"subspace": to_dict(small_ledger.FULL), "learning_rate": 0.001}
    assert run_words(full) == "tiny docstrings-package full, lr=0.001, seed 5"
