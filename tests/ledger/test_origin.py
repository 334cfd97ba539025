"""Where numbers come from: the command, the process and the commit of this program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from intdim.ledger import origin


def test_the_command_is_the_one_that_was_typed() -> None:
    with origin.typed(["intdim", "sweep", "seed=1"]):
        assert origin.this_process().words == ("intdim", "sweep", "seed=1")
    found = origin.this_process()
    assert found.words[0] == "python"
    assert (found.process, found.folder) == (os.getpid(), os.getcwd())
    assert origin.alive(found.process, found.process_start)


def test_the_commit_is_that_of_the_checkout_and_says_what_was_changed(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        named = ("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false")
        line = ["git", "-C", str(tmp_path), *named, *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()

    file = tmp_path / "__init__.py"
    file.write_text("")
    assert origin.commit(tmp_path) == "", "no repository"
    git("init", "-q")
    assert origin.commit(tmp_path) == "", "a repository around it that does not know it"
    git("add", ".")
    git("commit", "-qm", "one")
    assert origin.commit(tmp_path) == git("rev-parse", "HEAD")
    file.write_text("changed")
    assert origin.commit(tmp_path) == git("rev-parse", "HEAD") + ", changed"


def test_a_process_that_is_not_there_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert not origin.alive(child.pid, "")
    assert origin.process_start(child.pid) == ""
    assert not origin.alive(1 << 70, "")
