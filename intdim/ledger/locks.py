"""One owner for a folder: an advisory lock on its ``.lock``, which goes with the process, however it ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from intdim.errors import RunFailed
from intdim.seals import Tell, set_aside, shown

LOCK = ".lock"
TICK = 0.1  # seconds between attempts at a lock that another process holds
TOLD_AFTER, TOLD_EVERY = 5.0, 60.0  # seconds of waiting after which it is said what is waited for
IN_THE_WAY = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EINVAL)


class Busy(RunFailed):
    """Another worker holds the run's folder."""


@contextlib.contextmanager
def held(folder: Path, root: Path, patience: float, tell: Tell) -> Iterator[None]:
    """Hold a folder's lock; what stands in the place of the lock's file and is something else is set aside.

    Args:
        folder: which.
        root: the results folder, for what is set aside.
        patience: seconds to wait for another holder.
        tell: is told what is waited for after five seconds, and now and then.

    Raises:
        Busy: another process still holds it.
        OSError: the file of the lock cannot be had.
    """
    begun = time.monotonic()
    told = begun + TOLD_AFTER - TOLD_EVERY
    handle = _take(folder, root, tell)
    while handle is None:
        now = time.monotonic()
        if now >= begun + patience:
            raise Busy(f"another process is making the run in {shown(folder)}: {holder(folder)} holds {LOCK}")
        if now >= told + TOLD_EVERY:
            tell(f"waiting for {shown(folder / LOCK)}: {holder(folder)} holds it")
            told = now
        time.sleep(min(TICK, patience))
        handle = _take(folder, root, tell)

    try:
        with contextlib.suppress(OSError):  # a lock of another user can be held, not written
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()} {platform.node()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def holder(folder: Path) -> str:
    """Say which process holds a folder's lock, as far as the lock tells, and how to go on where it is stopped."""
    try:
        handle = _open(folder / LOCK)
        try:
            number, _, host = os.pread(handle, 200, 0).decode("utf-8", "replace").strip().partition(" ")
        finally:
            os.close(handle)
    except OSError:
        return "another process"

    if not number.isdigit():
        return "another process"
    if host != platform.node():
        return f"process {number} on {shown(host)}"
    if _state(int(number)) in ("T", "t"):
        return f"process {number}, which is stopped (`kill -CONT {number}` resumes it, `kill -KILL {number}` ends it),"
    return f"process {number}"


def _take(folder: Path, root: Path, tell: Tell) -> int | None:
    """Return a locked file, or None where another process has it."""
    path = folder / LOCK
    try:
        handle = _open(path)
    except OSError as error:
        if error.errno not in IN_THE_WAY or not os.path.lexists(path):
            raise
        set_aside([path], root, f"{shown(path)} is no file that can be locked", tell)
        handle = _open(path)

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass  # held by another process, or moved away since it was opened
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _open(path: Path) -> int:
    """Open the file of a lock, never through a link; a pipe or a device in its place is refused."""
    flags = os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags | os.O_RDWR, 0o644)
    except PermissionError:  # of another user, or without rights: moving it away would make two owners
        if stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_uid == os.geteuid():
            path.chmod(0o644)
        handle = os.open(path, flags | os.O_RDONLY, 0o644)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(errno.EINVAL, "it is not a plain file", str(path))


def _state(process: int) -> str:
    """Return the letter of a process's state, "" where the system does not say."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
