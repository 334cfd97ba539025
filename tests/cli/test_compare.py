"""``intdim compare``: differences with their intervals, what differs in the settings, and why there is no number."""

from __future__ import annotations

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


def test_two_runs_on_the_same_examples_are_paired(tmp_path: Path) -> None:
    first, second = (small_ledger.single(tmp_path, d, seed, score) for d, seed, score in ((16, 1, 0.6), (64, 2, 0.8)))
    text = said("compare", first[:12], second[:12], "out=.")
    assert "score 0.6000 and 0.8000 (accuracy)" in text
    assert "B − A +0.2000 [+0." in text
    assert "paired over the same 200 evaluation examples" in text
    assert "d 16 64" in text
    found = data("compare", first, second, "out=.")
    assert found["difference"]["value"] == pytest.approx(0.2)
    assert 0 < found["difference"]["low"] < 0.2 < found["difference"]["high"]
    assert found["settings"] == {"d": [16, 64], "seed": [1, 2]}


def test_runs_on_other_examples_or_without_a_score_have_no_interval(tmp_path: Path) -> None:
    first, second = small_ledger.single(tmp_path), small_ledger.single(tmp_path, seed=1, score=0.8, examples=100)
    failed = small_ledger.single(tmp_path, seed=2, status="failed", reason="NaN", eval_score=None)
    text = said("compare", first, second, "out=.")
    assert "B − A +0.0500, without an interval" in text
    assert "not paired: the two were scored on different evaluation examples" in text
    found = data("compare", first, failed, "out=.")
    assert (found["difference"], found["scores"]) == (None, [0.75, None])
    assert found["remark"] == f"not paired: run {failed} failed"


def test_answers_that_were_changed_end_it(tmp_path: Path) -> None:
    first, second = (small_ledger.single(tmp_path, seed=seed) for seed in (1, 2))
    (tmp_path / "runs" / second / "eval.safetensors").unlink()
    ended = call("compare", first, second, "out=.")
    assert (ended.status, ended.out) == (1, "")
    assert "eval.safetensors is damaged: it is missing" in ended.err


def test_two_verdicts_by_d90_and_by_their_baselines(tmp_path: Path) -> None:
    first = small_ledger.sweep(tmp_path)
    second = small_ledger.sweep(tmp_path, seed=1, method="said", d90=63.0, d90_low=50.0, d90_high=80.0)
    text = said("compare", first.spec.sweep_id, second.spec.sweep_id, "out=.")
    assert "d90 32 [25, 40] and 63 [50, 80]" in text
    assert "B / A 2.00 [1.4" in text
    assert "baseline 0.9000 and 0.9000 (accuracy)" in text
    assert "subspace.method did said" in text
    found = data("compare", first.spec.sweep_id, second.spec.sweep_id, "out=.")
    assert found["d90"] == [31.5, 63.0]
    assert found["d90_ratio"]["value"] == pytest.approx(2.0)
    assert found["settings"]["seed"] == [0, 1]


def test_a_verdict_that_is_no_number_gives_no_ratio(tmp_path: Path) -> None:
    first = small_ledger.sweep(tmp_path)
    second = small_ledger.sweep(tmp_path, method="said", status="above_range", d90=None, d90_low=None, d90_high=None)
    found = data("compare", first.spec.sweep_id, second.spec.sweep_id, "out=.")
    assert found["d90_ratio"] is None
    assert "above range" in found["d90_remark"]
    assert found["remark"] == "both stand on the same baseline"


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    (tmp_path / "runs" / "aaaa").mkdir()
    small_ledger.write(tmp_path, small_ledger.command("bbbb"))
    out, run, sweep = "out=.", made.observed[0], made.spec.sweep_id
    refused("1 ids are given", "compare", run, out)
    refused("is a run and", "compare", run, sweep, out)
    refused("both are run", "compare", run, run[:12], out)
    refused("run aaaa has not ended", "compare", run, "aaaa", out)
    refused("sweep bbbb has no verdict yet", "compare", "bbbb", sweep, out)
