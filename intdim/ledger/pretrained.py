"""The folder of a pre-training: hashes of its record, its tokenizer and its checkpoints, so that what fails is found.

``hashes.json`` also says which pre-training it is, so that a record that is lost can be written again. Unlike that of a
run, the folder may have any name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from intdim import seals
from intdim.seals import HASHES, Damaged

NAME = "pretrain"
RECORD, TOKENIZER, STATE, FINAL = "pretrain.json", "tokenizer", "state.safetensors", "final"
METRICS = "metrics.jsonl"


def seal(out: Path, identity: str, *parts: str) -> None:
    """List the hashes of parts of a pre-training (files, or folders with all files in them), in place of those that
    were listed of them; of a part that is not there, none."""
    try:
        known = listed(out, identity) or {}
    except Damaged:
        known = {}
    files = {name: value for name, value in known.items() if name.partition("/")[0] not in parts}
    for part in parts:
        for name in _files(out, part):
            files[name] = seals.sha256(out / name)
    seals.room_for(out / HASHES, out)
    seals.write_sealed(out / HASHES, NAME, {"identity": identity, "files": files})


def listed(out: Path, identity: str) -> dict[str, str] | None:
    """Return the hashes of the files of a pre-training by name, None where none are kept.

    Raises:
        Damaged: hashes.json is damaged, or of another pre-training.
    """
    content = seals.read_sealed(out / HASHES, NAME)
    if content is None:
        return None
    if not isinstance(content, dict) or content.get("identity") != identity:
        raise Damaged(out / HASHES, "it is of another pre-training")
    return content["files"]


def check(files: dict[str, str], out: Path, part: str, digest: Callable[[Path], str] = seals.sha256) -> None:
    """See that a part of a pre-training is what was listed.

    Raises:
        Damaged: a file of it is missing, cannot be read, was changed, or is not listed.
    """
    own = {name: known for name, known in files.items() if name.partition("/")[0] == part}
    if not own:
        raise Damaged(out / part, f"{HASHES} does not list it")
    for name, known in own.items():
        try:
            found = digest(out / name)
        except OSError as error:
            raise Damaged(out / name, error) from error
        if found != known:
            raise Damaged(out / name, "it was changed after it was written")
    more = sorted(set(_files(out, part)) - set(own))
    if more:
        raise Damaged(out / more[0], "it was put there afterwards")


def damage_of(out: Path, parts: Iterable[str], digest: Callable[[Path], str]) -> Damaged | None:
    """Return what is wrong with checkpoints of a pre-training, whichever it is; None where nothing is."""
    try:
        content = seals.read_sealed(out / HASHES, NAME)
        if not isinstance(content, dict):
            raise Damaged(out / HASHES, "it is missing")
        for part in parts:
            check(content["files"], out, part, digest)
    except Damaged as error:
        return error
    return None


def parts_of(out: Path) -> list[str]:
    """Return the parts of a pre-training that are there, but for the lock."""
    names = [RECORD, TOKENIZER, STATE, FINAL, METRICS, HASHES, *sorted(entry.name for entry in out.glob("step-*"))]
    return [name for name in names if os.path.lexists(out / name)]


def _files(out: Path, part: str) -> list[str]:
    """Return the names below ``out`` of a part's files: of the part itself, or of all in its folder."""
    path = out / part
    if path.is_dir() and not path.is_symlink():
        return sorted(file.relative_to(out).as_posix() for file in path.rglob("*") if not file.is_dir())
    return [part] if os.path.lexists(path) else []
