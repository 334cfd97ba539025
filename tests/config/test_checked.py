"""Values of every size and kind: what makes no sense is one message, and what does keeps every digit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from intdim.config.checked import LARGEST, Checked
from intdim.errors import UserError, echo


def short(value: Any) -> str:
    """What a test is called."""
    return echo(value, 20)


def checked(value: Any) -> Checked:
    """A configuration with one value, under ``key`` and ``out``."""
    return Checked(OmegaConf.create({"key": value, "out": value}))


def refused(check: Checked) -> str:
    """What a configuration with faults says."""
    with pytest.raises(UserError) as caught:
        check.done()
    assert len(str(caught.value).splitlines()) <= 3
    assert all(len(line) <= 400 for line in caught.value.parts)
    assert all(line.isprintable() for line in caught.value.parts)
    return str(caught.value)


@pytest.mark.parametrize(("value", "number"), [(3, 3), ("1e3", 1000), (4.0, 4), (LARGEST, LARGEST), ("007", 7)])
def test_a_whole_number_keeps_every_digit(value: Any, number: int) -> None:
    check = checked(value)
    assert check.whole("key", 0) == number
    check.done()
    assert checked(LARGEST - 1).whole("key", 0) == LARGEST - 1


@pytest.mark.parametrize(
    "value",
    [10**400, -(10**400), 10**5000, "9" * 400, LARGEST + 1, "1e400", "nan", "inf", 1.5, "", "x" * 3000, True, None],
    ids=short,
)
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    check = checked(value)
    check.whole("key", 1)
    assert "key is a whole number of at least 1" in refused(check)


@pytest.mark.parametrize(
    "value", [10**400, 10**5000, "9" * 400, "nan", "x\x1b[2J" * 900, [0.5], {"a": 1}, False], ids=short
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    check = checked(value)
    assert math.isfinite(check.real("key", 0.0, 1.0))
    check.reals("key") if value != [0.5] else check.fault("[0.5]", "")
    refused(check)


@pytest.mark.parametrize("value", ["a\x00b", "x" * 5000, 10**5000], ids=short)
def test_what_is_no_text_is_refused(value: Any) -> None:
    for read in (Checked.text, Checked.texts, Checked.path, Checked.name):
        check = checked(value)
        read(check, "key")
        assert "key=" in refused(check)
    check = checked(value)
    check.choice("key", ("one", "two"))
    refused(check)


@pytest.mark.parametrize("value", ["x" * 201, "a\nb", "a\x1b[31mb", "a\u202eb", "\udcff", "a\tb"], ids=short)
def test_what_is_no_name_is_refused(value: str) -> None:
    check = checked(value)
    assert check.name("key") == ""
    assert "at most 200 characters, all of which can be seen" in refused(check)
    assert checked(value).text("key") == value


@pytest.mark.parametrize("value", ["x" * 256, "é" * 128, "/".join(["x" * 200] * 19)])
def test_a_path_that_no_system_has_is_refused(value: str) -> None:
    check = checked(value)
    check.path("key")
    check.out()
    assert "out is a path of at most" in refused(check)


def test_paths_are_absolute_and_may_be_odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert checked("a\nb ' é").path("key") == str(tmp_path / "a\nb ' é")
    assert checked("a").out() == Path("a")


def test_a_home_that_is_not_known_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    check = checked("~no-such-user/out")
    check.out()
    assert "where no home folder is known" in refused(check)
