"""Pre-training as a job in a slot: the device is found, progress is reported, an interrupt keeps the state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from intdim.cli.trajectory import recipe
from intdim.drivers.pretrain import pretrain, pretrain_all
from intdim.drivers.session import Session
from intdim.errors import Interrupted
from intdim.launch.jobs import PretrainJob, PretrainProgress
from tests import cells
from tests.drivers.played import Played


def job(out: Path, **changes: Any) -> PretrainJob:
    made = recipe()
    return replace(
        made, out=str(out), config=replace(made.config, device="auto", steps=4, checkpoint_every=2, **changes)
    )


def test_one_pretraining_on_the_device_that_is_found(tmp_path: Path) -> None:
    played, reported = Played(), []
    runtime = cells.runtime(tmp_path / "out", device="auto")
    summary = pretrain(job(tmp_path / "out"), runtime, reported.append, launcher=played.launcher())
    assert summary.steps == 4
    assert [made.config.device for made in played.jobs] == ["cpu"]
    assert reported == [PretrainProgress(2, 4, 2.5, 0.5, 1.0), PretrainProgress(4, 4, 2.5, 0.5, 1.0)]


def test_several_are_answered_in_order(tmp_path: Path) -> None:
    played, done = Played(), []
    outs = [tmp_path / name for name in ("a", "b")]
    with Session(cells.runtime(tmp_path), launcher=played.launcher()) as session:
        jobs = [job(out) for out in outs]
        summaries = pretrain_all(session, jobs, done=lambda number, summary: done.append((number, summary.folder)))
    assert [summary.folder for summary in summaries] == [str(out / "final") for out in outs]
    assert done == [(0, summaries[0].folder), (1, summaries[1].folder)]


def test_an_interrupt_says_that_the_state_is_kept(tmp_path: Path) -> None:
    played = Played()
    played.error = KeyboardInterrupt()
    with pytest.raises(Interrupted, match="the last state is kept"):
        pretrain(job(tmp_path), cells.runtime(tmp_path), launcher=played.launcher())
