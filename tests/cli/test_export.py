"""What ``intdim export`` writes, and what it and ``intdim bound`` refuse before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import finished_runs
from tests.cli.command import call, refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["levels=1"], "at least 2"),
        (["to=model.bin"], "ends in .safetensors"),
        (["to=/proc/model.safetensors"], "cannot be written"),
    ],
)
def test_what_makes_no_sense_with_a_run(folder: Path, words: list[str], said: str) -> None:
    run = finished_runs.make(folder)
    refused(["export", run.spec.run_id, f"out={run.out}", *words], said, folder)


@pytest.mark.parametrize("command", ["bound", "export"])
def test_runs_that_are_not_there_or_are_damaged(folder: Path, command: str) -> None:
    run = finished_runs.make(folder)
    refused([command, "0123456789abcdef", f"out={run.out}"], "there is no run", folder)
    refused([command, run.spec.run_id, f"out={folder / 'nowhere'}"], "there is no run", folder)
    refused([command, "one", "two", f"out={run.out}"], "several runs are named", folder)
    result = run.folder / "result.json"
    kept = result.read_text()
    try:
        result.write_text(kept.replace('"done"', '"failed"'))
        refused([command, run.spec.run_id, f"out={run.out}"], "failed", folder)
    finally:
        result.write_text(kept)


def test_export_with_and_without_the_flag(folder: Path, tmp_path: Path) -> None:
    run = finished_runs.make(folder)
    for number, word in enumerate(["--full", "full=true", "full=false"]):
        to = tmp_path / f"{number}.safetensors"
        ended = call("export", word, run.spec.run_id, f"out={run.out}", f"to={to}")
        assert ended.status == 0, ended.err
        assert to.with_suffix("").is_dir() == (number < 2)
        assert f"exact  {to.stat().st_size:,} bytes" in ended.out
        assert f"coded  {to.with_suffix('.coded.safetensors').stat().st_size:,} bytes" in ended.out
    assert "no run is named" in call("export", "--full").err
