"""The outer form of a safetensors file, read before any tensor is: how large they are, and the text about them.

Eight bytes say how long a table of JSON is, which names each tensor with its type, shape and place; the rest are the
tensors' bytes. A file is believed only where the table accounts for every byte.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intdim import durable

LARGEST_TABLE = 1 << 22  # bytes
LARGEST = 1 << 33  # bytes of tensors
DEEPEST = 8  # tables within tables
MOST_TENSORS = 8
BYTES = {"F32": 4, "F64": 8, "F16": 2, "BF16": 2, "U8": 1, "I8": 1, "I16": 2, "I32": 4, "I64": 8, "BOOL": 1}


@dataclass(frozen=True)
class Layout:
    """What a file says of itself: bytes of all tensors together, and its metadata."""

    size: int
    metadata: dict[str, str]


def read_layout(path: Path) -> Layout:
    """Return the outer form of a file of a few tensors.

    Raises:
        OSError: it cannot be read, or is no plain file.
        ValueError: it is no safetensors file, or its table does not account for its bytes.
    """
    with durable.opened(path) as file:
        whole = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if whole < 8 or length > min(LARGEST_TABLE, whole - 8):
            raise ValueError(f"a table of {length:,} bytes in a file of {whole:,}")
        table = parsed(file.read(length).decode("utf-8"))

    metadata = table.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("metadata that is no table of texts")
    if len(table) > MOST_TENSORS:
        raise ValueError(f"{len(table)} tensors")

    size = _size(table)
    if size != whole - 8 - length or size > LARGEST:
        raise ValueError(f"tensors of {size:,} bytes in a file of {whole:,}")
    return Layout(size, metadata)


def parsed(text: str) -> dict[str, Any]:
    """Return a table of JSON. NaN, infinity, numbers beyond float64 and a name that occurs twice are none.

    Raises:
        ValueError: it is not one, or nests too deeply.
    """
    try:
        found = json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("tables nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("no table")

    level: list[Any] = [found]
    for _ in range(DEEPEST):
        level = [inner for value in level for inner in _inner(value)]
    if level:
        raise ValueError("tables nested too deeply")
    return found


def _size(table: dict[str, Any]) -> int:
    """Return the bytes of all tensors; they follow each other without a gap."""
    places = []
    for name, one in table.items():
        if not isinstance(one, dict) or set(one) != {"dtype", "shape", "data_offsets"} or one["dtype"] not in BYTES:
            raise ValueError(f"tensor {name!r:.80} is none")
        if not _are_sizes(one["shape"]) or not _are_sizes(one["data_offsets"]) or len(one["data_offsets"]) != 2:
            raise ValueError(f"tensor {name!r:.80} has no size")
        start, stop = one["data_offsets"]
        if stop - start != math.prod(one["shape"]) * BYTES[one["dtype"]]:
            raise ValueError(f"tensor {name!r:.80} has another size than its shape")
        places.append((start, stop))

    end = 0
    for start, stop in sorted(places):
        if start != end:
            raise ValueError("tensors that overlap, or leave a gap")
        end = stop
    return end


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 8 and all(type(one) is int and 0 <= one < 1 << 48 for one in value)


def _inner(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _refuse(word: str) -> None:
    raise ValueError(word)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]}")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name that occurs twice")
    return table
