"""Whose a folder is: code is taken only from where nobody but the user, and the system's owner, can put it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

OTHERS = stat.S_IWGRP | stat.S_IWOTH
TICK = 0.1


def why_unsafe(folder: Path) -> str:
    """Return why someone else could put a file into a folder, "" where nobody can.

    The folder belongs to the user and is writable by no one else. Those above it may belong to the system, and may be
    writable by all only with the sticky bit, as /tmp is.
    """
    place = Path(os.path.realpath(folder))
    try:
        for one in (place, *place.parents):
            state = one.lstat()
            if not stat.S_ISDIR(state.st_mode):
                return f"{one} is no folder"
            if state.st_uid not in _trusted(above=one != place):
                return f"{one} belongs to another user"
            shared = state.st_mode & OTHERS and not (one != place and state.st_mode & stat.S_ISVTX)
            if shared and not _is_private_group(state):
                return f"{one} can be written by other users"
    except OSError as error:
        return f"{place} cannot be looked at: {error.strerror}"
    return ""


def is_ours(file: Path) -> bool:
    """Tell whether there is a plain file, no link, that belongs to the user and is writable by no one else.

    Raises:
        OSError: it cannot be looked at.
    """
    state = file.lstat()
    return (
        stat.S_ISREG(state.st_mode)
        and state.st_uid in _trusted()
        and (not state.st_mode & OTHERS or _is_private_group(state))
    )


@contextlib.contextmanager
def locked(file: Path, patience: float) -> Iterator[None]:
    """Hold the lock of a file, which is no link; without it where that is impossible or takes longer than patience."""
    handle = -1
    try:
        with contextlib.suppress(OSError):
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
            _wait(handle, time.monotonic() + patience)
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _wait(handle: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return
            time.sleep(TICK)
        else:
            return


def _trusted(above: bool = False) -> set[int]:
    """Return the users whose folders are trusted. In a container that maps this user alone, the system's folders
    above belong to nobody."""
    users = {0, os.geteuid()}
    if above:
        with contextlib.suppress(OSError, ValueError):
            if not any(line.split()[0] == "0" for line in Path("/proc/self/uid_map").read_text().splitlines()):
                users.add(int(Path("/proc/sys/kernel/overflowuid").read_text()))
    return users


def _is_private_group(state: os.stat_result) -> bool:
    """Tell whether a folder or file is writable by its group alone, and that group is the user's own, with no one
    else in it, as on systems where files are made so that their group can write."""
    if state.st_mode & stat.S_IWOTH:
        return False
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(state.st_gid)
    except KeyError:  # a user without an entry
        return False
    own = group.gr_gid == user.pw_gid and group.gr_name == user.pw_name
    return own and set(group.gr_mem) <= {user.pw_name}
