"""What hatchling calls to build a wheel: the products in C are compiled into it, where a C compiler is at hand.

A wheel with them is for one system and machine, ``py3-none-linux_x86_64`` say. It is pure, ``py3-none-any``, where
there is no compiler, one that cannot make them, another system than Linux, or ``INTDIM_NATIVE=0``.
``intdim/kernels/shipped.py`` says what is made and when it is used.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 120.0  # for one source


def load_shipped() -> Any:
    """Return ``intdim.kernels.shipped`` without importing the package, whose dependencies need not be there."""
    spec = importlib.util.spec_from_file_location("shipped", ROOT / "intdim" / "kernels" / "shipped.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiler() -> list[str] | None:
    """Return the command of a C compiler, or None."""
    named = shlex.split(os.environ.get("CC", ""))
    for words in [named] if named else [["cc"], ["gcc"], ["clang"]]:
        if path := shutil.which(words[0]):
            return [path, *words[1:]]
    return None


def build(folder: Path) -> list[Path]:
    """Compile the products for each kind of processor into a folder; return the files to ship, none if that fails."""
    shipped, command = load_shipped(), compiler()
    levels = shipped.LEVELS.get(platform.machine(), {})
    wanted = platform.system() == "Linux" and os.environ.get("INTDIM_NATIVE", "") != "0"
    if command is None or not levels or not wanted:
        return []

    made = {}
    try:
        for level in levels:
            objects = []
            for source in sorted(shipped.SOURCES.glob("*.c")):
                objects.append(str(folder / f"{level}-{source.stem}.o"))
                words = [*shipped.FLAGS.split(), f"-march={level}", "-fopenmp", "-c", str(source), "-o", objects[-1]]
                subprocess.run([*command, *words], check=True, timeout=SECONDS)
            library = folder / f"{level}.so"
            subprocess.run([*command, "-shared", "-s", *objects, "-o", str(library)], check=True, timeout=SECONDS)
            made[level] = library
    except (OSError, subprocess.SubprocessError) as error:
        print(f"The wheel has no products in C: {error}", file=sys.stderr)
        return []
    known = folder / shipped.RECORD
    known.write_text(shipped.record({level: file.read_bytes() for level, file in made.items()}), encoding="utf-8")
    return [known, *made.values()]


class ProductsHook(BuildHookInterface):
    """Adds the products to a wheel, and names it after the machine they are for."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the wheel is written; an editable one compiles on first use, as a clone does."""
        if version == "editable":
            return
        self.scratch = tempfile.mkdtemp(prefix="intdim-products-")
        files = build(Path(self.scratch))
        if files:
            build_data["force_include"] |= {str(file): f"intdim/kernels/products/{file.name}" for file in files}
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when it has been written."""
        shutil.rmtree(getattr(self, "scratch", ""), ignore_errors=True)
