"""What ``out`` holds, at a glance: sweeps and runs as lines, read so that ten thousand take less than a second.

A line is read from one file, whose hash, fields and their types are checked. The other files of its folder are not:
whoever shows one run or one verdict, or computes with it, reads it through the ledger, which checks them all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.errors import UserError
from intdim.ledger.commands import (
    FAILED,
    FINISHED,
    REMOVED,
    RUNNING,
    STOPPED,
    Command,
    Life,
    Progress,
    life,
    read_all,
    touched,
)
from intdim.ledger.glance import LISTS, fields_of, folder_names
from intdim.ledger.layout import MARK, Layout
from intdim.ledger.results import RunResult
from intdim.ledger.store import RESULT, SPEC, VERDICT
from intdim.ledger.verdict import Verdict
from intdim.seals import Damaged, shown
from intdim.spec import STATUSES

DONE, BROKEN, UNFINISHED, DAMAGED = "done", "broken", "unfinished", "damaged"


@dataclass(frozen=True)
class Driven:
    """A command and whether it still runs."""

    command: Command
    life: Life


@dataclass(frozen=True)
class SweepLine:
    """A sweep that was begun.

    Attributes:
        sweep_id: its id.
        state: ``finished``, ``running``, ``stopped``, ``failed``, ``damaged``, or ``unfinished`` where no command is
            known.
        verdict: the fields of verdict.json; None before there is one.
        progress: how far the latest command was, None where none is known.
        drivers: the commands that name it: those that run, else the latest one.
        ended: when the verdict was written, seconds since the epoch.
        note: what is wrong with it, else "".
    """

    sweep_id: str
    state: str
    verdict: dict[str, Any] | None
    progress: Progress | None
    drivers: list[Driven]
    ended: float = 0.0
    note: str = ""

    @property
    def run_ids(self) -> list[str]:
        """The runs that the verdict stands on."""
        return [] if self.verdict is None else runs_of(self.verdict)


@dataclass(frozen=True)
class RunLine:
    """A run that was begun: ``state`` is ``done``, ``failed``, ``broken`` (error.txt says why), ``running``,
    ``unfinished`` or ``damaged``; ``result`` the fields of result.json; model and task are None where neither a verdict
    nor its spec says them."""

    run_id: str
    state: str
    result: dict[str, Any] | None = None
    model: str | None = None
    task: str | None = None
    ended: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Overview:
    """All that is known of a results folder but its runs."""

    out: Path
    sweeps: list[SweepLine]
    drivers: list[Driven]
    damaged: list[Damaged] = field(default_factory=list)


class Seen(Layout):
    """A results folder that is only looked at."""

    def check(self) -> None:
        """See that there is a results folder of this version; nothing is written.

        Raises:
            UserError: there is none, or it is of another version.
        """
        if not self.out.is_dir():
            raise UserError(f"out={self.out} is not a folder", "a results folder", "Choose out=, or run a sweep first.")
        kept = [name for name in ("runs", "sweeps") if (self.out / name).is_dir()]
        if self._version() is None and not kept:
            raise UserError(
                f"out={self.out} holds no results: it has neither {MARK} nor runs",
                "a results folder",
                "Choose out=, or run a sweep first.",
            )
        self.check_mark()

    def _mend(self, why: str) -> None:
        """Say that the mark is wrong; whoever writes here writes it anew."""
        self.tell(f"{shown(self.out / MARK)} is damaged: {why}")


def overview(out: Path) -> Overview:
    """Return the sweeps and commands of a results folder.

    Raises:
        UserError: there is no such folder, or it is of another version.
    """
    Seen(out).check()
    found, damaged = read_all(out)
    drivers = [Driven(command, life(command, written)) for command, written in found]
    named: dict[str, list[Driven]] = {}
    for one in drivers:
        for sweep_id, progress in one.command.sweeps.items():
            if progress.state != REMOVED:
                named.setdefault(sweep_id, []).append(one)
    names = dict.fromkeys([*folder_names(out / "sweeps"), *named])
    return Overview(out, [sweep_line(out, name, named.get(name, [])) for name in names], drivers, damaged)


def sweep_line(out: Path, sweep_id: str, named: list[Driven]) -> SweepLine:
    """Return the line of one sweep; ``named`` are the commands that name it, the earliest first."""
    file = out / "sweeps" / sweep_id / VERDICT
    running = [one for one in named if one.life.state == RUNNING and one.command.sweeps[sweep_id].state == RUNNING]
    drivers = running or named[-1:]
    progress = drivers[-1].command.sweeps[sweep_id] if drivers else None
    try:
        verdict = fields_of(Verdict, file)
        if verdict is not None and verdict["sweep_id"] != sweep_id:
            raise Damaged(file, f"it is the verdict of sweep {verdict['sweep_id']:.20}")
        if verdict is not None and verdict["status"] not in STATUSES:
            raise Damaged(file, f"its status is {verdict['status']!r:.30}")
    except Damaged as error:
        return SweepLine(sweep_id, RUNNING if running else DAMAGED, None, progress, drivers, 0.0, error.parts[0])

    if verdict is not None:
        return SweepLine(sweep_id, FINISHED, verdict, progress, drivers, touched(file))
    if running:
        return SweepLine(sweep_id, RUNNING, None, progress, drivers)
    if progress is None:
        return SweepLine(sweep_id, UNFINISHED, None, None, [], note="which command began it is not known")
    if progress.state == FINISHED:
        return SweepLine(sweep_id, UNFINISHED, None, progress, drivers, note="its verdict was removed")
    state = drivers[-1].life.state
    return SweepLine(sweep_id, state if state in (STOPPED, FAILED) else STOPPED, None, progress, drivers)


def run_files(out: Path) -> list[tuple[str, float]]:
    """Return every run that was begun, with the time its result was written, 0.0 where it has none; the unfinished
    ones first, then in the order in which they ended."""
    runs = out / "runs"
    found = [(name, touched(f"{runs}/{name}/result.json")) for name in folder_names(runs)]  # text: a Path costs more
    return sorted(found, key=lambda one: (one[1], one[0]))


def run_lines(seen: Overview, last: int = 0) -> tuple[list[RunLine], int]:
    """Return the lines of the ``last`` runs (0: of all) in the order of ``run_files``, and how many runs there are."""
    every = run_files(seen.out)
    running = {run for one in seen.drivers if one.life.state == RUNNING for run in one.command.running}
    cells = {
        run: (line.verdict["model"], line.verdict["task"])
        for line in seen.sweeps
        if line.verdict is not None
        for run in line.run_ids
    }
    chosen = every[-last:] if last else every
    return [_run_line(seen.out, name, ended, name in running, cells.get(name)) for name, ended in chosen], len(every)


def count_runs(seen: Overview) -> dict[str, int]:
    """Return how many runs have a result, broke, are under way or were left unfinished."""
    running = {run for one in seen.drivers if one.life.state == RUNNING for run in one.command.running}
    counts = {DONE: 0, BROKEN: 0, RUNNING: 0, UNFINISHED: 0}
    for name, ended in run_files(seen.out):
        counts[DONE if ended else _begun_state(seen.out, name, name in running)] += 1
    return counts


def gone_runs(out: Path, run_ids: Iterable[str]) -> list[str]:
    """Return those of some finished runs whose results are no longer there."""
    return [run for run in run_ids if not os.path.lexists(f"{out}/runs/{run}/{RESULT}")]


def runs_of(verdict: dict[str, Any]) -> list[str]:
    """Return the ids of every run that a verdict names, once."""
    return list(dict.fromkeys(run for name in LISTS for run in verdict[name]))


def _run_line(out: Path, run_id: str, ended: float, running: bool, cell: tuple[str, str] | None) -> RunLine:
    file = Path(f"{out}/runs/{run_id}/{RESULT}")
    try:
        result = fields_of(RunResult, file) if ended else None
        if result is not None and result["run_id"] != run_id:
            raise Damaged(file, f"it is the result of run {result['run_id']:.20}")
    except Damaged as error:
        return RunLine(run_id, DAMAGED, ended=ended, note=error.parts[0])

    model, task = cell or _cell_of(file.with_name(SPEC))
    if result is None:
        return RunLine(run_id, _begun_state(out, run_id, running), None, model, task)
    state = FAILED if result["status"] == "failed" else DONE
    return RunLine(run_id, state, result, model, task, ended, result["reason"])


def _begun_state(out: Path, run_id: str, running: bool) -> str:
    if running:
        return RUNNING
    return BROKEN if os.path.exists(out / "runs" / run_id / "error.txt") else UNFINISHED


def _cell_of(file: Path) -> tuple[str | None, str | None]:
    """Return model and task of a run's spec, None where it does not say."""
    try:
        data = json.loads(durable.read_bytes(file).decode())
        names = data["model"]["name"], data["task"]["name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None, None
    return names if all(isinstance(name, str) for name in names) else (None, None)
