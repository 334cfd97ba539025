"""Whether a prepared task on disk is what was written; one that is not is set aside in the cache it is in."""

from __future__ import annotations

import contextlib
import functools
import re
from pathlib import Path

from intdim import seals
from intdim.errors import UserError
from intdim.seals import Damaged

MANIFEST, TENSORS = "manifest.json", "data.safetensors"


def check(folder: Path) -> None:
    """See that a prepared task is whole.

    Raises:
        Damaged: a file is missing, cannot be read, or was changed.
    """
    if not (folder / MANIFEST).exists():
        raise Damaged(folder / MANIFEST, f"{MANIFEST} is missing")
    seals.check(folder, digest=_hash)


def make_room(folder: Path) -> None:
    """Set aside what stands in the place of a task that is to be prepared.

    Raises:
        OSError: it cannot be moved.
    """
    cache = folder.parent.parent
    seals.make_folder(folder.parent, cache)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not any(folder.iterdir()):
            return
    try:
        check(folder)
    except Damaged as error:
        seals.set_aside([folder], cache, f"{error.parts[0]}: prepared again")


def refused(folder: Path, error: Exception) -> UserError:
    """Set a damaged task aside, if that is what it is; return what to raise."""
    why = error.parts[0] if isinstance(error, Damaged) else f"{seals.shown(folder)} is damaged: {error}"
    do = "Repeat the command: the task is prepared again."
    try:
        if folder.parent.name == "tasks" and re.fullmatch("[0-9a-f]{16}", folder.name):
            seals.set_aside([folder], folder.parent.parent, why)
    except OSError as problem:
        do = f"Delete that folder, which cannot be moved ({problem.strerror}), and repeat the command."
    return UserError(f"of the prepared task {why}", "", do)


def _hash(file: Path) -> str:
    found = file.stat()
    return _hash_in(file, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@functools.lru_cache(maxsize=64)
def _hash_in(file: Path, *state: int) -> str:
    """Return the SHA-256 of a file in a state; a worker reads it once for all its runs."""
    return seals.sha256(file)
