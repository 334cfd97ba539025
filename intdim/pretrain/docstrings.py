"""The built-in corpus: the docstrings of the standard library, numpy, pandas, matplotlib and torch.

About 30,000 pieces of technical English that lie on any machine that has installed intdim. They are read from the
installed sources with ``ast``; nothing is imported. The result is the same for the same package versions, is parsed
once and kept in the cache, and its fingerprint is part of every record made with it.

Modules are divided by a hash of their name: half of them for pre-training, half for the built-in tasks (three quarters
of those for training, one quarter for evaluation), so that near-duplicates do not straddle the division and the
built-in model has never seen a task's text. The rows of the tasks are files (``intdim/assets/tasks``); what stands in
them is never pre-trained on, whatever versions are installed (``held_out``).
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import inspect
import platform
import re
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from intdim import seals
from intdim.caches import cache_folder
from intdim.spec import digest

EXTRACTION_VERSION = 1  # raised by hand when the same sources would give other records
PACKAGES = ("stdlib", "numpy", "pandas", "matplotlib", "torch")
SKIPPED = {
    "test",
    "tests",
    "testing",
    "site-packages",
    "dist-packages",
    "__pycache__",
    "idlelib",
    "lib2to3",
    "turtledemo",
}
SHORTEST = 20  # characters: below that a docstring says nothing

Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


@dataclass(frozen=True)
class Docstring:
    """One docstring: where it stands, what it documents (``module``, ``class`` or ``function``), and its text."""

    package: str
    module: str
    qualname: str
    kind: str
    signature: str
    text: str


def version_key() -> str:
    """Return a name for what the extraction depends on: package versions, Python, and the extraction itself."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES if name != "stdlib"}
    versions["torch"] = versions["torch"].split("+")[0]  # the builds of one release share their sources
    return digest({"python": platform.python_version(), "extraction": EXTRACTION_VERSION, **versions})


def docstrings() -> list[Docstring]:
    """Return every docstring in a fixed order, from the cache where it is there."""
    return list(_docstrings(version_key()))


@functools.lru_cache(maxsize=1)
def _docstrings(version: str) -> tuple[Docstring, ...]:
    file = cache_folder() / "corpus" / f"{version}.json"
    try:
        known = seals.read_sealed(file, version)
        if known is not None:
            return tuple(Docstring(*one) for one in known)
    except (seals.Damaged, TypeError) as error:
        with contextlib.suppress(OSError):
            why = error.parts[0] if isinstance(error, seals.Damaged) else f"{file} is damaged"
            seals.set_aside([file], cache_folder(), f"{why}: the sources are read again")
    found = tuple(extract())
    with contextlib.suppress(OSError):  # a read-only cache costs time, nothing else
        seals.room_for(file, cache_folder())
        seals.write_sealed(file, version, [list(asdict(one).values()) for one in found])
    return found


def fingerprint() -> str:
    """Return 16 hex digits over the content of the corpus."""
    return digest([list(asdict(one).values()) for one in docstrings()])


def part_of(module: str) -> str:
    """Return ``pretrain``, ``train`` or ``validation`` for a module, by a hash of its name.

    A module and its private twin (``_bar`` beside ``bar``) fall into the same part.
    """
    name = ".".join(piece.strip("_") for piece in module.split("."))
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    if share < 0.5:
        return "pretrain"
    return "train" if share < 0.875 else "validation"


def extract() -> Iterator[Docstring]:
    """Yield the docstrings of all packages, each text once."""
    seen: set[str] = set()
    for package in PACKAGES:
        root = package_folder(package)
        for file in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
            parts = file.relative_to(root).parts
            if SKIPPED.intersection(parts) or file.name.startswith("test_"):
                continue
            names = [*([] if package == "stdlib" else [package]), *parts[:-1], file.stem]
            module = ".".join(name for name in names if name != "__init__")
            for one in _of_file(file, package, module):
                normal = re.sub(r"\W+", " ", one.text.lower()).strip()
                if len(one.text) >= SHORTEST and normal not in seen:
                    seen.add(normal)
                    yield one


def signature_words(signature: str) -> str:
    """Return a signature as words: ``read_csv(file_path, nRows: int = 3)`` gives ``read csv ( file path, n Rows )``."""
    name, bracket, rest = signature.partition("(")
    if not bracket:
        return _split(name)
    try:
        made = ast.parse(f"def made({rest}: ...").body[0]
        assert isinstance(made, ast.FunctionDef)
        given = made.args
        starred = [one for one in (given.vararg, given.kwarg) if one]
        names = [one.arg for one in [*given.posonlyargs, *given.args, *given.kwonlyargs, *starred]]
    except SyntaxError:  # written by hand, as in ``empty(*size, out=None) or (a | b)``
        names = [part.partition("=")[0].strip(" *") for part in rest.partition(")")[0].split(",")]
    kept = ", ".join(_split(one) for one in names if one.isidentifier() and one not in ("self", "cls"))
    return f"{_split(name)} ( {kept} )"


def package_folder(package: str) -> Path:
    """Return the folder with a package's installed sources."""
    if package == "stdlib":
        return Path(sysconfig.get_paths()["stdlib"])
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed; intdim needs it")
    return Path(found.origin).parent


def _of_file(file: Path, package: str, module: str) -> Iterator[Docstring]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sources of others: their invalid escapes are not our concern
            tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return  # a template or a Python 2 remainder
    yield from _walk(tree, package, module, "")


def _walk(node: Node, package: str, module: str, qualname: str) -> Iterator[Docstring]:
    text = ast.get_docstring(node, clean=False)
    if text:
        kind = {ast.Module: "module", ast.ClassDef: "class"}.get(type(node), "function")
        yield Docstring(package, module, qualname, kind, _signature(node), inspect.cleandoc(text).strip())
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _walk(child, package, module, f"{qualname}.{child.name}".lstrip("."))
        elif isinstance(child, ast.Expr) and isinstance(child.value, ast.Call):
            yield from _added(child.value, package, module)


def _added(call: ast.Call, package: str, module: str) -> Iterator[Docstring]:
    """Docstrings of functions written in C: ``add_docstr(torch.abs, "...")``, ``add_newdoc("numpy", "abs", "...")``."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in ("add_docstr", "add_newdoc") or len(call.args) < 2:
        return
    texts = [
        node.value for node in ast.walk(call.args[-1]) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    if not texts:
        return
    target = call.args[0] if name == "add_docstr" else call.args[1]
    qualname = ast.unparse(target).strip("'\"").rpartition(".")[2]
    text = inspect.cleandoc(max(texts, key=len)).strip()
    first, _, rest = text.partition("\n")
    signature = first.partition(" -> ")[0] if first.startswith(f"{qualname}(") else ""
    yield Docstring(
        package, module, qualname, "function", signature, rest.strip() if signature and rest.strip() else text
    )


def _signature(node: Node) -> str:
    if isinstance(node, ast.Module):
        return ""
    if isinstance(node, ast.ClassDef):
        made = [child for child in node.body if isinstance(child, ast.FunctionDef) and child.name == "__init__"]
        return f"{node.name}({ast.unparse(made[0].args)})" if made else node.name
    return f"{node.name}({ast.unparse(node.args)})"


def _split(name: str) -> str:
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.replace("_", " ")).split())
