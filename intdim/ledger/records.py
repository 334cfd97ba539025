"""Files of the ledger read as types: what is no such file is damage, and named."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, TypeVar

from intdim import durable
from intdim.seals import Damaged
from intdim.spec import from_dict

T = TypeVar("T")


def read_record(kind: type[T], file: Path) -> T | None:
    """Return the dataclass that a JSON file holds, None where there is no file.

    Raises:
        Damaged: the file cannot be read, is no JSON, or its fields are not those of ``kind``.
    """
    try:
        data = durable.read_json(file)
        return None if data is None and not os.path.lexists(file) else from_dict(kind, data)
    except NotADirectoryError:
        return None  # a file stands where its folder belongs
    except (ValueError, OSError) as error:
        raise Damaged(file, error) from error


def readable(kind: type[T], file: Path) -> T | None:
    """Return what a file holds, or None where there is none that can be read."""
    try:
        return read_record(kind, file)
    except Damaged:
        return None


def read_text(file: Path) -> str:
    """Return the text of a file that a person may read, "" where there is none or it cannot be read."""
    try:
        return durable.read_bytes(file).decode("utf-8", errors="replace")
    except OSError:
        return ""


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics.jsonl; a line that a kill tore is left out."""
    lines = []
    for line in read_text(folder / "metrics.jsonl").splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            lines.append(json.loads(line))
    return [line for line in lines if isinstance(line, dict)]


def folders(parent: Path) -> list[Path]:
    """Return the folders in a folder, by name; hidden ones and what cannot be read are left out."""
    try:
        return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []
