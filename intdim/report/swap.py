"""A folder that is made beside its place and swapped in whole, so that a reader sees the old one or the new one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

AT_FDCWD = -100  # Linux: paths are relative to the working folder
RENAME_EXCHANGE = 2
OLD = 3600.0  # seconds after which a half-made folder is taken for that of a killed process


@contextlib.contextmanager
def swapped_in(place: Path) -> Iterator[Path]:
    """Give a new folder to fill; put it at ``place`` when the block ends, unless it raised.

    Raises:
        OSError: the disk is full or the folder is not writable; what is at ``place`` is then untouched.
    """
    parent = place.parent
    parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(place)
    fresh = Path(tempfile.mkdtemp(dir=parent, prefix=f".{place.name}.", suffix=".tmp"))
    try:
        yield fresh
        fresh.chmod(0o755)
        _swap(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)  # after the swap this is the old folder


def _remove_leftovers(place: Path) -> None:
    """Remove what killed processes left; a younger folder may still be in the making."""
    for path in place.parent.glob(f".{place.name}.*.tmp"):
        if time.time() - path.stat().st_mtime > OLD:
            shutil.rmtree(path, ignore_errors=True)


def _swap(fresh: Path, place: Path) -> None:
    """Exchange the two folders in one step where the system can (Linux), else by two renames; the old one, if there
    was one, is then at ``fresh``."""
    if not place.exists():
        os.rename(fresh, place)
        return
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)
    if exchange and exchange(AT_FDCWD, os.fsencode(fresh), AT_FDCWD, os.fsencode(place), RENAME_EXCHANGE) == 0:
        return

    aside = fresh.with_name(f"{fresh.name}.old.tmp")
    os.rename(place, aside)
    try:
        os.rename(fresh, place)
    except BaseException:
        os.rename(aside, place)
        raise
    os.rename(aside, fresh)
