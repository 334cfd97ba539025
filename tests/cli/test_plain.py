"""Lines of text that fit."""

from __future__ import annotations

import pytest

from intdim.cli.plain import clipped, columns, day, folded, local, pairs, score, short, width


def test_the_column_that_gives_way_is_cut_and_numbers_are_flush_right() -> None:
    rows = [["a1", "5", "a cell with a long name"], ["b2", "1,234", "short"]]
    assert columns(("id", "d", "cell"), rows, cut=2, right=(1,), limit=24) == [
        "id      d  cell",
        "a1      5  a cell with …",
        "b2  1,234  short",
    ]
    assert columns(("id", "d", "cell"), rows, cut=2, limit=0)[1].endswith("a cell with a long name")


def test_sentences_fold_behind_their_margin_and_nothing_steers_the_terminal() -> None:
    assert folded("one two three", 2, limit=8) == ["  one", "  two", "  three"]
    assert folded("one two three", 2, limit=0) == ["  one two three"]
    assert folded("a\x1b[31mb", limit=0) == ["a\\x1b[31mb"]
    assert short("a\x1b[31mbcdefgh") == "a\\x1b[31mbc"


def test_values_fold_under_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert pairs([("name", "words " * 10), ("x", "y")]) == [
        "name  words words words words words",
        "      words words words words words",
        "x     y",
    ]


def test_the_width_is_what_was_set_or_none_for_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert width() == 100
    monkeypatch.setenv("COLUMNS", "9")
    assert width() == 40
    monkeypatch.delenv("COLUMNS")
    assert width() == 0


def test_times_and_scores() -> None:
    assert (local(0), score(None), score(0.12345), clipped("abcdef", 4)) == ("–", "–", "0.1235", "abc…")
    assert day(86400 * 365).startswith("1971-01-0") or day(86400 * 365).startswith("1970-12-3")
    assert local(86400 * 365).startswith(day(86400 * 365))
