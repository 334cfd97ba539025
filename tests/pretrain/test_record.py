"""What out holds: another pre-training or something else is refused and left alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from intdim.errors import UserError
from intdim.pretrain.loop import run
from intdim.pretrain.record import keep_metrics, make_record, resumes, write_record
from intdim.request import Start
from tests.pretrain.small import SMALL, small_corpus


def test_another_run_in_out_is_refused_and_left_alone(tmp_path: Path) -> None:
    run(small_corpus(), tmp_path, SMALL)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for corpus, config in ((small_corpus(), replace(SMALL, seed=1)), (small_corpus(232), SMALL)):
        with pytest.raises(UserError, match="another pre-training"):
            run(corpus, tmp_path, config)
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}


def test_an_out_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        run(small_corpus(), tmp_path / "file", SMALL)


def test_an_out_with_files_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "mine").write_text("dear to me")
    with pytest.raises(UserError, match="holds final, but no pre-training"):
        run(small_corpus(), tmp_path, SMALL)
    assert (tmp_path / "final" / "mine").read_text() == "dear to me"


def test_how_it_runs_may_change_and_what_it_is_may_not(tmp_path: Path) -> None:
    record = make_record(small_corpus(), SMALL, None)
    assert not resumes(tmp_path, record)
    write_record(tmp_path, record)
    assert resumes(tmp_path, make_record(small_corpus(), replace(SMALL, threads=7, device="cuda"), None))
    for other in (replace(SMALL, seed=1), replace(SMALL, warmup=0.1)):
        with pytest.raises(UserError, match=r"another pre-training \((seed|warmup) differ\)"):
            resumes(tmp_path, make_record(small_corpus(), other, None))
    with pytest.raises(UserError, match=r"another pre-training \(start differ\)"):
        resumes(tmp_path, make_record(small_corpus(), SMALL, Start(kind="roberta")))
    (tmp_path / "pretrain.json").write_text("{")
    with pytest.raises(UserError, match="another pre-training"):
        resumes(tmp_path, record)


def test_metrics_of_steps_that_are_taken_again_are_dropped(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(json.dumps({"step": step}) + "\n" for step in (1, 2, 3)) + '{"st')
    keep_metrics(file, 2)
    assert [json.loads(line)["step"] for line in file.read_text().splitlines()] == [1, 2]
