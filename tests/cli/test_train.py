"""``intdim train`` over simulated runs."""

from __future__ import annotations

import re
import shlex

from tests import cells
from tests.cli.command import SHORT, call


def test_train(world: cells.Simulated) -> None:
    ended = call("train", "d=1e3", *SHORT)
    assert ended.status == 0, ended.err
    assert re.search(r"^done: d=1000 of D=1000000, train score 0\.\d{4}, .*\(accuracy\)$", ended.out, re.MULTILINE)
    assert (world.made[0].d, world.made[0].step_length) == (1000, 3.0), "the middle of the list"
    assert call("train", "subspace=full", *SHORT).status == 0
    assert world.made[1].subspace.method == "full"
    assert "m=4 scales" in call("train", "subspace=said", "d=4", *SHORT).err


def test_without_d_the_example_keeps_the_words_that_were_typed() -> None:
    ended = call("train", "out=a b", *SHORT)
    assert ended.status == 2
    (example,) = re.findall(r"For example: (.*)", ended.err)
    assert shlex.split(example) == ["intdim", "train", "out=a b", *SHORT, "d=1000"]


def test_full_fine_tuning_takes_no_d() -> None:
    ended = call("train", "subspace=full", "d=5", *SHORT)
    assert (ended.status, len(ended.err.splitlines())) == (2, 3)
    assert "subspace=full d=5" in ended.err
    assert f"intdim train {shlex.join(SHORT)} subspace=full, or intdim train {shlex.join(SHORT)} d=5" in ended.err
