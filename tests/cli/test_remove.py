"""``intdim remove``: asks, refuses what something stands on or somebody is at, and removes what it was told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import small_ledger
from tests.cli.command import call
from tests.cli.command import refused as refused_in
from tests.cli.looked import data, lines


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def runs(out: Path) -> set[str]:
    return {path.name for path in (out / "runs").iterdir()}


def test_it_asks_and_takes_no_for_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = small_ledger.single(tmp_path)
    questions: list[str] = []

    def answer(question: str, said: bool | None) -> bool | None:
        questions.append(question)
        return said

    monkeypatch.setattr("intdim.cli.remove.confirmed", lambda question: answer(question, False))
    assert lines("remove", run, f"out={tmp_path}")[-1] == "nothing was removed"
    assert runs(tmp_path) == {run}
    monkeypatch.setattr("intdim.cli.remove.confirmed", lambda question: answer(question, True))
    assert lines("remove", run[:12], f"out={tmp_path}")[-1].startswith("removed: 1 run, ")
    assert runs(tmp_path) == set()
    assert questions[0].startswith("Remove 1 run, ")


def test_nobody_to_ask_is_no_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = small_ledger.single(tmp_path)
    monkeypatch.setattr("sys.stdin", None)
    ended = call("remove", run, f"out={tmp_path}")
    assert ended.status == 2
    assert "nobody is there to be asked" in ended.err
    refused_in(["remove", run, f"out={tmp_path}", "--json"], "--json does not ask", tmp_path)
    assert runs(tmp_path) == {run}


def test_what_a_verdict_stands_on_needs_to_be_told(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    run, sweep = made.observed[0], made.spec.sweep_id
    refused_in(["remove", run, f"out={tmp_path}", "--yes"], f"run {run} is what sweep {sweep} rests on", tmp_path)
    lines("remove", run, f"out={tmp_path}", "--yes", "--force")
    assert run not in runs(tmp_path)
    assert data("show", sweep, f"out={tmp_path}")["removed"] == [run]


def test_a_sweep_with_its_runs(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    lone = small_ledger.single(tmp_path, seed=99)
    (first, *others) = data("remove", made.spec.sweep_id, f"out={tmp_path}", "--yes", "--runs")
    assert (first["kind"], first["id"]) == ("sweep", made.spec.sweep_id)
    assert [one["id"] for one in others] == made.runs
    assert runs(tmp_path) == {lone}
    assert data("list", f"out={tmp_path}") == []


def test_what_is_under_way_is_refused_even_by_force(tmp_path: Path) -> None:
    run = small_ledger.single(tmp_path)
    small_ledger.write(tmp_path, small_ledger.command("aaaa", running=(run,)))
    for word in (run, "aaaa"):
        refused_in(["remove", word, f"out={tmp_path}", "--yes", "--force"], "is under way: process ", tmp_path)


def test_no_id_and_an_unknown_one_are_refused(tmp_path: Path) -> None:
    small_ledger.single(tmp_path)
    refused_in(["remove", f"out={tmp_path}", "--yes"], "no id is given", tmp_path)
    refused_in(["remove", "zz", f"out={tmp_path}", "--yes"], "is no run and no sweep", tmp_path)
