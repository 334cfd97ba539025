"""Compilers that are broken, hang or are odd, and libraries that somebody else put there: torch is used."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from intdim.kernels import compiler, native

compiled = pytest.mark.skipif(native.library() is None, reason=f"computed by {native.reason()}")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
REAL = shutil.which("cc") or shutil.which("gcc") or "cc"
# Each stands in for the linker; what comes before is compiled as usual.
LINKERS = {
    "garbage": "printf garbage >$out",
    "nothing": "true",
    "a folder": "mkdir $out",
    "no functions of ours": f"echo 'int other;' >$out.c; {REAL} -shared -fPIC $out.c -o $out",
    "a crash when it is loaded": "echo '#include <stdlib.h>\n__attribute__((constructor)) static void f(void) "
    f"{{abort();}}' >$out.c; {REAL} -shared -fPIC $out.c -o $out",
    "another machine": f'{REAL} "$@"; printf "\\002\\000" | dd of=$out bs=1 seek=18 conv=notrunc 2>/dev/null',
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and a module that has loaded nothing."""
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    native._loaded.cache_clear()
    yield tmp_path / "cache"
    native._loaded.cache_clear()


def script(folder: Path, body: str) -> str:
    """Write a compiler; return its path."""
    file = folder / "compiler.sh"
    lines = ['out=; for word in "$@"; do out=$word; done', f"echo called >>{folder}/calls", body]
    file.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n", encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def reason(caplog: pytest.LogCaptureFixture) -> str:
    """Say how products are computed; a warning has one line."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        found = native.reason()
    assert all(len(record.getMessage().splitlines()) == 1 for record in caplog.records)
    return found


@compiled
@pytest.mark.parametrize("name", LINKERS)
def test_a_library_that_is_none_is_not_kept(cache, tmp_path: Path, name: str, monkeypatch, caplog) -> None:
    body = f'case " $* " in *" -shared "*) {LINKERS[name]};; *) exec {REAL} "$@";; esac'
    monkeypatch.setenv("CC", script(tmp_path, body))
    assert reason(caplog) == "torch, slower (the products in C could not be compiled or loaded)"
    assert not list((cache / "native").glob("*.so"))
    calls = (tmp_path / "calls").read_text()

    native._loaded.cache_clear()
    assert reason(caplog).startswith("torch"), "it is not tried again"
    assert (tmp_path / "calls").read_text() == calls


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sleep 1000", "did not end in time"),
        ("sleep 1000 & exit 3", "failed with status 3"),
        ("exec sleep 1000 >/dev/null 2>&1", "did not end in time"),
        ("yes", "prints without end"),
        ("echo 'no licence\x1b[31m' >&2; exit 3", r"failed with status 3: no licence\x1b[31m"),
        ("kill -9 $$", "was ended by SIGKILL"),
    ],
)
def test_a_compiler_that_does_not_work(cache, tmp_path: Path, body: str, words: str, monkeypatch, caplog) -> None:
    monkeypatch.setattr(compiler, "COMPILER_SECONDS", 2.0)
    monkeypatch.setenv("CC", script(tmp_path, body))
    begun = time.monotonic()
    assert reason(caplog).startswith("torch, slower")
    assert words in caplog.text
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("named", ["'", "no-such-compiler -O2", "/", "/etc/passwd", '""'])
def test_a_variable_that_names_no_compiler(cache, named: str, monkeypatch, caplog) -> None:
    monkeypatch.setenv("CC", named)
    assert reason(caplog).startswith("torch, slower")
    assert "The products in C are not used; torch is slower: " in caplog.text
    assert "CC=" in caplog.text


def test_a_machine_without_a_compiler(cache, monkeypatch, caplog) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert reason(caplog).startswith("torch, slower (no C compiler")
    assert caplog.messages == [
        "The products in C are not used; torch is slower: there is no C compiler (gcc, clang, or CC)"
    ]


@compiled
def test_two_processes_compile_once(cache, tmp_path: Path) -> None:
    code = "from intdim.kernels import native; print(native.reason())"
    settings = {**os.environ, "CC": script(tmp_path, f'exec {REAL} "$@"'), "OMP_NUM_THREADS": "1"}
    both = [subprocess.Popen([sys.executable, "-c", code], env=settings, stdout=subprocess.PIPE) for _ in range(2)]
    assert {one.communicate()[0] for one in both} == {b"C (compiler.sh)\n"}
    sources = len(list(compiler.SOURCES.glob("*.c")))
    assert len((tmp_path / "calls").read_text().splitlines()) == sources + 1


@pytest.fixture
def kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library in the cache, with its hash; whoever does not take it compiles, which is an error here."""
    folder = cache / "native"
    folder.mkdir(parents=True)
    monkeypatch.setattr(compiler, "find_compiler", lambda: ["cc"])

    def compile_it(*arguments: object) -> Path:
        raise OSError("it is compiled")

    monkeypatch.setattr(compiler, "_compile", compile_it)
    target = folder / f"{compiler._name(['cc'])}.so"
    target.write_bytes(b"library")
    target.with_suffix(".sha256").write_text(hashlib.sha256(b"library").hexdigest())
    return target


def taken() -> Path | None:
    """The library that would be loaded, None where one would be compiled."""
    try:
        with compiler.library_file(["cc"], "") as file:
            return file
    except OSError:
        return None


def test_a_kept_library_is_taken_also_from_a_cache_that_cannot_be_written(kept: Path, monkeypatch) -> None:
    assert taken() == kept
    kept.parent.chmod(0o500)
    kept.parent.parent.chmod(0o500)
    assert taken() == kept
    kept.parent.parent.chmod(0o700)


@pytest.mark.parametrize("mode", [0o777, 0o702, 0o1777])
def test_a_folder_that_others_can_write_to_is_not_believed(kept: Path, mode: int) -> None:
    kept.parent.chmod(mode)
    assert taken() is None


@pytest.mark.parametrize(("mode", "good"), [(0o777, False), (0o702, False), (0o1777, True), (0o755, True)])
def test_nor_one_below_such_a_folder(kept: Path, mode: int, good: bool) -> None:
    kept.parent.parent.chmod(mode)
    assert (taken() == kept) is good


@pytest.mark.parametrize("name", [".so", ".sha256"])
@pytest.mark.parametrize("kind", ["writable", "link", "pipe", "changed", "of another"])
def test_a_file_that_is_not_ours_is_not_believed(kept: Path, tmp_path: Path, name: str, kind: str) -> None:
    file = kept.with_suffix(name)
    if kind == "writable":
        file.chmod(0o666)
    elif kind == "changed":
        file.write_bytes(b"another")
    elif kind == "of another":
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        os.chown(file, 12345, -1)
    else:
        file.rename(tmp_path / "moved")
        os.mkfifo(file) if kind == "pipe" else file.symlink_to(tmp_path / "moved")
    assert taken() is None


@as_root
def test_a_folder_of_another_user_is_not_believed(kept: Path) -> None:
    os.chown(kept.parent, 12345, -1)
    assert taken() is None
    os.chown(kept.parent, 0, -1)
    os.chown(kept.parent.parent, 12345, -1)
    assert taken() is None
