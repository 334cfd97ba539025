"""Records that stand alone: JSON that carries the name it is kept under and its own hash."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.seals.damage import Damaged, shown


def write_sealed(file: Path, name: str, content: Any) -> None:
    """Write JSON with the name it is kept under and its hash."""
    durable.write_json(file, {"name": name, "sha256": content_hash(content), "content": content})


def read_sealed(file: Path, name: str) -> Any | None:
    """Return the content that ``write_sealed`` wrote under a name, None where there is no file.

    Raises:
        Damaged: it cannot be read, was changed, or is kept under another name.
    """
    try:
        found = durable.read_json(file)
    except NotADirectoryError:
        return None  # a file stands where its folder belongs
    except (OSError, ValueError) as error:
        raise Damaged(file, error) from error
    if found is None and not os.path.lexists(file):
        return None

    if not isinstance(found, dict) or set(found) != {"name", "sha256", "content"}:
        raise Damaged(file, "it is no sealed record")
    if found["name"] != name:
        raise Damaged(file, f"it belongs to {shown(str(found['name']))[:80]}")
    if found["sha256"] != content_hash(found["content"]):
        raise Damaged(file, "it was changed after it was written")
    return found["content"]


def content_hash(content: Any) -> str:
    """Return the SHA-256 of JSON data, whatever its layout."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode("utf-8")).hexdigest()
