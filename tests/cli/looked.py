"""Answers of the commands that look, checked in ways that all of them share."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.command import call


def lines(*arguments: str) -> list[str]:
    """Return what a command prints, which fits into 80 columns but for commands that are to be pasted."""
    ended = call(*arguments)
    assert ended.status == 0, ended.err
    printed = ended.out.splitlines()
    assert not [line for line in printed if len(line) > 80 and " intdim " not in f" {line} "]
    return printed


def data(*arguments: str) -> Any:
    """Return the JSON that a command prints, and nothing beside it."""
    ended = call(*arguments, "--json")
    assert ended.status == 0, ended.err
    assert ended.err == ""
    return json.loads(ended.out)


def refused(words: str, *arguments: str) -> None:
    """Check that a command is refused in at most three lines that hold these words."""
    ended = call(*arguments)
    assert (ended.status, ended.out) == (2, ""), ended.err
    assert words in ended.err
    assert len(ended.err.splitlines()) <= 3
