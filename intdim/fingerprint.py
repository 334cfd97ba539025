"""Hashes of the content of files: a folder is identified by what is in it, not by its path or its dates."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
from pathlib import Path

from intdim import durable
from intdim.errors import UserError


def cache_folder() -> Path:
    """Return the folder for files that can be made again: ``$INTDIM_CACHE``, or ``~/.cache/intdim``."""
    chosen = os.environ.get("INTDIM_CACHE", "")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "intdim"


def fingerprint_folder(path: Path | str, patterns: tuple[str, ...] = ("*",)) -> str:
    """Return 16 hex digits over the names and contents of the files directly in ``path`` that match a pattern.

    Hidden files and subfolders do not count. The hash of a large file is cached under its path, size and time of
    modification, so that it is read once.

    Raises:
        UserError: the folder does not exist or cannot be read.
    """
    folder = Path(path)
    try:
        found = sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    except OSError as error:
        raise UserError(
            f"{folder} cannot be read: {error.strerror}", "a readable folder with files", "Check the path."
        ) from None

    digest = hashlib.sha256()
    for file in found:
        if any(fnmatch.fnmatch(file.name, pattern) for pattern in patterns):
            digest.update(f"{file.name}\0{_file_hash(file)}\n".encode())
    return digest.hexdigest()[:16]


def _file_hash(file: Path) -> str:
    state = file.stat()
    if state.st_size < 1 << 20:
        return hashlib.sha256(file.read_bytes()).hexdigest()

    mark = json.dumps([str(file.resolve()), state.st_size, state.st_mtime_ns])
    cached = cache_folder() / "hashes" / f"{hashlib.sha256(mark.encode()).hexdigest()[:32]}.json"
    try:
        known = durable.read_json(cached)
        if isinstance(known, dict) and known.get("mark") == mark:
            return str(known["sha256"])
    except (OSError, ValueError):
        pass

    with file.open("rb") as opened:
        value = hashlib.file_digest(opened, "sha256").hexdigest()
    with contextlib.suppress(OSError):  # a read-only cache only costs time
        durable.write_json(cached, {"mark": mark, "sha256": value})
    return value
