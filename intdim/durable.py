"""Atomic writes: a temporary file is written and fsynced, then renamed, then the folder is fsynced. And careful reads:
only plain files are opened, so that a pipe, a device or a folder in a file's place neither hangs nor ends a command.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

LARGEST_RECORD = 1 << 28  # bytes of a file that is read whole: none of ours comes near


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader, or a crash, finds the old file or the new one, never a part.

    Raises:
        OSError: the disk is full or the folder is not writable; the old file, if any, is then unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """``write_bytes`` for text, as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """``write_bytes`` for JSON: indented, with a newline at the end; NaN and infinity raise ``ValueError``."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Return what ``write_json`` writes."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """Open a plain file, or a link to one, for reading.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read, or is something else: a folder, a pipe, a device.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would wait for a writer
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    with os.fdopen(handle, "rb") as file:
        yield file


def read_bytes(path: Path, largest: int = LARGEST_RECORD) -> bytes:
    """Return the content of a plain file of at most ``largest`` bytes.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read, is something else, or is larger.
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(min(size, largest) + 1)  # a buffer of the largest size would be made for every file
        if len(data) > size:  # it has grown, or does not know its size
            data += file.read(max(0, largest + 1 - len(data)))
    if len(data) > largest:
        raise OSError(errno.EFBIG, f"it is larger than {largest} bytes", str(path))
    return data


def read_json(path: Path) -> Any | None:
    """Return the parsed file, or None if there is none.

    Raises:
        ValueError: the file is damaged (no UTF-8, no JSON, nested too deeply).
        OSError: it cannot be read, or is no plain file.
    """
    try:
        return json.loads(read_bytes(path).decode("utf-8"))
    except FileNotFoundError:
        return None
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
