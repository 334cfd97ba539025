"""What each command that makes runs leaves in ``out``/commands: who it is, which sweeps it is at, and how it ended.

A remark for readers: no number rests on it, and a command that cannot write it measures all the same. The driver writes
it again every few seconds; whether it still runs is read off its process on the same host, and off the age of what it
wrote last on another one.
"""

from __future__ import annotations

import os
import platform
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from intdim import seals
from intdim.ledger.origin import Origin, alive, process_state
from intdim.seals import Damaged
from intdim.spec import from_dict, to_dict

COMMANDS_VERSION = 1  # raised by hand when the record changes shape
COMMANDS = "commands"
BEAT_SECONDS = 20.0  # between two signs of life
QUIET_SECONDS = 180.0  # without a sign of life, after which a driver on another host counts as gone
SKEW_SECONDS = 60.0  # by which a clock may be wrong before it is worth a word

RUNNING, STOPPED, FINISHED, FAILED = "running", "stopped", "finished", "failed"
REMOVED = "removed"  # of a sweep: its verdict was deleted by `intdim remove`


@dataclass(frozen=True)
class Progress:
    """How far a command is with one sweep: its cell in names, its state, what it is at, runs that it has and about how
    many it takes, and why it failed."""

    model: str
    task: str
    method: str
    projection: str
    scope: str
    groups: str
    seed: int
    state: str
    stage: str
    done: int
    expected: int
    message: str = ""


@dataclass(frozen=True)
class Command:
    """The content of ``out``/commands/<name>.json. Times are UTC, as ``2026-11-27T01:36:07Z``, with
    milliseconds in ``started``, which is part of the file's name.

    Attributes:
        version: of this record.
        origin: the command, its process and host, version and commit.
        started: when.
        beat: when it was last written.
        ended: when it ended, None before.
        state: ``running``, ``finished``, ``stopped`` (by the user) or ``failed``.
        message: why it failed, else "".
        sweeps: by sweep id; empty for a command that makes single runs.
        runs: the runs that it began, in order.
        found: the runs that were there already.
        running: those under way.
        seconds: of the runs that ended here, added up.
        measured: how many these are.
    """

    version: int
    origin: Origin
    started: str
    beat: str
    ended: str | None
    state: str
    message: str
    sweeps: dict[str, Progress]
    runs: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    seconds: float = 0.0
    measured: int = 0

    @property
    def name(self) -> str:
        """What its file is called."""
        host = re.sub(r"[^A-Za-z0-9]+", "-", self.origin.host)[:40] or "host"
        return f"{re.sub('[^0-9TZ]', '', self.started)}-{host}-{self.origin.process}"

    def seconds_left(self, progress: Progress) -> float | None:
        """Return about how long a sweep still takes, None where no run has ended yet."""
        if not self.measured:
            return None
        left = max(1, progress.expected - progress.done)
        return left * self.seconds / self.measured / max(1, len(self.running))


@dataclass(frozen=True)
class Life:
    """Whether a command still runs: its state, and in words what there is to say of it."""

    state: str
    words: tuple[str, ...] = field(default=())


def utc(seconds: float, digits: str = "seconds") -> str:
    """Return a time since the epoch as records give it, to ``seconds`` or ``milliseconds``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=digits).replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """Return the time since the epoch of a time with a zone.

    Raises:
        ValueError: it is no time, or has no zone.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found.timestamp()


def write(out: Path, command: Command) -> None:
    """Write a command's record.

    Raises:
        OSError: it cannot be written.
    """
    seals.write_sealed(out / COMMANDS / f"{command.name}.json", command.name, to_dict(command))


def read(file: Path) -> Command:
    """Return the command of a file.

    Raises:
        Damaged: it is no such record, was changed, or is of another version.
    """
    content = seals.read_sealed(file, file.stem)
    version = content.get("version") if isinstance(content, dict) else None
    if version != COMMANDS_VERSION:
        raise Damaged(file, f"it is of version {version!r:.20}, this is {COMMANDS_VERSION}")
    try:
        command = from_dict(Command, content)
        for moment in (command.started, command.beat, command.ended or command.beat):
            seconds_of(moment)
    except ValueError as error:
        raise Damaged(file, error) from error
    return command


def read_all(out: Path) -> tuple[list[tuple[Command, float]], list[Damaged]]:
    """Return every command, the earliest first, with the time at which its file was written last; and what is
    damaged."""
    found: list[tuple[Command, float]] = []
    damaged: list[Damaged] = []
    try:
        files = sorted((out / COMMANDS).glob("[!.]*.json"))
    except OSError:
        return [], []
    for file in files:
        try:
            found.append((read(file), file.stat().st_mtime))
        except Damaged as error:
            damaged.append(error)
        except OSError as error:
            damaged.append(Damaged(file, error))
    return found, damaged


def life(command: Command, written: float, now: float | None = None) -> Life:
    """Return whether a command still runs, as far as can be told from here.

    Args:
        command: its record.
        written: when the file was written last, by the clock of the file system.
        now: the time since the epoch; None: now.
    """
    now = time.time() if now is None else now
    origin, beat = command.origin, seconds_of(command.beat)
    skew = clock_words(command, written, now)
    if command.ended is not None:
        return Life(command.state, skew)

    if origin.host == platform.node():
        if not alive(origin.process, origin.process_start):
            return Life(STOPPED, (f"its process {origin.process} is gone: it was killed, or the machine went down",))
        if process_state(origin.process) in ("T", "t"):
            held = f"process {origin.process} is held: `kill -CONT {origin.process}` lets it go on"
            return Life(RUNNING, (held, *skew))
        return Life(RUNNING, skew)

    quiet = min(abs(now - beat), abs(now - written))  # one of the two clocks may be wrong
    if quiet > QUIET_SECONDS:
        return Life(STOPPED, (f"{origin.host} has said nothing for {age(quiet)}: it, or its driver, is gone", *skew))
    return Life(RUNNING, skew)


def clock_words(command: Command, written: float, now: float) -> tuple[str, ...]:
    """Say how the clock of a command's host differs from the ones here, () where it does not."""
    beat, host = seconds_of(command.beat), command.origin.host
    if beat > now + SKEW_SECONDS:
        return (f"the clock of {host} is {age(beat - now)} ahead of the one here",)
    if host != platform.node() and command.ended is None and written - beat > SKEW_SECONDS:
        return (f"the clock of {host} is {age(written - beat)} behind, or the folder was copied",)
    return ()


def age(seconds: float) -> str:
    """Return a time span in one unit: ``42 s``, ``12 min``, ``3.4 h``, ``5 days``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def touched(file: Path | str) -> float:
    """Return when a file was written, 0.0 where there is none."""
    try:
        return os.stat(file).st_mtime
    except OSError:
        return 0.0
