"""The errors a user can meet, and how a misspelt word finds its neighbour.

An error for a user has three parts: the fact with its value, what is allowed, what to do. It is printed as at
most three lines on stderr, without a traceback, and decides the exit status of the command.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class IntdimError(Exception):
    """Base of everything intdim raises on purpose. ``exit_status`` is what the command ends with."""

    exit_status = 1


class UserError(IntdimError, ValueError):
    """The request makes no sense (exit status 2); nothing has been written.

    Args:
        fact: what is wrong, with its value.
        allowed: what would be right.
        do: what to do now.
    """

    exit_status = 2

    def __init__(self, fact: str, allowed: str = "", do: str = "") -> None:
        self.parts = tuple(" ".join(part.split()) for part in (fact, allowed, do) if part)
        super().__init__("\n".join(self.parts))


class RunFailed(IntdimError):
    """Something broke while it ran (exit status 1); the message says where that is recorded."""


class Interrupted(IntdimError):
    """The user pressed Ctrl-C (exit status 130); the message gives the command that goes on."""

    exit_status = 130


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'? Known: a, b, c`` for a word that is not among the known ones."""
    names = sorted({str(name) for name in known})
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    listed = ", ".join(names)
    return f"did you mean '{close[0]}'? Known: {listed}" if close else f"Known: {listed}"
