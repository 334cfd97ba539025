"""What is remembered: folders under ``out``, one for each run and each sweep.

Laws: a run's folder belongs to one worker at a time; every file but the append-only metrics.jsonl appears by
write-temporary, fsync, rename; a finished run is never rewritten; every table can be rebuilt from the folders.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

from intdim import durable
from intdim.errors import RunFailed, UserError
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Point, Verdict, points_csv, read_points
from intdim.spec import LAYOUT_VERSION, RunSpec, SweepSpec, from_dict, to_dict

FULL = (errno.ENOSPC, errno.EDQUOT)  # no space left on the disk, or none left to this user
LOCK_TICK = 0.1  # seconds between attempts at a lock that another process holds
T = TypeVar("T")


class Damaged(UserError):
    """A file under ``out`` is not what it should be; the message names it."""

    def __init__(self, file: Path, error: object) -> None:
        super().__init__(f"{file} is damaged: {error}", "", "Remove the folder it is in and repeat the command.")


class Busy(RunFailed):
    """Another worker holds the run's folder."""


class Ledger:
    """The results folder ``out``."""

    def __init__(self, out: Path) -> None:
        self.out = Path(out).expanduser()

    # -- the folder itself -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """See that ``out`` can be used, without leaving anything behind.

        Raises:
            UserError: it is no folder, cannot be written, or was written by another version.
            RunFailed: the disk is full.
        """
        there = self.out
        while not os.path.lexists(there) and there != there.parent:
            there = there.parent
        if not there.is_dir():
            raise UserError(f"out={self.out}: {there} is not a folder", "a folder, or a path where one can be made", "")
        try:
            handle, name = tempfile.mkstemp(dir=there, prefix=".intdim-check-")
            os.close(handle)
            os.unlink(name)
        except OSError as error:
            if error.errno in FULL:
                raise self.failed(error) from error
            raise UserError(
                f"out={self.out} is not writable: {there}: {error.strerror}",
                "a folder you may write to",
                "Choose out=.",
            ) from None
        written = self._layout()
        if written not in (None, LAYOUT_VERSION):
            raise UserError(
                f"out={self.out} was written by another version of intdim (layout {written}, this is {LAYOUT_VERSION})",
                "a folder of this version, or a new one",
                "Choose another out=, or read this one with the version that wrote it.",
            )

    def _layout(self) -> object:
        """Return the version that intdim.json names, None without that file, ``unreadable`` for anything else."""
        file = self.out / "intdim.json"
        if not os.path.lexists(file):
            return None
        try:
            marked = durable.read_json(file)
        except (ValueError, OSError):
            marked = None
        version = marked.get("layout_version") if isinstance(marked, dict) else None
        return "unreadable" if version is None else version

    def open(self) -> None:
        """Make the folder and mark it with the layout's version."""
        with self.disk():
            if not (self.out / "intdim.json").exists():
                durable.write_json(self.out / "intdim.json", {"layout_version": LAYOUT_VERSION})

    @contextlib.contextmanager
    def disk(self) -> Iterator[None]:
        """Turn a full or failing disk into a ``RunFailed`` that says what was kept."""
        try:
            yield
        except OSError as error:
            raise self.failed(error) from error

    def failed(self, error: OSError) -> RunFailed:
        """Say what happened to the disk, what was kept, and what to do."""
        if error.errno in FULL:
            return RunFailed(
                f"the disk under {self.out} is full ({error.strerror}). Finished runs are kept; "
                "free some space and give the same command again."
            )
        return RunFailed(
            f"a file under {self.out} was refused ({error}). Finished runs are kept; "
            "give the same command again when that is mended."
        )

    def run_folder(self, run_id: str) -> Path:
        """Where a run's files are."""
        return self.out / "runs" / run_id

    def sweep_folder(self, sweep_id: str) -> Path:
        """Where a sweep's files are."""
        return self.out / "sweeps" / sweep_id

    # -- runs --------------------------------------------------------------------------------------------------------

    def write_spec(self, run_id: str, spec: RunSpec) -> None:
        """Put a run's spec into its folder before the run is handed out.

        Raises:
            RunFailed: the folder holds the spec of another run.
        """
        file = self.run_folder(run_id) / "spec.json"
        wanted, there = to_dict(spec), _read(file)
        if there is not None and there != wanted:
            raise RunFailed(f"{file} is not the spec of run {run_id}; remove the folder to make the run again")
        if there is None:
            with self.disk():
                durable.write_json(file, wanted)

    def result(self, run_id: str) -> RunResult | None:
        """Return a finished run's result, or None.

        Raises:
            RunFailed: result.json is damaged or belongs to another run.
        """
        file = self.run_folder(run_id) / "result.json"
        try:
            result = read_record(RunResult, file)
        except Damaged as error:
            raise RunFailed(f"{error.parts[0]}; remove the folder to make the run again") from error
        if result is not None and result.run_id != run_id:
            raise RunFailed(f"{file} is not the result of run {run_id}; remove the folder to make the run again")
        return result

    def write_result(self, result: RunResult) -> None:
        """Finish a run; a finished one is never rewritten."""
        file = self.run_folder(result.run_id) / "result.json"
        assert not file.exists(), f"run {result.run_id} is finished"
        with self.disk():
            durable.write_json(file, to_dict(result))

    def failure(self, run_id: str) -> str | None:
        """Return the recorded traceback of a run that broke, or None."""
        file = self.run_folder(run_id) / "error.txt"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else None

    def runs(self) -> Iterator[tuple[RunSpec, RunResult]]:
        """Yield spec and result of every finished run, in the order of their ids; folders that cannot be read are
        left out."""
        for folder in sorted(_folders(self.out / "runs")):
            spec, result = _readable(RunSpec, folder / "spec.json"), _readable(RunResult, folder / "result.json")
            if spec is not None and result is not None:
                yield spec, result

    @contextlib.contextmanager
    def claim(self, folder: Path, patience: float = math.inf) -> Iterator[None]:
        """Hold a run's folder for this process; the lock goes with the process, however it ends.

        Waits up to ``patience`` seconds for another holder: cells that are measured at the same time by several
        commands share their baselines, and a worker whose driver was killed a moment ago may still be ending.

        Raises:
            Busy: another process still holds the folder.
        """
        with self.disk():
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / ".lock").open("w")
        with lock:
            deadline = time.monotonic() + patience
            while not self._lock(lock):
                if time.monotonic() >= deadline:
                    raise Busy(f"another process is making the run in {folder}")
                time.sleep(min(LOCK_TICK, patience))
            for left in folder.glob(".*.tmp"):
                # of a writer that was killed: only the holder writes here, but for the driver's spec.json
                if not left.name.startswith(".spec.json."):
                    left.unlink(missing_ok=True)
            yield

    def _lock(self, lock: IO[str]) -> bool:
        """Try to lock an open file; False when another process has it."""
        with self.disk():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    # -- sweeps ------------------------------------------------------------------------------------------------------

    def verdict(self, sweep_id: str) -> Verdict | None:
        """Return a sweep's verdict, or None; a damaged one counts as none, it can be made again from the runs."""
        return _readable(Verdict, self.sweep_folder(sweep_id) / "verdict.json")

    def points(self, sweep_id: str) -> list[Point]:
        """Return the points of a sweep, [] where there are none.

        Raises:
            Damaged: points.csv is no table of points.
        """
        file = self.sweep_folder(sweep_id) / "points.csv"
        try:
            return read_points(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise Damaged(file, error) from error

    def write_sweep(self, spec: SweepSpec, verdict: Verdict, points: Sequence[Point]) -> None:
        """Write spec.json, points.csv and, last, verdict.json."""
        folder = self.sweep_folder(verdict.sweep_id)
        with self.disk():
            durable.write_json(folder / "spec.json", to_dict(spec))
            durable.write_text(folder / "points.csv", points_csv(points))
            durable.write_json(folder / "verdict.json", to_dict(verdict))


def read_record(kind: type[T], file: Path) -> T | None:
    """Return the dataclass that a JSON file holds, None where there is no file.

    Raises:
        Damaged: the file is no JSON, or its fields are not those of ``kind``.
    """
    try:
        data = durable.read_json(file)
        return None if data is None and not file.exists() else from_dict(kind, data)
    except ValueError as error:
        raise Damaged(file, error) from error


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics.jsonl; a line that a kill tore is left out."""
    file = folder / "metrics.jsonl"
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    lines = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return [line for line in lines if isinstance(line, dict)]


def _folders(parent: Path) -> list[Path]:
    return [entry for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []


def _read(file: Path) -> dict[str, Any] | None:
    """Return a JSON table, or None where there is none that can be read."""
    try:
        table = durable.read_json(file)
    except ValueError:
        return None
    return table if isinstance(table, dict) else None


def _readable(kind: type[T], file: Path) -> T | None:
    """Return what a file holds, or None where there is none that can be read."""
    try:
        return read_record(kind, file)
    except Damaged:
        return None
