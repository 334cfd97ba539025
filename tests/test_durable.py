"""Files that are whole or absent."""

from __future__ import annotations

import errno
import json
import os

import pytest

from intdim import durable


def test_a_file_appears_whole_with_its_folder(tmp_path):
    file = tmp_path / "deep" / "a.json"
    durable.write_json(file, {"a": 1})
    assert durable.read_json(file) == {"a": 1}
    assert file.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in file.parent.iterdir()] == ["a.json"]
    assert durable.read_json(tmp_path / "none.json") is None


def test_nan_is_refused_and_damage_is_said(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        durable.write_json(tmp_path / "a.json", float("nan"))
    (tmp_path / "a.json").write_text("{torn")
    with pytest.raises(json.JSONDecodeError):
        durable.read_json(tmp_path / "a.json")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, call):
    file = tmp_path / "a.txt"
    durable.write_text(file, "old")

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space"):
        durable.write_text(file, "new")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_what_is_read_has_an_end_and_files_that_do_not_know_their_size_are_read_whole(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"12345")
    assert durable.read_bytes(file, largest=5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        durable.read_bytes(file, largest=4)
    assert durable.read_bytes("/proc/self/stat").startswith(str(os.getpid()).encode())  # of size 0, it says
