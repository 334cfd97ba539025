"""The group ``trajectory=``: what makes no sense is refused before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.cli.trajectory import recipe, trajectory_request
from tests.cli.command import call, composed


def test_without_a_trajectory_nothing_changes() -> None:
    (cfg,) = composed()
    assert trajectory_request(cfg) is None


def test_the_recipe_is_that_of_pretrain() -> None:
    job = recipe()
    assert (job.config.warmup, job.config.mask_fraction, job.config.embedding_scale) == (0.05, 0.15, 2.0)
    assert (job.corpus.name, job.start) == ("docstrings", None)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trajectory.along=x", "one of trajectory.sizes: s, m, l"),
        ("trajectory.heads=[2]", "1 trajectory.heads for 3 sizes"),
        ("trajectory.heads=[2,4,5]", "hidden_size=128, heads=5"),
        ("trajectory.checkpoints=[5,3]", "increasing integers below"),
        ("trajectory.checkpoints=[9000]", "increasing integers below"),
        ("trajectory.checkpoints=[2.5]", "must be integers"),
        ("trajectory.layers=[1,two,3]", "must be integers"),
        ("trajectory.layers=[1,0,3]", "must be integers"),
        ("trajectory.hidden_size=[1,inf,3]", "must be integers"),
        ("trajectory.sizes=[a,a,b]", "different words"),
        ("trajectory.sizes=[]", "different words"),
        ("trajectory.stepz=3", "did you mean trajectory.steps"),
        ("trajectory.steps=0", "at least 1"),
    ],
)
def test_a_trajectory_that_makes_no_sense_is_refused(tmp_path: Path, override: str, words: str) -> None:
    ended = call("sweep", "experiment=mini", override, f"out={tmp_path / 'out'}")
    assert ended.status == 2
    assert words in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert not (tmp_path / "out").exists()


def test_a_plan_needs_the_models(tmp_path: Path) -> None:
    ended = call("plan", "experiment=mini", f"out={tmp_path / 'out'}")
    assert ended.status == 2
    assert "are not pre-trained" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_command_without_trajectories_says_so() -> None:
    ended = call("train", "experiment=mini")
    assert ended.status == 2
    assert "trajectory" in ended.err
