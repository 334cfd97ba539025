"""Records of commands: read back, refused where damaged, and whether their drivers still run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from intdim.ledger import commands
from intdim.ledger.origin import process_start
from intdim.seals import Damaged, write_sealed
from intdim.spec import to_dict
from tests import small_ledger

ELSEWHERE = {"host": "euler", "process": 17}


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = small_ledger.command("abc", runs=("r1", "r2"), running=("r2",), seconds=3.5, measured=1)
    file = small_ledger.write(tmp_path, made)
    assert commands.read(file) == made
    (found, written), *others = commands.read_all(tmp_path)[0]
    assert (found, others) == (made, [])
    assert abs(written - time.time()) < 60


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 99}, "of version 99, this is 1"),
        ({"beat": "2026-11-27T01:36:07"}, "has no time zone"),
        ({"started": "yesterday"}, "is damaged"),
        ({"runs": "abc"}, "is damaged"),
    ],
)
def test_what_is_no_record_is_named_and_left_out(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    made = small_ledger.command("abc")
    file = small_ledger.write(tmp_path, made)
    write_sealed(file, made.name, to_dict(made) | changes)
    with pytest.raises(Damaged, match=words):
        commands.read(file)
    file.with_name("torn.json").write_text("{")
    found, damaged = commands.read_all(tmp_path)
    assert found == []
    assert [error.file.name for error in damaged] == [file.name, "torn.json"]


def test_times_in_another_zone_are_the_same_times() -> None:
    assert commands.seconds_of("2026-11-27T03:36:07+02:00") == commands.seconds_of("2026-11-27T01:36:07Z")
    assert commands.utc(commands.seconds_of("2026-11-26T20:36:07-05:00")) == "2026-11-27T01:36:07Z"


def test_a_driver_on_this_host_lives_with_its_process() -> None:
    made = small_ledger.command("abc")
    assert commands.life(made, time.time()) == commands.Life("running")
    later = replace(made, origin=replace(made.origin, process_start="1"))
    assert commands.life(later, time.time()).state == "stopped", "its number was given to another process"


def test_a_held_and_a_killed_driver_are_told_apart() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        origin = {"process": child.pid, "process_start": process_start(child.pid)}
        made = small_ledger.command("abc", origin=origin)
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        held = commands.life(made, time.time())
        assert held.state == "running"
        assert f"kill -CONT {child.pid}" in held.words[0]
    finally:
        child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    for _ in ("nobody has asked how it ended", "somebody has"):
        killed = commands.life(made, time.time())
        assert killed.state == "stopped"
        assert f"process {child.pid} is gone" in killed.words[0]
        child.wait()


@pytest.mark.parametrize(
    ("beat", "written", "state", "words"),
    [
        (-5, -5, "running", ""),
        (-1000, -1000, "stopped", "euler has said nothing for 17 min"),
        (3600, -5, "running", "the clock of euler is 60 min ahead"),
        (-7200, -5, "running", "the clock of euler is 2.0 h behind"),
        (7200, -4000, "stopped", "euler has said nothing for 67 min"),
    ],
)
def test_a_driver_on_another_host_lives_by_its_signs(beat: float, written: float, state: str, words: str) -> None:
    now = time.time()
    made = small_ledger.command("abc", origin=ELSEWHERE, beat=commands.utc(now + beat))
    found = commands.life(made, now + written, now)
    assert found.state == state
    assert words in " ".join(found.words)
    assert bool(words) == bool(found.words)


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_what_has_ended_is_believed(state: str) -> None:
    now = time.time()
    long_ago = commands.utc(now - 9000)
    made = small_ledger.command("abc", origin=ELSEWHERE, beat=long_ago, ended=long_ago, state=state)
    assert commands.life(made, now - 9000, now) == commands.Life(state)


def test_the_time_left_follows_from_the_runs_that_ended() -> None:
    made = small_ledger.command("abc", seconds=30.0, measured=3, running=("a", "b"))
    assert made.seconds_left(made.sweeps["abc"]) == (12 - 3) * 10.0 / 2
    assert small_ledger.command("abc").seconds_left(made.sweeps["abc"]) is None


def test_spans_are_in_one_unit() -> None:
    assert [commands.age(one) for one in (5, 600, 7200, 400_000)] == ["5 s", "10 min", "2.0 h", "5 days"]
