"""The cost of the GPU kernels, without a GPU: instructions, registers and spilled bytes of their machine code.

    python scripts/count_instructions.py

Compiles the kernels of one_hot, orthogonal and fastfood for compute capability 9.0 with Triton's assembler and reads
the result with its disassembler. The instructions of a thread divided by its weights bound the time from below: a
multiprocessor issues 4 x 32 per cycle, so k instructions per weight take at least k / 128 cycles (H200: 132
multiprocessors at 1.98 GHz, hence k / 33,000 nanoseconds), however fast memory is. Every instruction is counted once,
so a loop counts as one turn, that is one block. What ``one_hot`` does at the edges alone, where it reads single numbers
and not vectors, is left out. This is not a measurement: it shows which kernels cannot be limited by
memory. Writes scripts/results/gpu-instructions.json.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.experimental.gluon._runtime import GluonASTSource

from intdim.durable import write_json
from intdim.kernels import blocks_gluon, blocks_triton, one_hot_triton

RESULTS = Path(__file__).parent / "results" / "gpu-instructions.json"
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
TYPES = {"order": "*i32", "inverse": "*i32", "starts": "*i64"} | dict.fromkeys(("rows", "offset", "begin"), "i64")
FLOATS = ("z", "image", "sums", "total", "factors", "twice", "copies", "lengths")
WEIGHTS = ("out", "base", "g")
PLAIN = {"HAS_BASE": True, "HAS_IMAGE": False, "SCALED": False}  # theta = theta_0 + P z
ISSUED = 132 * 4 * 32 * 1.98  # instructions of single threads that an H200 issues per nanosecond


def compiled(
    kernel: Any, constants: dict[str, Any], warps: int = 4, dtype: str = "fp32", registers: int | None = None
) -> Any:
    """Return a kernel compiled for compute capability 9.0 and weights of ``dtype``, with at most so many registers."""
    types = {
        name: TYPES.get(name, "*fp32" if name in FLOATS else "i64" if "key" in name else "i32")
        for name in kernel.arg_names
    }
    types |= {name: f"*{dtype}" for name in WEIGHTS if name in types}
    aligned = {(place,): [["tt.divisibility", 16]] for place, kind in enumerate(types.values()) if kind[0] == "*"}
    types |= dict.fromkeys(constants, "constexpr")
    places = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    language = GluonASTSource if kernel.is_gluon() else ASTSource
    source = language(kernel, types, constexprs=places, attrs=aligned)
    options = {"num_warps": warps, "maxnreg": registers}
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)


def count(
    kernel: Any,
    constants: dict[str, Any],
    warps: int,
    weights: int,
    edges: bool = True,
    registers: int | None = None,
) -> dict[str, Any]:
    """Return the figures of one kernel, of which a program with ``warps`` warps computes ``weights`` weights; without
    ``edges``, those of the instructions between branches that read no single numbers."""
    made = compiled(kernel, constants, warps, registers=registers)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(made.asm["cubin"])
        file.flush()
        code = _output("nvdisasm", "-c", file.name)
        usage = _output("cuobjdump", "-res-usage", file.name)

    blocks = re.split(r"^\.L_x_\d+:|(?<=BRA)|(?<=EXIT)", code, flags=re.MULTILINE)
    if not edges:
        blocks = [block for block in blocks if not re.search(r"\bLDG\.E(\.U16)? ", block)]
    instructions = sum(len(re.findall(r"^\s+/\*[0-9a-f]{4,}\*/\s+\S", block, re.MULTILINE)) for block in blocks)
    spent = {name: int(value) for name, value in re.findall(r"(REG|STACK):(\d+)", usage)}
    per_weight = instructions * 32 * warps / weights
    return {
        "warps": warps,
        "instructions_per_weight": per_weight,
        "least_ns_per_weight": per_weight / ISSUED,
        "registers": spent["REG"],
        "spilled_bytes": spent["STACK"],
        "vectors": len(re.findall(r"\b(?:LDG|STG)\.E\.128\b", code)),
        "shared_bytes": made.metadata.shared,
    }


def in_gluon(kind: str, size: int, gaussian: bool) -> dict[str, dict[str, Any]]:
    """Return the figures of the kernels that keep a block in registers, for one section and whole blocks."""
    shape = blocks_gluon._shape(size, gaussian)
    warps, weights = blocks_gluon._warps(shape), 1 << shape["TOTAL"]
    registers = blocks_gluon.REGISTERS_READ
    there = count(blocks_gluon._matvec, {**shape, **PLAIN, "sections": 1}, warps, weights)
    back = count(blocks_gluon._rmatvec, {**shape, "WHOLE": True, "SCALED": False}, warps, weights, registers=registers)
    return {f"{kind}, n={size}, P z, Gluon": there, f"{kind}, n={size}, P^T g, Gluon": back}


def _output(tool: str, *words: str) -> str:
    """Return what one of Triton's tools prints."""
    return subprocess.run([str(TOOLS / tool), *words], check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Count, print, write."""
    block, warps = one_hot_triton.BLOCK, one_hot_triton.WARPS
    rows: dict[str, dict[str, Any]] = {
        "one_hot, P z": count(one_hot_triton._matvec, {"BLOCK_": block, **PLAIN}, warps, block, edges=False),
        "one_hot, P^T g": count(
            one_hot_triton._rmatvec, {"BLOCK_": block, "IN_VECTORS": True, "SCALED": False}, warps, block, edges=False
        ),
    }
    for kind, gaussian in (("orthogonal", False), ("fastfood", True)):
        for size in (256, 1024, 4096):
            shape = {"SIZE": size, "STEPS": size.bit_length() - 1, "GAUSSIAN": gaussian}
            warps = blocks_triton._warps(size)
            rows[f"{kind}, n={size}, P z"] = count(blocks_triton._matvec_whole, shape | PLAIN, warps, size)
            back = count(blocks_triton._rmatvec_whole, shape | {"SCALED": False}, warps, size)
            rows[f"{kind}, n={size}, P^T g"] = back
            rows |= in_gluon(kind, size, gaussian)
    print(f"{'':34s} warps  instructions a weight  registers  spilled  shared")
    for name, row in rows.items():
        print(
            f"{name:34s} {row['warps']:5d} {row['instructions_per_weight']:22.0f} {row['registers']:10d} "
            f"{row['spilled_bytes']:8d} {row['shared_bytes']:7d}"
        )
    write_json(RESULTS, {"kernels": rows, "triton": triton.__version__, "python": sys.version.split()[0]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
