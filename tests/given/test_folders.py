"""What a session gives lies in folders named after their content, whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.given.folders import Given


def writes(text: str):
    return lambda folder: (folder / "a.jsonl").write_text(text, encoding="utf-8")


def test_the_same_content_is_the_same_folder_and_other_content_another(tmp_path: Path) -> None:
    first = Given(tmp_path / "out").keep("rows", writes("x"))
    stamp = (first / "a.jsonl").stat().st_mtime_ns
    again = Given(tmp_path / "out")
    assert again.keep("rows", writes("x")) == first
    assert (first / "a.jsonl").stat().st_mtime_ns == stamp
    assert again.keep("rows", writes("y")) != first
    assert all(not one.name.startswith(".") for one in first.parent.iterdir())


def test_a_changed_folder_is_set_aside_and_written_again(tmp_path: Path) -> None:
    place = Given(tmp_path).keep("rows", writes("x"))
    (place / "a.jsonl").write_text("changed", encoding="utf-8")
    assert Given(tmp_path).keep("rows", writes("x")) == place
    assert (place / "a.jsonl").read_text(encoding="utf-8") == "x"
    assert len(list((tmp_path / "damaged").rglob("a.jsonl"))) == 1


def test_what_fails_leaves_nothing_and_what_is_refused_is_taken_back(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "part").write_text("x", encoding="utf-8")
        raise ValueError("broken")

    out = tmp_path / "out"
    given = Given(out)
    with pytest.raises(ValueError, match="broken"):
        given.keep("model", fails)
    given.keep("rows", writes("x"))
    given.take_back()
    assert not out.exists()

    kept = Given(out).keep("rows", writes("x"))
    later = Given(out)
    later.keep("rows", writes("x"))
    later.keep("rows", writes("y"))
    later.take_back()
    assert list((out / "given").iterdir()) == [kept], "only what this call wrote goes"
