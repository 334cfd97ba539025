"""Runs and sweeps taken out of ``out``: what stands in the way, and the deletion itself.

A folder is first renamed to a hidden name, so that a killed removal leaves no half of a run behind; what is left of one
is deleted by the next.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from intdim.ledger import commands
from intdim.ledger.certificate import CERTIFICATE_FILE, Certificate
from intdim.ledger.commands import REMOVED, RUNNING
from intdim.ledger.glance import fields_of, folder_names
from intdim.ledger.named import RUN, SWEEP, Named, standing_on
from intdim.ledger.overview import Overview
from intdim.ledger.store import Ledger
from intdim.seals import Damaged

HIDDEN = ".removed-"


@dataclass(frozen=True)
class Removal:
    """One thing to be removed.

    Attributes:
        kind: ``run`` or ``sweep``.
        id: its id.
        folder: that goes; it may be gone already.
        size: bytes in it.
        stands: what stands on it, in words; () where nothing does.
        busy: who makes it, or needs it for what is being made; "" where nobody does.
    """

    kind: str
    id: str
    folder: Path
    size: int
    stands: tuple[str, ...]
    busy: str


def plan(seen: Overview, named: Sequence[Named], with_runs: bool) -> list[Removal]:
    """Return what would be removed, each thing once, the sweeps first.

    Args:
        seen: the results folder.
        named: runs and sweeps.
        with_runs: of each sweep also the runs on which nothing else stands.
    """
    sweeps = {one.id: one.line for one in named if one.kind == SWEEP}
    verdicts = {run: [one for one in ids if one not in sweeps] for run, ids in standing_on(seen).items()}
    certified = certificates(seen.out)
    chosen = dict.fromkeys(one.id for one in named if one.kind == RUN)
    if with_runs:
        for line in sweeps.values():
            assert line is not None
            for run in [*line.run_ids, *_runs_of_commands(seen, line.sweep_id, sweeps)]:
                if (seen.out / "runs" / run).is_dir() and not (verdicts.get(run) or certified.get(run)):
                    chosen.setdefault(run)

    made = []
    for sweep_id, line in sweeps.items():
        assert line is not None
        folder = seen.out / "sweeps" / sweep_id
        busy = next((_who(one.command) for one in line.drivers if one.life.state == RUNNING), "")
        made.append(Removal(SWEEP, sweep_id, folder, size(folder), (), busy if line.state == RUNNING else ""))
    live = [one.command for one in seen.drivers if one.life.state == RUNNING]
    needed = {run: _who(command) for command in live for run in (*command.runs, *command.found, *command.running)}
    for run in chosen:
        stands = [f"sweep {one}" for one in verdicts.get(run, [])]
        stands += [f"certificate {one}" for one in certified.get(run, [])]
        folder = seen.out / "runs" / run
        made.append(Removal(RUN, run, folder, size(folder), tuple(stands), needed.get(run, "")))
    return made


def remove(seen: Overview, one: Removal) -> None:
    """Delete a run or a sweep.

    Raises:
        RunFailed: a process is making the run, or the file system refuses.
    """
    ledger = Ledger(seen.out)
    with ledger.disk():
        _sweep_up(one.folder.parent)
        if one.kind == SWEEP:
            hidden = _hide(one.folder)
            _forget(seen, one.id)
        elif one.folder.is_symlink() or not one.folder.is_dir():
            hidden = _hide(one.folder)
        else:
            with ledger.claim(one.folder, patience=0.0):
                hidden = _hide(one.folder)
        _delete(hidden)


def certificates(out: Path) -> dict[str, list[str]]:
    """Return by run id the certificates that stand on it."""
    found: dict[str, list[str]] = {}
    for name in folder_names(out / "bounds"):
        with contextlib.suppress(Damaged):
            fields = fields_of(Certificate, out / "bounds" / name / CERTIFICATE_FILE)
            if fields is not None:
                found.setdefault(fields["run_id"], []).append(name)
    return found


def size(folder: Path) -> int:
    """Return the bytes in a folder."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def _runs_of_commands(seen: Overview, sweep_id: str, removed: Iterable[str]) -> list[str]:
    """Return the runs of the commands that name a sweep, and no sweep that stays."""
    gone = set(removed)
    return [
        run
        for one in seen.drivers
        if sweep_id in one.command.sweeps and set(one.command.sweeps) <= gone
        for run in one.command.runs
    ]


def _who(command: commands.Command) -> str:
    return f"process {command.origin.process} on {command.origin.host}"


def _forget(seen: Overview, sweep_id: str) -> None:
    """Note in the commands that name a sweep that it is gone: what is known of their runs stays."""
    for one in seen.drivers:
        progress = one.command.sweeps.get(sweep_id)
        if progress is not None and one.life.state != RUNNING:
            sweeps = one.command.sweeps | {sweep_id: replace(progress, state=REMOVED)}
            commands.write(seen.out, replace(one.command, sweeps=sweeps))


def _hide(folder: Path) -> Path | None:
    """Rename a folder so that nobody finds it; return its new place, None where it was gone."""
    hidden = folder.with_name(f"{HIDDEN}{folder.name}-{os.getpid()}")
    try:
        os.rename(folder, hidden)
    except FileNotFoundError:
        return None
    return hidden


def _delete(hidden: Path | None) -> None:
    if hidden is None:
        return
    if hidden.is_symlink() or not hidden.is_dir():
        hidden.unlink(missing_ok=True)
    else:
        shutil.rmtree(hidden)


def _sweep_up(parent: Path) -> None:
    """Delete what killed removals left."""
    for left in parent.glob(f"{HIDDEN}*"):
        shutil.rmtree(left, ignore_errors=True)
