"""Compiled products that come with the package: taken where they fit, and otherwise compiled or left to torch."""

from __future__ import annotations

import importlib.util
import json
import logging
import platform
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from intdim.kernels import native, shipped
from intdim.projections import make_projection

from .test_native import products

ROOT = Path(__file__).parents[2]
compiled = pytest.mark.skipif(native.library() is None, reason=f"computed by {native.reason()}")
V3 = shipped.LEVELS["x86_64"]["x86-64-v3"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two libraries that are none, with their record, on a machine that can run both."""
    libraries = {level: level.encode() for level in shipped.LEVELS["x86_64"]}
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(shipped, "PRODUCTS", tmp_path)
    monkeypatch.setattr(shipped, "_features", lambda: set(" ".join(shipped.LEVELS["x86_64"].values()).split()))
    for level, data in libraries.items():
        (tmp_path / f"{level}.so").write_bytes(data)
    (tmp_path / shipped.RECORD).write_text(shipped.record(libraries))
    return tmp_path


def change(folder: Path, **entries: object) -> None:
    file = folder / shipped.RECORD
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))


def test_the_best_that_the_processor_can_run_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shipped.shipped_library() == ("x86-64-v4", folder / "x86-64-v4.so")
    monkeypatch.setattr(shipped, "_features", lambda: set(V3.split()))
    assert shipped.shipped_library() == ("x86-64-v3", folder / "x86-64-v3.so")
    monkeypatch.setattr(shipped, "_features", lambda: set(V3.split()) - {"avx2"})
    assert shipped.shipped_library() is None


def test_a_clone_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "PRODUCTS", tmp_path / "nothing")
    assert shipped.shipped_library() is None


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"machine": "aarch64"}, "are for aarch64, and this machine is x86_64"),
        ({"made_from": "0" * 64}, "made from other sources"),
        ({"libraries": {"x86-64-v4": "0" * 64}}, "is damaged"),
        ({"libraries": 7}, "cannot be read"),
    ],
)
def test_what_does_not_fit_is_not_taken(folder: Path, entries: dict[str, object], words: str) -> None:
    change(folder, **entries)
    with pytest.raises(OSError, match=words):
        shipped.shipped_library()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\x00"])
def test_a_record_that_is_none(folder: Path, text: str) -> None:
    (folder / shipped.RECORD).write_text(text)
    with pytest.raises(OSError, match="cannot be read"):
        shipped.shipped_library()


@pytest.mark.parametrize("name", ["c/common.h", "FLAGS"])
def test_libraries_belong_to_their_sources(folder: Path, tmp_path: Path, name: str, monkeypatch) -> None:
    if name == "FLAGS":
        monkeypatch.setattr(shipped, "FLAGS", "-O2")
    else:
        (tmp_path / "c").mkdir()
        (tmp_path / name).write_text("int other;")
        monkeypatch.setattr(shipped, "SOURCES", tmp_path / "c")
    with pytest.raises(OSError, match="other sources"):
        shipped.shipped_library()


def builder() -> ModuleType:
    """The script that a build of the wheel calls."""
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("build_products", ROOT / "scripts" / "build_products.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The products as a wheel has them."""
    target = tmp_path_factory.mktemp("products")
    files = builder().build(target)
    assert {file.suffix for file in files} == {".json", ".so"}
    return target


@pytest.fixture
def installed(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that came with products, and no compiler."""
    copy = tmp_path / "products"
    copy.mkdir()
    for file in [built / shipped.RECORD, *built.glob("*.so")]:
        (copy / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(shipped, "PRODUCTS", copy)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)
    native._loaded.cache_clear()
    yield copy
    native._loaded.cache_clear()


@compiled
def test_products_without_a_compiler_have_the_bits_of_compiled_ones(installed: Path, monkeypatch) -> None:
    if shipped.shipped_library() is None:
        pytest.skip("nothing is shipped for this processor")
    assert native.reason().startswith("C (shipped for ")
    made = {kind: make_projection(kind, 70_001, 100, 3) for kind in ("one_hot", "orthogonal", "sparse", "kronecker")}
    found = {kind: products(P) for kind, P in made.items()}
    monkeypatch.undo()
    native._loaded.cache_clear()
    assert "shipped" not in native.reason()
    for kind, P in made.items():
        assert all(torch.equal(*pair) for pair in zip(found[kind], products(P), strict=True)), kind


@compiled
def test_a_compiler_that_is_named_is_used(installed: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CC", "no-such-compiler")
    assert native.reason().startswith("torch, slower")


@compiled
def test_damaged_products_are_said_and_not_used(installed: Path, caplog: pytest.LogCaptureFixture) -> None:
    if shipped.shipped_library() is None:
        pytest.skip("nothing is shipped for this processor")
    for file in installed.glob("*.so"):
        file.write_bytes(file.read_bytes()[:1000])
    with caplog.at_level(logging.WARNING):
        assert native.reason().startswith("torch, slower (no C compiler")
    assert "damaged" in caplog.messages[0]


@pytest.mark.parametrize("case", ["no compiler", "one that fails", "not wanted", "another machine"])
def test_a_wheel_is_pure_where_products_cannot_be_made(case: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    if case == "no compiler":
        monkeypatch.setenv("PATH", "/nowhere")
    elif case == "one that fails":
        monkeypatch.setenv("CC", "false")
    elif case == "not wanted":
        monkeypatch.setenv("INTDIM_NATIVE", "0")
    else:
        monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert builder().build(tmp_path) == []
