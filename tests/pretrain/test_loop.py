"""The loop of pre-training: exact resumption, what it learns, how it fails, what it refuses."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from intdim.errors import RunFailed, UserError
from intdim.launch.jobs import PretrainProgress
from intdim.ledger.store import Ledger
from intdim.pretrain import loop
from intdim.pretrain.loop import run
from tests.pretrain.small import SMALL, interrupted, lines, small_corpus


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_EVERY", 3)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    facts = run(small_corpus(), whole, SMALL)
    for at in (
        3,
        7,
        3,
    ):  # after 3 steps, when no state is kept yet; after 7; then after 3 more on top of the state at 5
        with pytest.raises(KeyboardInterrupt), interrupted(at):
            run(small_corpus(), broken, SMALL)
    assert (broken / "step-5").exists()
    assert run(small_corpus(), broken, SMALL) == replace(facts, folder=str(broken / "final"))
    for folder in ("step-5", "step-10", "final"):
        assert (whole / folder / "model.safetensors").read_bytes() == (
            broken / folder / "model.safetensors"
        ).read_bytes()
    assert lines(whole) == lines(broken)
    assert [line["step"] for line in lines(whole)] == [3, 6, 9, 12]


def killed_at_write(number: int, out: Path) -> bool:
    """Pre-train in a child that dies by SIGKILL just before its n-th rename or fsync; False where it ended before."""
    child = os.fork()
    if child == 0:
        calls = 0

        def dying(real: Callable[..., None]) -> Callable[..., None]:
            def call(*arguments: object) -> None:
                nonlocal calls
                calls += 1
                if calls == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                real(*arguments)

            return call

        os.replace, os.fsync = dying(os.replace), dying(os.fsync)
        run(small_corpus(), out, replace(SMALL, steps=6, checkpoint_every=2))
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def test_killed_at_any_write_it_resumes_to_the_same_bits(tmp_path: Path) -> None:
    short = replace(SMALL, steps=6, checkpoint_every=2)
    run(small_corpus(), tmp_path / "whole", short)
    kills = 0
    for number in (1, 3, 4, 5, 6, 8, 9, 11, 14):
        kills += killed_at_write(number, tmp_path / "broken")
    assert kills >= 6
    run(small_corpus(), tmp_path / "broken", short)
    for name in ("step-2", "step-4", "final"):
        for file in (tmp_path / "whole" / name).iterdir():
            assert file.read_bytes() == (tmp_path / "broken" / name / file.name).read_bytes(), (name, file.name)
    assert lines(tmp_path / "whole") == lines(tmp_path / "broken")
    assert not list((tmp_path / "broken").glob(".*.tmp")), "what a killed writer left is cleared"


def test_a_finished_run_takes_no_step_again(tmp_path: Path) -> None:
    first = run(small_corpus(), tmp_path, SMALL)
    with interrupted(0):
        assert run(small_corpus(), tmp_path, SMALL) == first


def test_it_learns(tmp_path: Path) -> None:
    seen: list[PretrainProgress] = []
    run(small_corpus(), tmp_path, replace(SMALL, steps=200), report=seen.append)
    assert seen[-1].step == 200
    assert seen[-1].masked_loss < 0.85 * seen[0].masked_loss
    assert all(line.masked_loss > 0 for line in seen)
    assert all(line.next_loss is not None and 0 < line.next_loss < 1 for line in seen)


def test_bf16_gives_finite_losses(tmp_path: Path) -> None:
    seen: list[PretrainProgress] = []
    config = replace(SMALL, precision="bf16", steps=3)
    run(small_corpus(), tmp_path, config, report=seen.append)
    assert 0 < seen[-1].masked_loss < 10


def test_a_diverging_run_fails_and_says_what_to_do(tmp_path: Path) -> None:
    config = replace(SMALL, learning_rate=1e30)
    with pytest.raises(RunFailed, match="lower learning_rate"):
        run(small_corpus(), tmp_path, config)
    assert not (tmp_path / "final").exists()


def test_a_vocabulary_is_as_large_as_the_corpus_gives(tmp_path: Path) -> None:
    summary = run(small_corpus(), tmp_path / "out", replace(SMALL, vocab_size=5000, steps=1))
    assert 100 < summary.vocabulary < 5000
    assert len(AutoTokenizer.from_pretrained(tmp_path / "out" / "final")) == summary.vocabulary


def test_two_processes_do_not_write_into_one_out(tmp_path: Path) -> None:
    with Ledger(tmp_path).claim(tmp_path), pytest.raises(RunFailed, match="another process"):
        run(small_corpus(), tmp_path, SMALL)


def test_a_corpus_below_one_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least one batch of 8"):
        run(small_corpus(5), tmp_path, SMALL)
