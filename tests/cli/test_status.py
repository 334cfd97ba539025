"""``intdim status``: who drives which sweep, what is left, and what was never heard of again."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from intdim.ledger import commands
from tests import small_ledger
from tests.cli.looked import data, lines, refused


@pytest.fixture(autouse=True)
def narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def test_a_running_sweep_names_its_driver_its_runs_and_the_time_left(tmp_path: Path) -> None:
    made = small_ledger.command("a1b2c3d4e5f60718", seconds=50.0, measured=5, running=("r",))
    small_ledger.write(tmp_path, made)
    text = "\n".join(lines("status", "out=."))
    assert "1 running" in text
    assert "a1b2c3d4  tiny docstrings-package did one_hot global\n" in text
    assert "running, search: 3 of about 12 runs, 9 left, about 2 min" in text
    assert f"by {platform.node()}, process {made.origin.process}, since" in text
    (sweep,) = data("status", "out=.")["sweeps"]
    assert (sweep["state"], sweep["progress"]["done"], sweep["progress"]["expected"]) == ("running", 3, 12)
    (driver,) = sweep["drivers"]
    assert (driver["process"], driver["seconds_left"]) == (made.origin.process, 90.0)


def test_a_stopped_and_a_failed_sweep_give_the_command_that_goes_on(tmp_path: Path) -> None:
    typed = {"words": ("intdim", "sweep", "out=a b"), "folder": "/somewhere"}
    killed = small_ledger.command("aaaa", origin=typed | {"process": 1, "process_start": "1"})
    small_ledger.write(tmp_path, killed)
    failed = {"state": "failed", "ended": commands.utc(0), "origin": typed | {"process": 2}}
    message = {"state": "failed", "message": "run 17 failed: out of memory"}
    small_ledger.write(tmp_path, small_ledger.command("bbbb", progress=message, **failed))
    text = "\n".join(lines("status", "out=."))
    assert "1 stopped, 1 failed" in text
    assert "its process 1 is gone: it was killed" in text
    assert "run 17 failed: out of memory" in text
    assert text.count("\n  resume: cd /somewhere && intdim sweep 'out=a b'") == 2


def test_hosts_that_are_gone_and_clocks_that_differ_are_said(tmp_path: Path) -> None:
    now = commands.seconds_of(small_ledger.command().beat)
    gone = small_ledger.write(
        tmp_path, small_ledger.command("aaaa", beat=commands.utc(now - 7000), origin={"host": "euler"})
    )
    os.utime(gone, (now - 7000, now - 7000))
    small_ledger.write(
        tmp_path, small_ledger.command("bbbb", beat=commands.utc(now + 3600), origin={"host": "noether"})
    )
    text = " ".join(" ".join(lines("status", "out=.")).split())
    assert "1 running, 1 stopped" in text
    assert "euler has said nothing for 1.9 h" in text
    assert "the clock of noether is 60 min ahead of the one here" in text


def test_two_drivers_at_once_are_both_shown(tmp_path: Path) -> None:
    for number in (1, 2):
        small_ledger.write(tmp_path, small_ledger.command("aaaa", origin={"host": f"node{number}"}))
    text = "\n".join(lines("status", "out=."))
    assert "2 drivers are at it at once" in text
    assert "by node1, process" in text
    assert "by node2, process" in text


def test_finished_sweeps_damaged_records_and_single_runs(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    small_ledger.write(tmp_path, small_ledger.command(running=("abc",)))
    (tmp_path / "commands" / "torn.json").write_text("{")
    text = "\n".join(lines("status", "out=."))
    assert f"{made.spec.sweep_id[:8]}  " in text
    assert "32 [25, 40]" in text
    assert "single runs: 1 under way" in text
    assert "torn.json is damaged" in "".join(text.split("\n"))
    assert "runs: 5 done" in text
    found = data("status", "out=.")
    assert len(found["damaged"]) == len(found["single_runs"]) == 1
    assert found["sweeps"][0]["verdict"]["d90"] == 31.5


def test_a_folder_without_results_or_of_another_version_is_refused(tmp_path: Path) -> None:
    refused("is not a folder", "status", "out=none")
    refused("holds no results", "status", "out=.")
    (tmp_path / "intdim.json").write_text('{"layout_version": 99}')
    refused("layout 99", "status", "out=.")
    refused("neither a flag nor key=value", "status", "something")
