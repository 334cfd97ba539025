"""Programs of others end in time, with everything they started, and say in one line what was wrong."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from intdim.kernels import patient


def call(body: str, seconds: float = 20.0) -> None:
    patient.call(["sh", "-c", body], time.monotonic() + seconds)


def test_a_program_that_works_is_not_heard() -> None:
    call("echo fine; echo also fine >&2")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("exit 3", "sh failed with status 3$"),
        ("echo first; echo last; exit 1", "sh failed with status 1: last$"),
        ("kill -SEGV $$", "sh was ended by SIGSEGV$"),
        ("yes", "sh prints without end$"),
    ],
)
def test_a_program_that_does_not(body: str, words: str) -> None:
    with pytest.raises(OSError, match=words):
        call(body)


@pytest.mark.parametrize("body", ["sleep 1000", "exec sleep 1000 >/dev/null 2>&1"])
def test_one_that_hangs_is_ended(body: str) -> None:
    begun = time.monotonic()
    with pytest.raises(OSError, match="did not end in time"):
        call(body, 0.3)
    assert time.monotonic() - begun < 10


def test_one_that_is_not_there() -> None:
    with pytest.raises(OSError, match="no-such-program"):
        patient.call(["/no-such-program"], time.monotonic() + 1)


def test_it_hears_nothing_and_sees_the_environment_it_is_given() -> None:
    code = "import os, sys; assert sys.stdin.read() == ''; assert os.environ['ONE'] == 'two'"
    patient.call([sys.executable, "-S", "-c", code], time.monotonic() + 20, {"ONE": "two"})


def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with pytest.raises(OSError, match="did not end in time"):
        patient.call(["sh", "-c", f"sleep 1000 & echo $! >{file}; wait"], time.monotonic() + 1)
    time.sleep(0.3)
    process = Path("/proc") / file.read_text().strip() / "stat"
    assert not process.exists() or process.read_text().split()[2] == "Z"
