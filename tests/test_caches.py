"""Where files lie that can be made again: where the user says, at home, or, where neither can be had, elsewhere."""

from __future__ import annotations

import errno
import logging
import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from intdim import caches
from intdim.caches import cache_folder, in_cache, spare_cache

UID = os.getuid()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    spare_cache.cache_clear()
    yield tmp_path
    spare_cache.cache_clear()


def write(folder: Path) -> Path:
    """Make something in a cache."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "made").write_text("whole")
    return folder / "made"


def test_the_cache_is_where_the_user_says_or_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("INTDIM_CACHE", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"
    monkeypatch.delenv("INTDIM_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "intdim"


@pytest.mark.parametrize("chosen", ["", "~/elsewhere", "~nobody-of-this-name/x"])
def test_a_user_without_a_home(temporary: Path, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", none)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("INTDIM_CACHE", chosen)
    assert cache_folder() == temporary / f"intdim-{UID}"
    assert stat.S_IMODE(cache_folder().stat().st_mode) == 0o700


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_cache_that_cannot_be_written(temporary: Path, code: int, caplog: pytest.LogCaptureFixture) -> None:
    def make(folder: Path) -> Path:
        if folder == temporary / "cache":
            raise OSError(code, os.strerror(code))
        return write(folder)

    with caplog.at_level(logging.WARNING):
        assert in_cache(make) == temporary / f"intdim-{UID}" / "made"
    (line,) = caplog.messages
    assert line.startswith(f"the cache {temporary / 'cache'} cannot be written ({os.strerror(code)})")


def test_a_file_in_its_place(temporary: Path) -> None:
    (temporary / "cache").touch()
    assert in_cache(write) == temporary / f"intdim-{UID}" / "made"


@pytest.mark.parametrize(("code", "place"), [(errno.ENOMEM, "cache"), (errno.EACCES, "data.csv")])
def test_other_errors_are_not_the_caches(
    temporary: Path, code: int, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    def make(folder: Path) -> None:
        raise OSError(code, os.strerror(code), str(temporary / place))

    with pytest.raises(OSError, match=os.strerror(code)):
        in_cache(make)
    assert not caplog.messages


@pytest.mark.parametrize("kind", ["a file", "a link", "shared"])
def test_a_spare_cache_that_somebody_else_made_is_not_used(temporary: Path, kind: str) -> None:
    name = temporary / f"intdim-{UID}"
    if kind == "a file":
        name.touch()
    elif kind == "a link":
        (temporary / "theirs").mkdir(mode=0o777)
        (temporary / "theirs").chmod(0o777)
        name.symlink_to(temporary / "theirs")
    else:
        name.mkdir()
        name.chmod(0o777)

    found = spare_cache()
    assert found != name
    assert found.parent == temporary
    assert spare_cache() == found


def test_what_a_full_cache_answers_is_known() -> None:
    assert {errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT} <= caches.CANNOT
