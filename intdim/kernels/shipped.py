"""The compiled products inside a wheel: those of ``c/*.c`` for a few kinds of processor, made when the wheel was built.

``scripts/build_products.py`` puts them into ``products/`` beside this file, with a record: the machine, a hash of the
sources and options they were made from, and a hash of each library. A library is taken if all three are right and the
processor has what it needs; else the sources are compiled as in a clone, or torch computes.

This module imports nothing but the standard library: the build of a wheel has no torch.
"""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

SOURCES = Path(__file__).parent / "c"
PRODUCTS = Path(__file__).parent / "products"
RECORD = "products.json"
FLAGS = "-std=c11 -O3 -ffp-contract=off -fno-math-errno -fPIC"
LEVELS = {  # machine -> kinds of processor (-march), the best first, and what /proc/cpuinfo must list for them
    "x86_64": {
        "x86-64-v4": "avx512f avx512bw avx512cd avx512dq avx512vl avx avx2 bmi1 bmi2 f16c fma abm movbe",
        "x86-64-v3": "avx avx2 bmi1 bmi2 f16c fma abm movbe",
    },
    "aarch64": {"armv8-a": "asimd"},
}
LARGEST = 1 << 26  # bytes of a library


def made_from() -> str:
    """Return a hash of the sources and options that libraries are made from."""
    digest = hashlib.sha256(FLAGS.encode())
    for source in sorted(SOURCES.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def record(libraries: dict[str, bytes]) -> str:
    """Return the text of the record of libraries, by kind of processor."""
    hashes = {level: hashlib.sha256(data).hexdigest() for level, data in libraries.items()}
    return json.dumps({"machine": platform.machine(), "made_from": made_from(), "libraries": hashes}, indent=1) + "\n"


def shipped_library() -> tuple[str, Path] | None:
    """Return the best library that was shipped for this processor, and for which kind it is; None where there is none.

    Raises:
        OSError: there are libraries, and they cannot be read, are for another machine or other sources, or damaged.
    """
    if not (PRODUCTS / RECORD).is_file():
        return None
    try:
        known = json.loads((PRODUCTS / RECORD).read_text(encoding="utf-8"))
        machine, sources, libraries = known["machine"], known["made_from"], dict(known["libraries"])
    except (ValueError, TypeError, KeyError) as error:
        raise OSError(f"{PRODUCTS / RECORD} cannot be read: {error}") from None
    if machine != platform.machine():
        raise OSError(f"the products in this package are for {machine}, and this machine is {platform.machine()}")
    if sources != made_from():
        raise OSError("the products in this package were made from other sources")

    there = _features()
    for level, needed in LEVELS.get(machine, {}).items():
        if level in libraries and there.issuperset(needed.split()):
            file = PRODUCTS / f"{level}.so"
            if file.stat().st_size > LARGEST or hashlib.sha256(file.read_bytes()).hexdigest() != libraries[level]:
                raise OSError(f"{file} is damaged")
            return level, file
    return None


def _features() -> set[str]:
    """Return what this processor can do, in the words of /proc/cpuinfo; nothing where that is not said."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    listed = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return set(next(listed, "").split())
