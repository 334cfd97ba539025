"""The commands that look are quick: nothing heavy is imported, and plain words need no Hydra; others mean the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from intdim.cli import looking
from intdim.cli.looking import look
from intdim.errors import UserError
from tests import small_ledger

ROOT = Path(__file__).parents[2]
LIGHT = """
import sys
from intdim.cli.main import run
out, first, second, lone, sweep = sys.argv[1:]
for words in (["status"], ["list"], ["list", "runs"], ["show", first], ["show", sweep], ["compare", first, second],
              ["remove", lone, "--yes"]):
    run([*words, "out=" + out, "--json"])
heavy = {"torch", "hydra", "omegaconf", "pandas", "scipy", "matplotlib", "rich", "transformers"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""


def settings(command: str, *arguments: str, bare: str = "ids") -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    assert look(command, arguments, lambda one: found.append(one) or 0, bare) == 0
    (only,) = found
    return only


def by_hydra(monkeypatch: pytest.MonkeyPatch, command: str, *arguments: str, bare: str = "ids") -> dict[str, Any]:
    with monkeypatch.context() as patched:
        patched.setattr(looking, "_plain", lambda rest, defaults: None)
        return settings(command, *arguments, bare=bare)


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    made = small_ledger.sweep(tmp_path)
    lone = small_ledger.single(tmp_path, seed=99)
    line = [sys.executable, "-c", LIGHT, str(tmp_path), *made.observed, lone, made.spec.sweep_id]
    done = subprocess.run(
        line, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "arguments", "bare"),
    [
        ("status", ["--json", "out=a/b-1.c"], "ids"),
        ("list", ["runs", "last=7", "out=x"], "what"),
        ("show", ["0012345678901234", "12e45678", "out=x", "json=true"], "ids"),
        ("remove", ["abc", "--yes", "--force", "--runs"], "ids"),
    ],
)
def test_both_ways_read_the_same(
    monkeypatch: pytest.MonkeyPatch, command: str, arguments: list[str], bare: str
) -> None:
    quick = settings(command, *arguments, bare=bare)
    assert by_hydra(monkeypatch, command, *arguments, bare=bare) == quick
    assert all(isinstance(quick["out"], Path) for _ in quick)


def test_what_needs_reading_is_read_by_hydra() -> None:
    assert settings("status", "out='a b'")["out"] == Path("a b")
    assert settings("list", "last=1e1", bare="what")["last"] == 10
    assert settings("status", "out=~/x")["out"] == Path("~/x").expanduser()
    assert settings("show", "ids=[ab,cd]")["ids"] == ["ab", "cd"]
    assert settings("remove", "x")["ask"] is True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ouput=x"], "unknown key 'ouput'"),
        (["json=perhaps"], "json is true or false"),
        (["out="], "out is empty"),
        (["--nonsense"], "--nonsense"),
        (["+more=1"], "keys cannot be added"),
    ],
)
def test_errors_are_those_of_the_other_commands(arguments: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        look("status", arguments, lambda one: 0)


def test_only_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def __init__(self, line: str) -> None:
            self.line = line

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return self.line

    for line, answer in (("y\n", True), ("Yes\n", True), ("\n", False), ("", False), ("n\n", False)):
        monkeypatch.setattr("sys.stdin", Terminal(line))
        assert looking.confirmed("Remove it?") is answer
    with open(os.devnull, encoding="utf-8") as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert looking.confirmed("Remove it?") is None
