"""Whose a folder is: who else could put a file into it, and what is no plain file of the user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from intdim.seals.ownership import is_ours, locked, why_unsafe

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.mark.parametrize(
    ("mode", "above", "why"),
    [
        (0o700, 0o755, ""),
        (0o755, 0o755, ""),
        (0o702, 0o755, "can be written by other users"),
        (0o1777, 0o755, "can be written by other users"),
        (0o700, 0o777, "can be written by other users"),
        (0o700, 0o1777, ""),
    ],
)
def test_who_may_write(tmp_path: Path, mode: int, above: int, why: str) -> None:
    folder = tmp_path / "above" / "folder"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    folder.parent.chmod(above)
    assert why_unsafe(folder).partition(" ")[2] == why
    (tmp_path / "link").symlink_to(folder)
    assert why_unsafe(tmp_path / "link").partition(" ")[2] == why


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is no folder" in why_unsafe(tmp_path / "file")
    assert "cannot be looked at" in why_unsafe(tmp_path / "none")


@as_root
@pytest.mark.parametrize("name", ["above", "above/folder"])
def test_a_folder_of_another_user(tmp_path: Path, name: str) -> None:
    (tmp_path / "above" / "folder").mkdir(parents=True)
    os.chown(tmp_path / name, 12345, -1)
    assert "belongs to another user" in why_unsafe(tmp_path / "above" / "folder")


@pytest.mark.parametrize("kind", ["plain", "writable", "link", "pipe", "folder"])
def test_a_file_is_ours(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file"
    (tmp_path / "other").touch()
    {
        "plain": file.touch,
        "writable": lambda: (file.touch(), file.chmod(0o666)),
        "link": lambda: file.symlink_to(tmp_path / "other"),
        "pipe": lambda: os.mkfifo(file),
        "folder": file.mkdir,
    }[kind]()
    assert is_ours(file) is (kind == "plain")


def test_a_group_of_the_users_own_may_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    assert why_unsafe(tmp_path) == "" or os.geteuid() != 0
    if os.geteuid() == 0:
        os.chown(tmp_path, -1, 12345)
        assert "can be written by other users" in why_unsafe(tmp_path)


def test_a_lock_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with locked(tmp_path / "lock", 0.0):
        assert not (tmp_path / "target").exists()
    with locked(tmp_path / "other", 0.0), locked(tmp_path / "other", 0.3):
        assert is_ours(tmp_path / "other")
