"""The keys of trackers: what is refused, and that no id knows of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.track import base
from tests import cells
from tests.cli.command import call, composed, refused, request
from tests.cli.conftest import undrawn, world
from tests.track import ledgers
from tests.track.fake_tracker import received
from tests.track.test_view import fake

__all__ = ["fake", "undrawn", "world"]  # fixtures


def test_a_tracker_is_in_no_request() -> None:
    plain = request()
    assert request("track=wandb", "track.project=mine", "track.online=true") == plain


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["track=wand"], "unknown track 'wand'"),
        (["track.project=a/b"], "track.project=a/b"),
        (["track.project=.."], "track.project=.."),
        (["track.online=yes please"], "track.online=yes please"),
        (["track=wandb", "track.online=true", "offline=true"], "offline=true with track.online=true"),
        (["-m", "track=none,tensorboard"], "the cells of this grid differ in track"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], said: str, tmp_path: Path, world: cells.Simulated) -> None:
    refused(["sweep", *words], said, tmp_path)


@pytest.mark.parametrize("command", [["sweep"], ["train", "d=8"], ["report"]])
def test_a_missing_package_is_refused_before_anything_is_written(
    command: list[str], tmp_path: Path, world: cells.Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "installed", list)
    refused([*command, "track=mlflow"], "pip install 'intdim[mlflow]'", tmp_path)
    assert world.made == []


def test_a_folder_of_the_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = base.installed()
    for name in set(base.TRACKERS) - set(before):
        (tmp_path / name).mkdir()
    (tmp_path / "hidden").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert base.installed() == before


def test_a_sweep_a_run_and_a_report_reach_the_tracker(
    tmp_path: Path, world: cells.Simulated, undrawn: None, fake
) -> None:
    fake("good")
    quick = ["train.step_length=3", "search=bisection", "search.seeds=1", "search.max_runs=4"]
    assert call("sweep", *quick, "search.d_max=65536").status == 0
    assert received(tmp_path / "outputs" / "received.jsonl") == [], "no tracker without track="

    ended = call("report", "track=tensorboard")
    assert (ended.status, ended.err) == (0, "")
    kinds = [line[1] for line in received(tmp_path / "outputs" / "received.jsonl") if line[0] == "end"]
    assert (kinds.count("sweep"), kinds.count("run")) == (1, len(world.made))

    assert call("train", "d=123", "track=tensorboard").status == 0
    *_, last, closed = received(tmp_path / "outputs" / "received.jsonl")
    assert (last[0], last[1], last[3]["d"], closed) == ("end", "run", 123, ["close"])


def test_composed_configurations_have_the_tracker_that_was_chosen() -> None:
    (made,) = composed("track=trackio", command="report")
    assert made.track.name == "trackio"
    assert ledgers.request().name in base.TRACKERS
