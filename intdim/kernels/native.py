"""The products on a CPU in C (``c/*.c``): called through ctypes.

They come with the package, in a wheel for this kind of processor (``shipped.py``), or are compiled once for this
processor and cached (``compiler.py``). That needs a C compiler (``cc``, ``gcc`` or ``clang``) and a few seconds; one
that ``CC`` names is always used. Without one, on Windows, or with ``INTDIM_NATIVE=0``, the torch twins compute the same
numbers, bit for bit but for ``kronecker`` (to rounding), and up to twenty times slower; ``reason()`` says why, and
``intdim doctor`` prints it. A library that does not agree with the torch twin is not used.

Threads are torch's: the library is not linked against OpenMP and finds the one that torch has loaded.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from intdim.errors import UserError, echo
from intdim.kernels.compiler import find_compiler, library_file
from intdim.kernels.flow import Destination, Gradient
from intdim.kernels.shipped import shipped_library

EXAMINE = "import sys; from intdim.kernels import native; native.examine(sys.argv[1])"
UNUSED = "The products in C are not used; torch is slower"
DIFFERENT = "this compiler makes products in C that differ from the torch twin"
PADDING = 48  # as in common.h
STREAM_FROM = 1 << 22  # weights (16 MiB): a smaller theta may still be in the cache when the model reads it

logger = logging.getLogger(__name__)

POINTER, LONG, WORD, INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint64, ctypes.c_int
SEGMENTS = [POINTER, POINTER, LONG, LONG]  # starts, factors, how many, offset
SIGNATURES = {
    "blocks_matvec": [POINTER] * 4 + [LONG] * 3 + [WORD] * 2 + [POINTER] * 2 + [*SEGMENTS, INT, POINTER, INT],
    "blocks_rmatvec": [POINTER] * 2
    + [LONG] * 4
    + [WORD] * 2
    + [POINTER] * 2
    + [*SEGMENTS, LONG, POINTER, POINTER, INT],
    "cyclic_matvec": [POINTER] * 4 + [LONG] * 3 + [WORD] * 2 + [*SEGMENTS, INT, POINTER, INT],
    "cyclic_rmatvec": [POINTER] * 2 + [LONG] * 4 + [WORD] * 2 + [*SEGMENTS, LONG, POINTER, POINTER, INT],
    "tiles_matvec": [POINTER] * 4 + [LONG] + [POINTER] * 2 + [LONG] * 3 + [*SEGMENTS, INT, POINTER, INT],
    "tiles_rmatvec": [POINTER] * 2 + [LONG] + [POINTER] * 2 + [LONG] * 3 + [*SEGMENTS, LONG, POINTER, POINTER, INT],
    "strata_matvec": [POINTER] * 4 + [LONG] * 3 + [WORD] * 2 + [*SEGMENTS, INT, POINTER, INT],
    "strata_rmatvec": [POINTER] * 2 + [LONG] * 7 + [WORD] * 2 + [*SEGMENTS, LONG, POINTER, POINTER, INT],
}


def supports(*tensors: Tensor | None) -> bool:
    """Return whether the products in C can use these tensors: float32, contiguous, on the CPU, and a library exists."""
    for tensor in tensors:
        if tensor is None:
            continue
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or not tensor.is_contiguous():
            return False
    return library() is not None


def library() -> ctypes.CDLL | None:
    """Return the loaded library, or None if there is none; ``reason()`` says why. The first call compiles it."""
    return _loaded()[0]


def width() -> int:
    """Return how many numbers a vector in the library holds."""
    made = library()
    assert made is not None
    return ctypes.c_int32.in_dll(made, "intdim_width").value


def reason() -> str:
    """Return how products are computed on the CPU, as text for a log."""
    return _loaded()[1]


@cache
def _loaded() -> tuple[ctypes.CDLL | None, str]:
    if os.environ.get("INTDIM_NATIVE", "") == "0":
        return None, "torch (INTDIM_NATIVE=0)"
    if not os.environ.get("CC"):
        found = _shipped()
        if found is not None:
            return found
    try:
        compiler = find_compiler()
        if compiler is None:
            logger.warning(
                "The products in C are not used; torch is slower: there is no C compiler (gcc, clang, or CC)"
            )
            return None, "torch, slower (no C compiler: install gcc or clang, or name one in CC)"
        with library_file(compiler, EXAMINE) as file:
            made = _load(file)
    except OSError as error:
        logger.warning("%s: %s", UNUSED, echo(error, 300))
        return None, "torch, slower (the products in C could not be compiled or loaded)"

    if not _agrees(made):
        logger.warning("The products in C differ from the torch twin and are not used (compiled by %s)", compiler[0])
        return None, "torch, slower (this compiler makes products in C that are wrong)"
    return made, f"C ({Path(compiler[0]).name})"


def _shipped() -> tuple[ctypes.CDLL, str] | None:
    """Return the library that came with the package and ``reason()``, None where there is none that can be used."""
    try:
        found = shipped_library()
        if found is None:
            return None
        made = _load(found[1])
        if not _agrees(made):
            raise OSError("they differ from the torch twin")
    except OSError as error:
        logger.warning("The products in C that came with this package are not used: %s", echo(error, 300))
        return None
    return made, f"C (shipped for {found[0]})"


def examine(path: str) -> None:
    """Load a library and compare what it computes, in a process of its own; see ``compiler``.

    Raises:
        OSError: it cannot be loaded, lacks a function, or computes something else.
    """
    if not _agrees(_load(Path(path))):
        raise OSError(DIFFERENT)


def _load(path: Path) -> ctypes.CDLL:
    made = ctypes.CDLL(str(path))
    for name in ("width", *SIGNATURES):
        if not hasattr(made, f"intdim_{name}"):
            raise OSError(f"the library lacks intdim_{name}")
    for name, types in SIGNATURES.items():
        function = getattr(made, f"intdim_{name}")
        function.argtypes, function.restype = types, None
    return made


def _agrees(made: ctypes.CDLL) -> bool:
    """Return whether the library computes one block of H B2 H B1 as butterflies in torch do, bit for bit."""
    from intdim.kernels import butterflies, streams

    z = torch.arange(-100, 412, dtype=torch.float32) / 7
    out, scratch = torch.empty(512), torch.empty(2 * (512 + PADDING))
    addresses, sizes, nothing = [out.data_ptr(), None, None, z.data_ptr()], [512, 512, 1, 3, 4], [None] * 4
    made.intdim_blocks_matvec(*addresses, *sizes, *nothing, 0, 0, 0, scratch.data_ptr(), 1)

    inner = butterflies.transform((z * streams.signs(3, 0, 512)).view(512, 1))
    return torch.equal(out, butterflies.transform(inner * streams.signs(4, 0, 512)[:, None]).view(-1))


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _segments(flow: Destination | Gradient) -> list[Any]:
    if flow.scaling is None:
        return [None, None, 0, 0]
    starts, factors = flow.scaling.starts, flow.scaling.factors
    return [starts.data_ptr(), factors.data_ptr(), starts.numel(), flow.offset]


def _function(name: str) -> Callable[..., None]:
    made = library()
    if made is None:
        raise UserError("There is no compiled library.", f"Products are computed by {reason()}.", "Use the torch twin.")
    return getattr(made, f"intdim_{name}")


def matvec(name: str, to: Destination, z: Tensor, rows: int, arguments: tuple[Any, ...], scratch: int) -> None:
    """Call ``<name>_matvec``: write P z for ``rows`` rows to ``to``.

    Args:
        name: ``blocks``, ``cyclic``, ``tiles`` or ``strata``.
        to: where the result goes, float32.
        z: what the function reads, float32, contiguous.
        rows: D of this piece; for ``tiles``, the number of tiles.
        arguments: what stands between ``rows`` and the segments, in order; tensors are passed by address.
        scratch: numbers of scratch memory for each thread, without the padding between buffers.
    """
    threads = torch.get_num_threads()
    memory = torch.empty(threads * (scratch + 2 * PADDING))
    stream = to.out is not None and to.out.numel() >= STREAM_FROM
    passed = [_address(item) if isinstance(item, Tensor) else item for item in arguments]
    addresses = [_address(to.out), _address(to.base), _address(to.image), z.data_ptr()]
    _function(f"{name}_matvec")(*addresses, rows, *passed, *_segments(to), int(stream), memory.data_ptr(), threads)


def rmatvec(
    name: str, source: Gradient, rows: int, arguments: tuple[Any, ...], length: int, lanes: int, scratch: int
) -> Tensor:
    """Call ``<name>_rmatvec`` and return its ``length`` sums, accumulated in ``lanes``; the rest as in ``matvec``."""
    threads = torch.get_num_threads()
    memory = torch.empty(threads * (scratch + 2 * PADDING))
    total, sums = torch.empty(length), torch.empty(lanes * length)
    passed = [_address(item) if isinstance(item, Tensor) else item for item in arguments]
    work = [sums.data_ptr(), memory.data_ptr(), threads]
    _function(f"{name}_rmatvec")(total.data_ptr(), source.g.data_ptr(), rows, *passed, *_segments(source), lanes, *work)
    return total
