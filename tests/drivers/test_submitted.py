"""An error that says which job it comes from, once."""

from __future__ import annotations

from intdim.drivers.submitted import named
from intdim.errors import RunFailed, UserError


def test_an_error_is_named_once() -> None:
    error = named(RunFailed("the sky fell"), "the first")
    assert str(error) == "the first failed: the sky fell"
    assert named(error, "the first") is error


def test_a_users_error_keeps_its_other_parts() -> None:
    error = named(UserError("no file", "a file", "Check."), "the first")
    assert isinstance(error, UserError)
    assert error.parts == ("the first: no file", "a file", "Check.")
