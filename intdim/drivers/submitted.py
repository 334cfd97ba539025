"""A job under way, and an error that says which job it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from intdim.errors import IntdimError, RunFailed, UserError
from intdim.launch.base import Report
from intdim.launch.jobs import Asked


@dataclass
class Submitted:
    """A job under way.

    Attributes:
        asked: what was asked.
        label: what it is called in messages.
        started: called when a slot has begun it.
        progress: called with what it reports.
        done: called with its answer.
        failed: called with the error that it ended with.
        lost: how often its worker died.
    """

    asked: Asked
    label: str
    started: Callable[[], None]
    progress: Report
    done: Report
    failed: Callable[[IntdimError], None]
    lost: int = 0


def named(error: IntdimError, name: str) -> IntdimError:
    """Return an error that says what it comes from."""
    if name in str(error):
        return error
    if isinstance(error, UserError):
        return UserError(f"{name}: {error.parts[0]}", *error.parts[1:])
    return RunFailed(f"{name} failed: {error}")
