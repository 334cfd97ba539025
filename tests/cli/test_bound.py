"""What ``intdim bound`` refuses before anything is made or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import finished_runs
from tests.cli.command import refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["delta=0"], "delta=0"),
        (["delta=1"], "above 0 and below 1"),
        (["delta=-0.5"], "delta=-0.5"),
        (["delta=nan"], "delta=nan"),
        (["levels=[1,2]"], "must be integers of at least 2"),
        (["levels=[5000]"], "at most 4096"),
        (["codebook=[lloyd]"], "a list of uniform, kmeans"),
        (["task=docstrings-pair"], "task=docstrings-pair together with a run"),
        (["model.revision=main", "dimensions=[8]"], "model.revision=main, dimensions=[8] together with a run"),
    ],
)
def test_what_makes_no_sense_with_a_run(folder: Path, words: list[str], said: str) -> None:
    run = finished_runs.make(folder)
    refused(["bound", run.spec.run_id, f"out={run.out}", *words], said, folder)
