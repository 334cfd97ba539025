"""The library of ``c/*.c``: compiled once for this processor, tried in a process of its own, and kept in the cache.

A library is code that runs with the user's rights. It is loaded only from a folder that belongs to the user (or the
system's owner) and that nobody else can write to, and only where its hash is the one that was written beside it. From
any other cache folder nothing is taken: each process then compiles a copy for itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from intdim import durable
from intdim.caches import cache_folder
from intdim.errors import echo
from intdim.kernels import shipped
from intdim.kernels.patient import call
from intdim.kernels.shipped import LARGEST, SOURCES
from intdim.seals.ownership import is_ours, locked, why_unsafe

FLAGS = f"{shipped.FLAGS} -march=native"
COMPILER_SECONDS = 60.0  # for all sources together; two are usual
EXAMINE_SECONDS = 120.0  # most of it is the import of torch
REMEMBERED = 600.0  # seconds in which a compiler that failed is not tried again

logger = logging.getLogger(__name__)


def find_compiler() -> list[str] | None:
    """Return the command of a C compiler, or None.

    Raises:
        OSError: the variable CC is no command line, or names no program.
    """
    if platform.system() == "Windows":
        return None
    try:
        named = shlex.split(os.environ.get("CC", ""))
    except ValueError as error:
        raise OSError(f"CC={echo(os.environ['CC'])} cannot be read: {error}") from None
    for words in [named] if named else [["cc"], ["gcc"], ["clang"]]:
        path = shutil.which(words[0])
        if path:
            return [path, *words[1:]]
    if named:
        raise OSError(f"CC={echo(os.environ['CC'])} names no program that can be run")
    return None


@contextlib.contextmanager
def library_file(compiler: list[str], say: str) -> Iterator[Path]:
    """Give the library for these sources, this compiler and this processor: from the cache, else compiled.

    Args:
        compiler: the command.
        say: Python that examines the library whose path it finds in ``sys.argv[1]``; it fails where that is none.

    Raises:
        OSError: it cannot be compiled, or is no library of ours.
    """
    folder, name = cache_folder() / "native", _name(compiler)
    unsafe = _prepare(folder)
    found = None if unsafe else _cached(folder, name)
    if found:
        yield found
        return

    with contextlib.ExitStack() as stack:
        if not unsafe:
            stack.enter_context(locked(folder / f"{name}.lock", COMPILER_SECONDS + EXAMINE_SECONDS))
            found = _cached(folder, name)  # another process was faster
        if not found:
            _raise_remembered(folder / f"{name}.failed")
            if unsafe:
                logger.warning("The products in C are compiled for this process alone: %s", unsafe)
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="intdim-native-")))
            if why := why_unsafe(scratch):
                raise OSError(why)
            try:
                found = _compile(compiler, scratch)
                _examine(found, say)
            except OSError as error:
                _remember(folder / f"{name}.failed", error, unsafe)
                raise
            found = found if unsafe else _kept(found, folder, name)
        yield found


def _name(compiler: list[str]) -> str:
    digest = hashlib.sha256(" ".join([*compiler, FLAGS, _processor(), torch.__version__]).encode())
    for source in sorted(SOURCES.glob("*.[ch]")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """Return what -march=native depends on: machines with different processors may share a cache folder."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    relevant = sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    return " ".join([platform.machine(), *relevant])


def _prepare(folder: Path) -> str:
    """Make the folder of libraries; return why it cannot be used, "" where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{folder} cannot be made: {error.strerror}"
    return why_unsafe(folder)


def _cached(folder: Path, name: str) -> Path | None:
    """Return a library whose hash is the one beside it; a truncated one would kill the process that loads it."""
    target, checksum = folder / f"{name}.so", folder / f"{name}.sha256"
    try:
        if not is_ours(target) or not is_ours(checksum):
            return None
        known = durable.read_bytes(checksum, 100).decode("ascii", errors="replace").strip()
        return target if hashlib.sha256(durable.read_bytes(target, LARGEST)).hexdigest() == known else None
    except OSError:
        return None


def _compile(compiler: list[str], scratch: Path) -> Path:
    """Compile the sources into a folder; return the library."""
    deadline = time.monotonic() + COMPILER_SECONDS
    objects = []
    for source in sorted(SOURCES.glob("*.c")):
        objects.append(str(scratch / f"{source.stem}.o"))
        call([*compiler, *FLAGS.split(), "-fopenmp", "-c", str(source), "-o", objects[-1]], deadline)
    made = scratch / "made.so"
    call([*compiler, "-shared", *objects, "-o", str(made)], deadline)
    if not made.is_file() or made.stat().st_size > LARGEST:
        raise OSError(f"{compiler[0]} made no library")
    return made


def _examine(library: Path, say: str) -> None:
    """See in a process of its own that a library can be loaded and computes what it should: it may crash."""
    if not sys.executable:
        raise OSError("there is no Python that could examine the library")
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    call([sys.executable, "-P", "-c", say, str(library)], time.monotonic() + EXAMINE_SECONDS, environment)


def _kept(library: Path, folder: Path, name: str) -> Path:
    """Copy a library into the cache and return it there; where that cannot be written, as it is."""
    data = library.read_bytes()
    try:
        durable.write_bytes(folder / f"{name}.so", data)
        durable.write_text(folder / f"{name}.sha256", hashlib.sha256(data).hexdigest() + "\n")
    except OSError as error:
        logger.warning("The products in C are compiled for this process alone: %s (%s)", folder, error.strerror)
        return library
    return _cached(folder, name) or library


def _raise_remembered(file: Path) -> None:
    """Raise the error of a compiler that failed a moment ago: a hanging one would cost each process a minute."""
    try:
        fresh = is_ours(file) and 0 <= time.time() - file.stat().st_mtime < REMEMBERED
        said = durable.read_bytes(file, 4096).decode("utf-8", errors="replace") if fresh else ""
    except OSError:
        return
    if said:
        raise OSError(echo(said.strip(), 300))


def _remember(file: Path, error: OSError, unsafe: str) -> None:
    if not unsafe:
        with contextlib.suppress(OSError):
            durable.write_text(file, f"{error}\n")
