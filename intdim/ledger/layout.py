"""The results folder ``out`` itself: whether it can be used, which version wrote it, and what a failing disk means."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from intdim import durable, seals
from intdim.errors import RunFailed, UserError
from intdim.ledger.records import folders
from intdim.seals import Damaged, Tell, shown
from intdim.spec import LAYOUT_VERSION

FULL = (errno.ENOSPC, errno.EDQUOT)  # no space left on the disk, or none left to this user
MARK = "intdim.json"
LOOKED_AT = 100  # folders of runs and of sweeps, for what version they are of


class Layout:
    """The folder, without what is in it.

    Args:
        out: its path.
        tell: receives a line for the user where something damaged is set aside, or a lock is waited for.
    """

    def __init__(self, out: Path, tell: Tell = seals.warn) -> None:
        self.out, self.tell = Path(out).expanduser(), tell

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

        self.check_mark()

    def check_mark(self) -> None:
        """See that ``out`` is of this version.

        A mark that cannot be read, or names another version than everything that is finished here, is damaged: it is
        set aside and written anew, with a line that says so.

        Raises:
            UserError: the mark names another version, and nothing that is finished shows that it is wrong.
            RunFailed: it cannot be written anew.
        """
        written = self._version()
        if written in (None, LAYOUT_VERSION):
            return

        sealed = self._sealed_versions()
        if sealed == {LAYOUT_VERSION}:
            self._mend(f"it names layout {written}, and what is finished here is of layout {LAYOUT_VERSION}")
            return
        found = " and ".join(str(one) for one in sorted({*sealed, written} - {LAYOUT_VERSION}, key=str))
        raise UserError(
            f"out={self.out} was written by another version of intdim (layout {found}, this is {LAYOUT_VERSION})",
            "a folder of this version, or a new one",
            "Choose another out=, or read this one with the version that wrote it.",
        )

    def open(self) -> None:
        """Make the folder and mark it with the layout's version; a damaged mark is set aside."""
        if self._version() != LAYOUT_VERSION:
            self._mend("it names no layout of this version")

    def _mend(self, why: str) -> None:
        """Write the mark anew; one that is there is set aside."""
        file = self.out / MARK
        with self.disk():
            seals.set_aside([file], self.out, f"{shown(file)} is damaged: {why}", self.tell)
            durable.write_json(file, {"layout_version": LAYOUT_VERSION})

    def _version(self) -> object:
        """Return the version that intdim.json names, None without that file, ``unreadable`` for anything else."""
        file = self.out / MARK
        if not os.path.lexists(file):
            return None
        try:
            marked = durable.read_json(file)
        except (ValueError, OSError):
            marked = None
        version = marked.get("layout_version") if isinstance(marked, dict) else None
        return "unreadable" if version is None else version

    def _sealed_versions(self) -> set[int]:
        """Return the versions of the runs and sweeps that are finished here, of the first ``LOOKED_AT`` of each."""
        made = [folders(self.out / "runs"), folders(self.out / "sweeps")]
        found = set()
        for folder in itertools.chain(*(some[:LOOKED_AT] for some in made)):
            with contextlib.suppress(Damaged):
                found.add(seals.sealed_version(folder))
        return found

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

    def set_aside(self, paths: Sequence[Path], why: str) -> None:
        """Move what is damaged, all of one folder, to ``out``/damaged, and say so."""
        with self.disk():
            seals.set_aside(paths, self.out, why, self.tell)

    def run_folder(self, run_id: str) -> Path:
        """Where a run's files are."""
        return self.out / "runs" / run_id

    def sweep_folder(self, sweep_id: str) -> Path:
        """Where a sweep's files are."""
        return self.out / "sweeps" / sweep_id
