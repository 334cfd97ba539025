"""Where numbers come from: the command that was typed, and the process, host, version and commit that it ran as."""

from __future__ import annotations

import functools
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
GIT_SECONDS = 5.0  # after which a repository that does not answer counts as none
_typed: list[tuple[str, ...]] = []  # the command line that runs in this process, if one does


@dataclass(frozen=True)
class Origin:
    """What can be said of the process that makes numbers.

    Attributes:
        words: the command, word by word; of a program or a notebook its name.
        folder: the working folder, which relative paths of the command start from.
        host: name of the machine.
        process: number of the process.
        process_start: when the process began, in ticks of its machine, so that a number that is given to another
            process later is not taken for it; "" where the system does not say.
        version: of the package.
        commit: of the checkout that the package lies in, with ``, changed`` where files differ from it; "" without one.
    """

    words: tuple[str, ...]
    folder: str
    host: str
    process: int
    process_start: str
    version: str
    commit: str


def pasted(origin: Origin) -> str:
    """Return the command, with the folder it belongs into where that is another one, to be pasted into a shell."""
    line = shlex.join(origin.words)
    elsewhere = origin.host != platform.node() or origin.folder != os.getcwd()
    return f"cd {shlex.quote(origin.folder)} && {line}" if elsewhere and origin.folder else line


@contextmanager
def typed(words: Sequence[str]) -> Iterator[None]:
    """Note the command line that runs within the block."""
    _typed.append(tuple(words))
    try:
        yield
    finally:
        _typed.pop()


def this_process() -> Origin:
    """Return the origin of what this process makes."""
    script = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "interactive"
    try:
        folder = os.getcwd()
    except OSError:  # it was removed
        folder = ""
    number = os.getpid()
    words = _typed[-1] if _typed else ("python", script)
    return Origin(words, folder, platform.node(), number, process_start(number), own_version(), own_commit())


def own_version() -> str:
    """Return the version of this package, which also runs from a checkout where nothing is installed."""
    return sys.modules[__name__.partition(".")[0]].__version__


@functools.cache
def own_commit() -> str:
    """Return the commit of this package, as of the first time that it was asked for."""
    return commit(PACKAGE)


def commit(folder: Path) -> str:
    """Return the commit of the checkout that ``folder`` is tracked in, "" where it is in none."""
    if not _git(folder, "ls-files", "--", "__init__.py"):
        return ""  # installed: a repository around it is not its own
    found = _git(folder, "rev-parse", "HEAD")
    changed = found and _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{found}, changed" if changed else found


def process_start(number: int) -> str:
    """Return when a process of this machine began, in ticks; "" where there is none, or the system does not say."""
    fields = _stat(number)
    return fields[19] if len(fields) > 19 else ""


def process_state(number: int) -> str:
    """Return the letter of a process's state (``T``: stopped by a signal), "" where the system does not say."""
    return (_stat(number) or [""])[0]


def alive(number: int, start: str) -> bool:
    """True where the process of this machine that had a number, and began at ``start``, is still there."""
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # of another user
    if process_state(number) == "Z":
        return False  # it has ended, and nobody has asked how
    found = process_start(number)
    return not (start and found) or found == start


def _stat(number: int) -> list[str]:
    """Return the fields of /proc/<number>/stat behind the name of the program, [] where there are none."""
    try:
        with open(f"/proc/{number}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _git(folder: Path, *arguments: str) -> str:
    """Return what git says, "" where it says nothing or is not there."""
    quiet = {"GIT_OPTIONAL_LOCKS": "0"} | {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            env=quiet,
            stdin=subprocess.DEVNULL,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
