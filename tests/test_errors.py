"""Errors for users: at most three lines, and a neighbour for a misspelt word."""

from __future__ import annotations

import pytest

from intdim.errors import IntdimError, Interrupted, RunFailed, UserError, suggest


def test_an_error_has_three_parts_on_three_lines():
    error = UserError("d=9 exceeds\n D=8", "", "Lower d.")
    assert str(error) == "d=9 exceeds D=8\nLower d."
    assert error.parts == ("d=9 exceeds D=8", "Lower d.")
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(("kind", "status"), [(UserError, 2), (RunFailed, 1), (Interrupted, 130)])
def test_each_kind_has_its_exit_status(kind, status):
    assert issubclass(kind, IntdimError)
    assert kind("x").exit_status == status


def test_a_misspelt_word_finds_its_neighbour():
    assert suggest("fastfod", ["one_hot", "fastfood"]) == "did you mean 'fastfood'? Known: fastfood, one_hot"
    assert suggest("zzz", ["one_hot"]) == "Known: one_hot"
