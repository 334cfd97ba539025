"""The door that all trackers stand behind, and what goes through it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from intdim.errors import UserError
from intdim.request import TRACKERS, TrackRequest

RUN, SWEEP = "run", "sweep"
Scalar = str | int | float | bool


@dataclass(frozen=True)
class Entry:
    """A run or a sweep, as a tracker shows it.

    Attributes:
        kind: ``run`` or ``sweep``.
        name: its id in the ledger.
        group: model and task.
        settings: what was asked, from ``spec.json``, with dotted names.
    """

    kind: str
    name: str
    group: str
    settings: Mapping[str, Scalar]


@dataclass(frozen=True)
class Outcome:
    """How a run or a sweep ended.

    Attributes:
        numbers: fields of ``result.json`` or ``verdict.json`` that are finite numbers, in the units of these files.
        words: fields that are texts.
        failed: it ended without a score.
    """

    numbers: Mapping[str, float]
    words: Mapping[str, str]
    failed: bool


class Tracker(Protocol):
    """Receives entries; several may be open at once. Whatever it raises ends the tracking and nothing else."""

    def begin(self, entry: Entry) -> None:
        """Open an entry. What an earlier command, killed in the middle, sent of the same one is replaced."""
        ...

    def log(self, entry: Entry, step: int, values: Mapping[str, float]) -> None:
        """Add a line of a run's curve: finite numbers at an optimiser step."""
        ...

    def end(self, entry: Entry, outcome: Outcome) -> None:
        """Close an entry with its results."""
        ...

    def close(self) -> None:
        """Write what is buffered; entries that are still open are left unfinished."""
        ...


def check_installed(request: TrackRequest) -> None:
    """See that the package of a tracker is there, without importing it; ``none`` needs none.

    Raises:
        UserError: it is not installed.
    """
    if request.name != "none" and request.name not in installed():
        raise UserError(
            f"track={request.name}, and the package {request.name} is not installed",
            f"track=none, or one that is installed: {', '.join(installed()) or 'there is none'}",
            f"pip install 'intdim[{request.name}]'",
        )


def installed() -> list[str]:
    """Return the trackers whose packages are there."""
    found = {name: importlib.util.find_spec(name) for name in TRACKERS}
    # a folder of the name, in which a tracker keeps its files, is no package: it has no origin
    return [name for name, spec in found.items() if spec is not None and spec.origin is not None]


def open_tracker(request: TrackRequest, folder: Path) -> Tracker:
    """Import the package of a tracker and open it.

    Args:
        request: which one, its project, and whether it may use the network.
        folder: where it keeps what it writes on this machine; it exists.
    """
    module = importlib.import_module(f"intdim.track.{request.name}")
    return module.open_tracker(folder, request.project, request.online)
