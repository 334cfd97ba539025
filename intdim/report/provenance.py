"""When a verdict was written, and by which command: what ``out``/commands and the dates of files say."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from intdim.ledger.commands import FINISHED, REMOVED, Command, read_all, seconds_of, touched, utc
from intdim.ledger.store import VERDICT
from intdim.report.records import SweepRecord

UNKNOWN = "not known: it was given before commands were recorded, or its record was removed"


@dataclass(frozen=True)
class Provenance:
    """Where a verdict comes from.

    Attributes:
        ended: when it was written, seconds since the epoch; 0.0 where the file is gone.
        command: the command that wrote it, to be pasted into a shell in ``folder``; "" where none is known.
        folder: where that command was given.
        began: when, as ``2026-11-27 01:36 UTC``.
        host: on which machine.
        version: of the package.
        commit: of its checkout; "" without one.
        others: how many other commands worked on the sweep: interrupted ones, or further drivers.
    """

    ended: float
    command: str = ""
    folder: str = ""
    began: str = ""
    host: str = ""
    version: str = ""
    commit: str = ""
    others: int = 0

    @property
    def day(self) -> str:
        """The day on which it was written, in UTC; a dash where that is not known."""
        return utc(self.ended)[:10] if self.ended else "–"


def provenances(out: Path, records: Sequence[SweepRecord]) -> dict[str, Provenance]:
    """Return by sweep id where each verdict comes from."""
    commands, _ = read_all(out)  # a damaged record of a command is said by the commands that look at them
    by_sweep: dict[str, list[Command]] = {}
    for command, _written in commands:
        for sweep_id, progress in command.sweeps.items():
            if progress.state != REMOVED:
                by_sweep.setdefault(sweep_id, []).append(command)
    return {
        one.sweep_id: _provenance(out / "sweeps" / one.sweep_id / VERDICT, by_sweep.get(one.sweep_id, []), one.sweep_id)
        for one in records
    }


def minute(text: str) -> str:
    """Return a time of a record, ``2026-11-27T01:36:07Z``, to the minute."""
    return f"{utc(seconds_of(text))[:16].replace('T', ' ')} UTC"


def _provenance(file: Path, named: Sequence[Command], sweep_id: str) -> Provenance:
    ended = touched(file)
    finished = [one for one in named if one.sweeps[sweep_id].state == FINISHED]
    if not (finished or named):
        return Provenance(ended)
    command = (finished or list(named))[-1]
    origin = command.origin
    return Provenance(
        ended=ended,
        command=shlex.join(origin.words),
        folder=origin.folder,
        began=minute(command.started),
        host=origin.host,
        version=origin.version,
        commit=origin.commit,
        others=len(named) - 1,
    )
