"""The errors a user can meet, how values stand in messages, and how a misspelt word finds its neighbour.

An error for a user has three parts: the fact with its value, what is allowed, what to do. It is printed as at
most three lines on stderr, without a traceback, and decides the exit status of the command. Whatever a value holds, a
line stays one line of bearable length, and nothing in it steers a terminal.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable

LONGEST_VALUE = 80  # characters of a value in a message
LONGEST_LINE = 400  # characters of a line of a message
LONGEST_LIST = 240  # characters of the names that would have been right


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
        self.parts = tuple(echo(" ".join(part.split()), LONGEST_LINE) for part in (fact, allowed, do) if part)
        super().__init__("\n".join(self.parts))


class RunFailed(IntdimError):
    """Something broke while it ran (exit status 1); the message says where that is recorded."""


class Interrupted(IntdimError):
    """The user pressed Ctrl-C (exit status 130); the message gives the command that goes on."""

    exit_status = 130


def echo(value: object, longest: int = LONGEST_VALUE) -> str:
    """Return a value as messages show it: on one line, what cannot be seen escaped (``\\x1b``), and without its middle
    where it is longer than ``longest`` characters."""
    try:
        text = str(value)
    except ValueError:  # Python prints no integer of more than 4,300 digits
        text = "an integer of thousands of digits"
    except RecursionError:
        text = "a value nested too deeply"

    text = visible(_without_middle(text, longest))
    return _without_middle(text, longest)


def first_line(error: BaseException, longest: int = 120) -> str:
    """Return the first line of what a library's error says, at most so many characters."""
    return str(error).strip().split("\n")[0][:longest]


def command(*words: str) -> str:
    """Return ``intdim`` and the words behind it as they can be pasted into a shell, whatever is in them."""
    return shlex.join(["intdim", *words])


def visible(text: str) -> str:
    """Return a text with control characters, line ends and other characters that cannot be seen escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def _without_middle(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    end = (longest - 5) // 3
    return f"{text[: longest - 5 - end]} ... {text[-end:]}"


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'? Known: a, b, c`` for a word that is not among the known ones."""
    names = sorted({str(name) for name in known})
    close = difflib.get_close_matches(word[:LONGEST_VALUE], names, n=1, cutoff=0.5)
    listed = _listed(names)
    return f"did you mean '{close[0]}'? Known: {listed}" if close else f"Known: {listed}"


def _listed(names: list[str]) -> str:
    """Return names joined by commas, as many as a line bears."""
    most, length = 0, 0
    while most < len(names) and length + len(names[most]) <= LONGEST_LIST:
        length += len(names[most]) + 2
        most += 1
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" if left else "")
