"""Records read at a glance: the fields of one JSON file, its hash, names and plain types checked, nothing converted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import types
import typing
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.seals import HASHES, Damaged, check
from intdim.spec import LAYOUT_VERSION

PLAIN = (str, int, float, bool, types.NoneType)
LISTS = ("run_ids", "baseline_run_ids", "other_run_ids")  # of a verdict: the runs that it stands on
_KINDS: dict[type, dict[str, tuple[type, ...]]] = {}


def fields_of(kind: type, file: Path) -> dict[str, Any] | None:
    """Return the fields of a record of a complete folder as they stand in its file, None where there is no file. Its
    hash, the names of the fields, and the types of the plain ones are checked.

    Raises:
        Damaged: it cannot be read, was changed, or is no such record.
    """
    try:
        whole = durable.read_bytes(file)
        data = json.loads(whole.decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, OSError, RecursionError) as error:
        raise Damaged(file, error) from error

    check_seal(file, whole)
    kinds = _kinds(kind)
    if not isinstance(data, dict) or data.keys() != kinds.keys():
        raise Damaged(file, f"its fields are not those of a {kind.__name__} of this version")
    for name, allowed in kinds.items():
        if allowed and type(data[name]) not in allowed:
            raise Damaged(file, f"{name} is {data[name]!r:.40}")
    for name in LISTS:
        if name in kinds and not all(isinstance(run, str) for run in data[name]):
            raise Damaged(file, f"{name} is no list of ids")
    return data


def check_seal(file: Path, content: bytes) -> None:
    """See that a file of a complete folder is what was written.

    Raises:
        Damaged: it is not, or its folder has no whole list of hashes.
    """
    try:
        hashes = durable.read_bytes(file.with_name(HASHES))
    except OSError:
        hashes = b""
    line = f'"{file.name}": "{hashlib.sha256(content).hexdigest()}"'
    if line.encode() not in hashes:  # read as it is written, since ten thousand are; otherwise see what is wrong
        check(file.parent, (file.name,), version=LAYOUT_VERSION)


def folder_names(parent: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted; hidden ones are left out."""
    try:
        with os.scandir(parent) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    except OSError:
        return []


def _kinds(kind: type) -> dict[str, tuple[type, ...]]:
    """Return the types that JSON may have for each field of a record, () for any."""
    if kind not in _KINDS:
        hints = typing.get_type_hints(kind)
        _KINDS[kind] = {one.name: _allowed(hints[one.name]) for one in dataclasses.fields(kind)}
    return _KINDS[kind]


def _allowed(hint: Any) -> tuple[type, ...]:
    parts = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if typing.get_origin(hint) is list:
        return (list,)
    if not all(part in PLAIN for part in parts):
        return ()
    return tuple(dict.fromkeys([*parts, *((int,) if float in parts else ())]))
