"""What preparation found, remembered: so that a second identical command starts neither torch nor a tokenizer.

The answer for a cell is kept in the cache folder under a key made of the request, the content of local files, and the
versions that decide it. A hub reference is resolved once; ``intdim fetch`` resolves it anew.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.fingerprint import cache_folder, fingerprint_folder
from intdim.request import CellRequest
from intdim.spec import Prepared, digest, from_dict, to_dict

PREPARED_VERSION = 2  # raised by hand when preparation would find something else for the same request
PACKAGES = ("intdim", "transformers", "tokenizers", "datasets")


def key(cell: CellRequest) -> str:
    """Return the name under which a cell's preparation is kept; local and built-in data and weights count by
    content."""
    reference = cell.task.reference or cell.task.name
    request: dict[str, Any] = {
        "model": to_dict(cell.model) | {"path": _content(cell.model.path)},
        "task": to_dict(cell.task) | {"path": _content(cell.task.path)},
        "exclude": list(cell.subspace.exclude),
        "task_files": _assets(f"tasks/{reference}") if cell.task.source == "builtin" else "",
        "model_files": _assets(cell.model.reference) if cell.model.source == "builtin" else "",
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "prepared_version": PREPARED_VERSION,
    }
    return digest(request)


def lookup(cell: CellRequest) -> Prepared | None:
    """Return what is known about a cell, or None where it was never prepared or its files are gone."""
    data = durable.read_json(_file(cell))
    if data is None:
        return None
    try:
        prepared = from_dict(Prepared, data)
    except ValueError:
        return None  # written by another version
    if cell.model.source == "local":  # the same weights may lie elsewhere now
        folder = str(Path(cell.model.path).resolve())
        data["facts"]["model_folder"] = folder
        prepared = from_dict(Prepared, data)
    there = Path(prepared.facts.model_folder).is_dir() and Path(prepared.facts.task_folder).is_dir()
    return prepared if there else None


def store(cell: CellRequest, prepared: Prepared) -> None:
    """Remember what preparation found."""
    durable.write_json(_file(cell), to_dict(prepared))


def _file(cell: CellRequest) -> Path:
    return cache_folder() / "prepared" / f"{key(cell)}.json"


def _content(path: str) -> str:
    return fingerprint_folder(Path(path)) if path and Path(path).is_dir() else path


def _assets(name: str) -> str:
    """Return the content of a folder that the package ships, or its path where there is none: preparation says so."""
    return _content(str(Path(__file__).parents[1] / "assets" / name))
