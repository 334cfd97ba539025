"""``intdim pretrain`` on a corpus of one's own, in a slot."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.launch import InProcess
from intdim.launch.jobs import JOBS
from tests.cli.command import call


def test_pretrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nouns = ["array", "index", "value", "shape", "result", "column", "label", "number"]
    verbs = ["Return", "Close", "Open", "Scale", "Draw", "Read", "Write", "Sort"]
    lines = [
        f"{verb} the {one} of each {two}. The {two} must have a {one}."
        for verb in verbs
        for one in nouns
        for two in nouns
    ]
    Path("corpus.txt").write_text("\n".join(lines))
    model = ("model.vocab_size=100", "model.hidden_size=8", "model.heads=2", "model.layers=1")
    short = ("steps=3", "window=16", "batch_size=4", "checkpoint_every=2", "threads=1")
    ended = call("pretrain", "out=made", "corpus.path=corpus.txt", *model, *short)
    assert ended.status == 0, ended.err
    assert "step 3/3" in ended.out
    assert "of the places padding" in ended.out
    assert (tmp_path / "made" / "final" / "model.safetensors").exists()
    assert (tmp_path / "made" / "loss.csv").read_text().startswith("step,masked_loss,next_loss,")
    assert (tmp_path / "made" / "loss.png").stat().st_size > 5000
    monkeypatch.setattr("intdim.launch.pool.LocalSlots", lambda *arguments, **named: InProcess(JOBS))
    again = call("pretrain", "out=made", "corpus.path=corpus.txt", *model, *short)
    assert again.out == ended.out.partition("\n")[2], "a finished one is not made again"
    other = call("pretrain", "out=other", "corpus.path=corpus.txt", "model.config=roberta", *model, *short)
    assert other.status == 0, other.err
    assert "next" not in other.out
    assert "tokens,padding" in (tmp_path / "other" / "loss.csv").read_text()
