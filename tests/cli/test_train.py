"""``intdim train`` over simulated runs."""

from __future__ import annotations

import re

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
