"""What preparation found, remembered: so that a second identical command starts neither torch nor a tokenizer.

The answer for a cell is kept in the cache folder under a key made of the request, the content of local files, and the
versions that decide it. A hub reference is resolved once; ``intdim fetch`` resolves it anew.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
from pathlib import Path
from typing import Any

from intdim import seals
from intdim.caches import cache_folder
from intdim.fingerprint import MODEL_FILES, file_hash, fingerprint_folder
from intdim.ledger.origin import own_version
from intdim.request import CellRequest
from intdim.seals import Damaged, Tell
from intdim.spec import Prepared, digest, from_dict, to_dict

PREPARED_VERSION = 6  # raised by hand when preparation would find something else for the same request
MOST_FILES = 100_000  # of a folder in the hub's layout; with more, preparation refuses it
ASSETS = Path(__file__).parents[1] / "assets"  # what the package ships
PACKAGES = ("transformers", "tokenizers", "datasets")


def key(cell: CellRequest) -> str:
    """Return the name under which a cell's preparation is kept; local and built-in data and weights count by
    content."""
    reference = cell.task.reference or cell.task.name
    hub = cell.task.reference if cell.task.source == "hub" else ""  # may be a folder in the hub's own layout
    request: dict[str, Any] = {
        "model": to_dict(cell.model) | {"path": _model(cell.model.path)},
        "task": to_dict(cell.task) | {"path": _rows(cell.task.path, "*/state.json")},  # saved data sets
        "hub": _rows(hub, "**/*"),
        "exclude": list(cell.subspace.exclude),
        "task_files": _assets(f"tasks/{reference}") if cell.task.source == "builtin" else "",
        "model_files": _assets(cell.model.reference) if cell.model.source == "builtin" else "",
        "versions": {"intdim": own_version()} | {name: importlib.metadata.version(name) for name in PACKAGES},
        "prepared_version": PREPARED_VERSION,
    }
    return digest(request)


def lookup(cell: CellRequest, tell: Tell = seals.warn) -> Prepared | None:
    """Return what is known about a cell, or None where it was never prepared or its files are gone.

    A record, or a prepared task, that is damaged counts as gone and is set aside, which ``tell`` is told.
    """
    file = _file(cell)
    try:
        data = seals.read_sealed(file, file.stem)
    except Damaged as error:
        _set_aside(file, error, tell)
        return None
    if data is None:
        return None
    try:
        prepared = from_dict(Prepared, data)
    except ValueError:
        return None  # written by another version
    weights = _weights(cell)
    if weights is not None:  # the same weights may lie elsewhere now
        data["facts"]["model_folder"] = str(weights.resolve())
        prepared = from_dict(Prepared, data)
    task = Path(prepared.facts.task_folder)
    if not Path(prepared.facts.model_folder).is_dir() or not task.is_dir():
        return None
    if task.parent == (cache_folder() / "tasks").resolve():
        try:
            seals.check(task, digest=file_hash)
        except Damaged as error:
            _set_aside(cache_folder() / "tasks" / task.name, error, tell)
            return None
    return prepared


def store(cell: CellRequest, prepared: Prepared) -> None:
    """Remember what preparation found; a cache that cannot be written costs time, nothing else."""
    file = _file(cell)
    with contextlib.suppress(OSError):
        seals.room_for(file, cache_folder())
        seals.write_sealed(file, file.stem, to_dict(prepared))


def _file(cell: CellRequest) -> Path:
    return cache_folder() / "prepared" / f"{key(cell)}.json"


def _set_aside(path: Path, error: Damaged, tell: Tell) -> None:
    with contextlib.suppress(OSError):  # a cache that cannot be written: it is prepared again each time
        seals.set_aside([path], cache_folder(), f"{error.parts[0]}: prepared again", tell)


def _model(path: str) -> str | list[str]:
    """Return the content of a model's folder and the names of what else is in it, which may be an adapter."""
    folder = Path(path)
    if not path or not folder.is_dir():
        return path
    return [fingerprint_folder(folder, MODEL_FILES), *sorted(seals.shown(entry.name) for entry in folder.iterdir())]


def _weights(cell: CellRequest) -> Path | None:
    """Return the folder of a cell's weights by the request alone, whose content is in the key; None for the hub's."""
    if cell.model.source == "local":
        return Path(cell.model.path)
    return ASSETS / cell.model.reference if cell.model.source == "builtin" else None


def _content(path: str) -> str:
    return fingerprint_folder(Path(path)) if path and Path(path).is_dir() else path


def _rows(path: str, pattern: str) -> str | list[str]:
    """Return the content of a folder of data and of the subfolders in which a file matches the pattern, or the path
    where there is none."""
    folder = Path(path)
    if not path or not folder.is_dir():
        return path
    inside = sorted({entry.parent for entry in itertools.islice(folder.glob(pattern), MOST_FILES)} - {folder})
    return [_content(path), *(f"{one.relative_to(folder)} {fingerprint_folder(one)}" for one in inside)]


def _assets(name: str) -> str:
    """Return the content of a folder that the package ships, or its path where there is none: preparation says so."""
    return _content(str(ASSETS / name))
