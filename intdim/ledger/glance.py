"""Records read at a glance: the fields of one JSON file, their names and plain types checked, nothing converted."""

from __future__ import annotations

import dataclasses
import json
import os
import types
import typing
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.seals import Damaged

PLAIN = (str, int, float, bool, types.NoneType)
LISTS = ("run_ids", "baseline_run_ids", "other_run_ids")  # of a verdict: the runs that it stands on
_KINDS: dict[type, dict[str, tuple[type, ...]]] = {}


def fields_of(kind: type, file: Path) -> dict[str, Any] | None:
    """Return the fields of a record as they stand in its file, None where there is no file. Their names and the types
    of the plain ones are checked.

    Raises:
        Damaged: it cannot be read, or is no such record.
    """
    try:
        data = json.loads(durable.read_bytes(file).decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, OSError, RecursionError) as error:
        raise Damaged(file, error) from error

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
