"""Programs of others, called with a time limit: whatever they start ends with them, and what they print is bounded."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping

from intdim.errors import echo

MOST_OUTPUT = 1 << 20  # bytes: a program that prints more is ended
TICK = 0.2  # seconds between looks at a program that has ended while something holds its pipe open


def call(command: list[str], deadline: float, environment: Mapping[str, str] | None = None) -> None:
    """Run a program to its end.

    Args:
        command: the program and its arguments.
        deadline: by ``time.monotonic``.
        environment: its environment; None: that of this process.

    Raises:
        OSError: it cannot be started, fails, crashes, does not end in time, or prints without end.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        said = _listen(process, deadline)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        assert process.stdout is not None
        process.stdout.close()
    if status:
        raise OSError(f"{command[0]} {_how(status)}{_last_line(said)}")


def _listen(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return what a program printed until it ended."""
    assert process.stdout is not None
    pipe, said = process.stdout.fileno(), b""
    while True:
        ended = process.poll() is not None
        ready, _, _ = select.select([pipe], [], [], TICK)
        chunk = os.read(pipe, 1 << 16) if ready else b""
        said += chunk
        if ended and not chunk:
            return said
        if ready and not chunk:  # it closed its output and goes on
            time.sleep(TICK / 10)
        if time.monotonic() > deadline:
            raise OSError(f"{process.args[0]} did not end in time")  # pyright: ignore[reportIndexIssue, reportArgumentType]
        if len(said) > MOST_OUTPUT:
            raise OSError(f"{process.args[0]} prints without end")  # pyright: ignore[reportIndexIssue, reportArgumentType]


def _how(status: int) -> str:
    if status > 0:
        return f"failed with status {status}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-status).name}"
    return f"was ended by signal {-status}"


def _last_line(said: bytes) -> str:
    lines = said.decode("utf-8", errors="replace").strip().splitlines()
    return f": {echo(lines[-1].strip(), 200)}" if lines else ""
