"""Folders named after their content, under ``out``/given: what a Python session gave, for workers and for later."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from intdim import seals
from intdim.fingerprint import fingerprint_folder

FOLDER = "given"
DIGITS = 12  # of the hash that stand in a folder's name


class Given:
    """What one call puts under ``out``; a context manager that takes it away again where the request is refused.

    Args:
        out: the results folder, which need not exist.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.root = out, out / FOLDER
        self._new: list[Path] = []
        self._made = [folder for folder in (self.root, out) if not folder.exists()]

    def keep(self, kind: str, write: Callable[[Path], None]) -> Path:
        """Return the folder ``out``/given/<kind>-<hash of its files>, which holds what ``write`` writes.

        The folder appears whole: it is written beside its place and renamed. One that is there already is left alone;
        one whose files are no longer those of its name is set aside.

        Args:
            kind: first part of the name, ``model`` or ``rows``.
            write: gets an empty folder and writes plain files into it; the same content has to give the same bytes.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
            UserError: what ``write`` raises.
        """
        seals.make_folder(self.root, self.out)
        beside = Path(tempfile.mkdtemp(dir=self.root, prefix=f".{kind}-"))
        try:
            write(beside)
            _sync(beside)
            place = self.root / f"{kind}-{fingerprint_folder(beside)[:DIGITS]}"
            if os.path.lexists(place) and not _holds(place, fingerprint_folder(beside)):
                seals.set_aside([place], self.out, f"{seals.shown(place)} was changed after it was written")
            if not os.path.lexists(place):
                _rename(beside, place)
                self._new.append(place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return place

    def take_back(self) -> None:
        """Remove what this call wrote, and the folders that it made and nothing else is in."""
        for place in self._new:
            shutil.rmtree(place, ignore_errors=True)
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _holds(place: Path, content: str) -> bool:
    """Tell whether a folder is one, and has this content."""
    return place.is_dir() and not place.is_symlink() and fingerprint_folder(place) == content


def _rename(beside: Path, place: Path) -> None:
    """Give a folder its name; where another process was faster, its folder, which has the same content, stays."""
    beside.chmod(0o755)
    with contextlib.suppress(FileExistsError):
        try:
            os.rename(beside, place)
        except OSError:
            if not place.is_dir():
                raise
    _sync_folder(place.parent)


def _sync(folder: Path) -> None:
    """Bring the files of a folder, and their names, to the disk."""
    for file in folder.iterdir():
        file.chmod(0o644)
        _sync_folder(file)
    _sync_folder(folder)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
