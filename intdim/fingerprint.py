"""Hashes of the content of files: a folder is identified by what is in it, not by its path or its dates."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
from pathlib import Path

from intdim import durable, seals
from intdim.caches import cache_folder
from intdim.errors import UserError
from intdim.seals import Damaged

# The files of a model's folder by whose content it is named
MODEL_FILES = ("*.json", "*.txt", "*.model", "*.tiktoken", "*.py", "*.safetensors", "pytorch_model*.bin")
HOLLOW_FROM, HOLLOW = 1 << 30, 100  # bytes of a file, over those it takes: no disk packs data a hundredfold


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
            try:
                digest.update(os.fsencode(file.name) + f"\0{file_hash(file)}\n".encode())
            except OSError as error:
                raise UserError(f"{seals.shown(file)} cannot be read: {seals.words(error)}", "", "") from None
    return digest.hexdigest()[:16]


def file_hash(file: Path) -> str:
    """Return the SHA-256 of a file; that of a large one is remembered until its size or one of its times changes.

    Raises:
        OSError: it cannot be read.
        UserError: hardly any of it was ever written, as of a file that is reserved for a download; to read it would
            take minutes.
    """
    state = file.stat()
    if state.st_size >= HOLLOW_FROM and 512 * getattr(state, "st_blocks", state.st_size) * HOLLOW < state.st_size:
        raise UserError(
            f"{seals.shown(file)} is hollow: of its {state.st_size:,} bytes hardly any were ever written",
            "a whole file",
            "Fetch it again, or remove it.",
        )
    if state.st_size < 1 << 20:
        return hashlib.sha256(durable.read_bytes(file)).hexdigest()

    mark = json.dumps([str(file.resolve()), state.st_size, state.st_ino, state.st_mtime_ns, state.st_ctime_ns])
    cached = cache_folder() / "hashes" / f"{hashlib.sha256(mark.encode()).hexdigest()[:32]}.json"
    try:
        known = seals.read_sealed(cached, mark)
        if isinstance(known, str):
            return known
    except Damaged as error:
        with contextlib.suppress(OSError):
            seals.set_aside([cached], cache_folder(), f"{error.parts[0]}: the file is read again")

    value = seals.sha256(file)
    with contextlib.suppress(OSError):  # a read-only cache only costs time
        seals.room_for(cached, cache_folder())
        seals.write_sealed(cached, mark, value)
    return value
