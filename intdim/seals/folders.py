"""Folders that are complete: ``hashes.json`` lists the SHA-256 of the files that a number may rest on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.seals.damage import MISSING, Damaged
from intdim.seals.records import read_sealed, write_sealed

HASHES = "hashes.json"
VERSION = 1  # of what a folder holds, where its name says that already


def sha256(file: Path) -> str:
    """Return the SHA-256 of a plain file.

    Raises:
        OSError: it cannot be read, or is something else.
    """
    with durable.opened(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def complete(folder: Path, last: str, value: Any, names: Iterable[str], version: int = VERSION) -> None:
    """Write ``hashes.json`` and, last, the JSON file that marks a folder as complete.

    Args:
        folder: where.
        last: name of the file that marks it.
        value: content of that file.
        names: other files that are sealed, as far as they are there.
        version: of what the folder holds.
    """
    files = {name: sha256(folder / name) for name in names if os.path.lexists(folder / name)}
    files[last] = hashlib.sha256(durable.json_text(value).encode("utf-8")).hexdigest()
    write_sealed(folder / HASHES, folder.name, {"version": version, "files": files})
    durable.write_json(folder / last, value)


def add(folder: Path, names: Iterable[str], version: int = VERSION) -> None:
    """Add files that were made later to a folder's hashes.

    Raises:
        Damaged: there are no hashes to add to.
    """
    files = listed(folder, version) | {name: sha256(folder / name) for name in names}
    write_sealed(folder / HASHES, folder.name, {"version": version, "files": files})


def listed(folder: Path, version: int = VERSION) -> dict[str, str]:
    """Return the SHA-256 of each sealed file of a complete folder.

    Raises:
        Damaged: hashes.json is missing, damaged, or of another folder or version.
    """
    files, found = _read(folder)
    if found != version:
        raise Damaged(folder / HASHES, f"it is of version {found}, this is {version}")
    return files


def sealed_version(folder: Path) -> int:
    """Return the version of what a complete folder holds, whichever it is.

    Raises:
        Damaged: hashes.json is missing, damaged, or of another folder.
    """
    return _read(folder)[1]


def _read(folder: Path) -> tuple[dict[str, str], int]:
    """Return the hashes and the version that a folder's hashes.json holds."""
    file = folder / HASHES
    found = read_sealed(file, folder.name)
    if found is None:
        raise Damaged(file, MISSING)

    files = found.get("files") if isinstance(found, dict) else None
    if not isinstance(files, dict) or not all(isinstance(value, str) for value in files.values()):
        raise Damaged(file, "it is no list of hashes")
    if type(found.get("version")) is not int:
        raise Damaged(file, f"it is of version {found.get('version')!r:.20}")
    return files, found["version"]


def check(
    folder: Path,
    names: Sequence[str] | None = None,
    *,
    version: int = VERSION,
    optional: Sequence[str] = (),
    digest: Callable[[Path], str] = sha256,
) -> dict[str, str]:
    """See that sealed files of a complete folder are what they were; return the hashes of all that are sealed.

    Args:
        folder: which.
        names: the files to look at, as far as they are sealed; None: all.
        version: of what it holds.
        optional: files that may be gone.
        digest: gives the SHA-256 of a file.

    Raises:
        Damaged: one is missing, cannot be read, or differs.
    """
    files = listed(folder, version)
    for name, known in files.items():
        if names is None or name in names:
            try:
                found = digest(folder / name)
            except OSError as error:
                if name in optional and not os.path.lexists(folder / name):
                    continue
                raise Damaged(folder / name, error) from error
            if found != known:
                raise Damaged(folder / name, "it was changed after it was written")
    return files


def read(folder: Path, name: str, version: int = VERSION) -> bytes | None:
    """Return the content of one sealed file, None where the folder was completed without it.

    Raises:
        Damaged: it is missing, cannot be read, or was changed.
    """
    known = listed(folder, version).get(name)
    if known is None:
        return None
    try:
        data = durable.read_bytes(folder / name)
    except OSError as error:
        raise Damaged(folder / name, error) from error
    if hashlib.sha256(data).hexdigest() != known:
        raise Damaged(folder / name, "it was changed after it was written")
    return data
