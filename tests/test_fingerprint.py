"""Folders are identified by their content."""

from __future__ import annotations

import os

import pytest

from intdim import fingerprint
from intdim.errors import UserError
from intdim.fingerprint import fingerprint_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def folder_of(path, **files):
    path.mkdir()
    for name, content in files.items():
        (path / name.replace("_", ".")).write_bytes(content)
    return path


def test_content_and_names_decide_nothing_else_does(tmp_path):
    one = folder_of(tmp_path / "one", a_json=b"1", b_txt=b"2")
    same = folder_of(tmp_path / "same", b_txt=b"2", a_json=b"1")
    os.utime(same / "a.json", (1, 1))
    (same / ".hidden").write_text("x")
    (same / "subfolder").mkdir()
    assert fingerprint_folder(one) == fingerprint_folder(same)
    assert len(fingerprint_folder(one)) == 16
    int(fingerprint_folder(one), 16)
    others = [
        folder_of(tmp_path / "changed", a_json=b"1", b_txt=b"3"),
        folder_of(tmp_path / "renamed", a_json=b"1", c_txt=b"2"),
        folder_of(tmp_path / "swapped", a_json=b"2", b_txt=b"1"),
        folder_of(tmp_path / "fewer", a_json=b"1"),
    ]
    assert len({fingerprint_folder(folder) for folder in [one, *others]}) == 5


def test_patterns_choose_the_files(tmp_path):
    one = folder_of(tmp_path / "one", a_json=b"1", README_md=b"old")
    before = fingerprint_folder(one, ("*.json",)), fingerprint_folder(one)
    (one / "README.md").write_bytes(b"new")
    assert fingerprint_folder(one, ("*.json",)) == before[0]
    assert fingerprint_folder(one) != before[1]


def test_a_large_file_is_read_once_and_again_when_it_changed(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "large", w_bin=b"a" * (1 << 21))
    reads = []
    digest = fingerprint.hashlib.file_digest
    monkeypatch.setattr(fingerprint.hashlib, "file_digest", lambda *given: reads.append(1) or digest(*given))
    first = fingerprint_folder(folder)
    assert fingerprint_folder(folder) == first
    assert len(reads) == 1
    (folder / "w.bin").write_bytes(b"b" * (1 << 21))
    os.utime(folder / "w.bin", (5, 5))
    assert fingerprint_folder(folder) != first
    assert len(reads) == 2


def test_a_cache_that_is_damaged_or_cannot_be_written_costs_time_only(tmp_path, cache, monkeypatch):
    folder = folder_of(tmp_path / "large", w_bin=b"a" * (1 << 21))
    first = fingerprint_folder(folder)
    (cached,) = (cache / "hashes").iterdir()
    for damaged in ("{", "{}", "[]", ""):
        cached.write_text(damaged)
        assert fingerprint_folder(folder) == first
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "file"))
    assert fingerprint_folder(folder) == first


def test_a_file_of_which_nothing_was_written_is_refused_at_once(tmp_path):
    folder = folder_of(tmp_path / "hollow", w_bin=b"a" * 5000)
    os.truncate(folder / "w.bin", 1 << 40)
    with pytest.raises(UserError, match=r"w\.bin is hollow: of its 1,099,511,627,776 bytes"):
        fingerprint_folder(folder)
    assert fingerprint_folder(folder, ("*.json",))


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "odd", a_json=b"1")

    def refuse(file):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(fingerprint, "file_hash", refuse)
    with pytest.raises(UserError, match=r"a\.json cannot be read: permission denied"):
        fingerprint_folder(folder)


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        fingerprint_folder(tmp_path / "nothing")
