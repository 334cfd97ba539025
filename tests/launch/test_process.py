"""A worker process seen from the driver: how it ended, and the logs of drivers that are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from intdim.launch.process import how_it_ended, log_name, remove_old_logs


@pytest.mark.parametrize(
    ("status", "last_lines", "words"),
    [
        (-signal.SIGKILL, "", "killed by SIGKILL (by someone, or by the system when memory runs out)"),
        (-signal.SIGABRT, "frames", "killed by SIGABRT"),
        (7, "first\nno space left", "exit status 7: no space left"),
        (1, "", "exit status 1"),
    ],
)
def test_how_a_process_ended_is_one_line(status: int, last_lines: str, words: str) -> None:
    assert how_it_ended(status, last_lines) == words


def test_logs_of_drivers_that_are_gone_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine = log_name().replace(".log", "-0.log")
    gone = mine.replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    elsewhere = f"elsewhere-{ended.pid}-0.log"
    for name in (mine, gone, elsewhere, "notes.log"):
        (tmp_path / name).write_text("said something")
    remove_old_logs(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {mine, elsewhere, "notes.log"}
    remove_old_logs(tmp_path / "not there yet")
