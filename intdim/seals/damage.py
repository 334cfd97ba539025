"""What is damaged: how it is said, where it is moved to, and how room is made where it stands in the way."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from intdim.errors import UserError

ASIDE = "damaged"
MISSING = "it is missing"

Tell = Callable[[str], None]  # receives a line for the user
logger = logging.getLogger(__name__)


class Damaged(UserError):
    """A file under ``out`` or in the cache is not what was written; the message names it.

    Attributes:
        file: its path.
        why: what is wrong with it.
    """

    def __init__(self, file: Path, why: object) -> None:
        self.file, self.why = file, words(why)
        super().__init__(
            f"{shown(file)} is damaged: {self.why}",
            "",
            "Repeat the command that made it: it is set aside and made again.",
        )


def shown(path: Path | str) -> str:
    """Return a path for a message: bytes that are no UTF-8 and control characters are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def words(why: object) -> str:
    """Return in words what an error says of a file that is named beside it."""
    if isinstance(why, OSError) and why.strerror:
        return MISSING if why.errno == errno.ENOENT else why.strerror[0].lower() + why.strerror[1:]
    return str(why)


def warn(text: str) -> None:
    """Log a line where nobody else receives it."""
    logger.warning("%s", text)


def set_aside(paths: Iterable[Path], root: Path, why: str, tell: Tell = warn) -> None:
    """Move files or folders to a new folder under ``root``/damaged, named after where they were, and say so.

    What is gone already is passed over. ``damaged/log.txt`` lists what was moved, when, and why.

    Args:
        paths: what is moved; all of one folder, which is ``root`` or below it.
        root: the results or cache folder.
        why: what was wrong, with the path of the file that was.
        tell: receives the line.

    Raises:
        OSError: it cannot be moved.
    """
    there = [path for path in paths if os.path.lexists(path)]
    if not there:
        return

    if root not in there[0].parents:
        raise OSError(errno.EINVAL, f"it is not under {root}", str(there[0]))
    place = _new_folder(root, there[0].parent)
    for path in there:
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            _move(path, place / path.name)
    tell(f"{why}; set aside in {shown(place)}")
    with contextlib.suppress(OSError), (root / ASIDE / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {why}: {shown(place)}\n")


def room_for(file: Path, root: Path, tell: Tell = warn) -> None:
    """Make the folders that ``file`` is in, below ``root``, and set aside what stands in the place of one, or of the
    file, and is something else: a link, a pipe, a folder, a file that cannot be read."""
    make_folder(file.parent, root, tell)
    why = obstacle(file)
    if why:
        set_aside([file], root, f"{shown(file)} {why}", tell)


def make_folder(folder: Path, root: Path, tell: Tell = warn) -> None:
    """Make a folder at or below ``root``; what stands in its place, or of one it is in, is set aside."""
    root.mkdir(parents=True, exist_ok=True)
    below = folder.relative_to(root).parts
    for depth in range(1, len(below) + 1):
        one = root.joinpath(*below[:depth])
        if os.path.lexists(one) and not one.is_dir():
            set_aside([one], root, f"{shown(one)} is not a folder", tell)
        one.mkdir(exist_ok=True)
        if not os.access(one, os.R_OK | os.W_OK | os.X_OK):
            one.chmod(0o755)


def obstacle(file: Path) -> str:
    """Return what keeps a path from being a plain file of ours that can be read and written, "" where nothing does."""
    try:
        mode = file.lstat().st_mode
    except FileNotFoundError:
        return ""
    if stat.S_ISLNK(mode):
        return "is a link"
    if not stat.S_ISREG(mode):
        return "is a folder" if stat.S_ISDIR(mode) else "is not a plain file"
    return "" if os.access(file, os.R_OK | os.W_OK) else "cannot be read and written"


def _new_folder(root: Path, parent: Path) -> Path:
    """Make and return ``root``/damaged/<name>, named after ``parent``; a number is added where there is one."""
    aside = root / ASIDE
    if os.path.lexists(aside) and not aside.is_dir():
        os.replace(aside, root / f"{ASIDE}.{time.time_ns()}")
    stem = "-".join(parent.relative_to(root).parts) or root.name or "out"
    for number in range(1, 1_000_000):
        place = aside / (stem if number == 1 else f"{stem}-{number}")
        try:
            place.mkdir(parents=True)
        except FileExistsError:
            continue
        return place
    raise OSError(errno.EEXIST, "too many damaged files", str(aside))


def _move(path: Path, to: Path) -> None:
    try:
        os.rename(path, to)
    except PermissionError:
        if path.is_symlink() or not path.is_dir():
            raise
        path.chmod(0o700)  # a folder without rights cannot be moved
        os.rename(path, to)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        os.rename(path, path.with_name(f"{path.name}.{ASIDE}.{time.time_ns()}"))  # on another disk: beside its place
