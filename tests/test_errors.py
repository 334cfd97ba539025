"""Errors for users: at most three lines, and a neighbour for a misspelt word."""

from __future__ import annotations

import subprocess

import pytest

from intdim.errors import IntdimError, Interrupted, RunFailed, UserError, command, echo, suggest


def test_an_error_has_three_parts_on_three_lines():
    error = UserError("d=9 exceeds\n D=8", "", "Lower d.")
    assert str(error) == "d=9 exceeds D=8\nLower d."
    assert error.parts == ("d=9 exceeds D=8", "Lower d.")
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(("kind", "status"), [(UserError, 2), (RunFailed, 1), (Interrupted, 130)])
def test_each_kind_has_its_exit_status(kind, status):
    assert issubclass(kind, IntdimError)
    assert kind("x").exit_status == status


@pytest.mark.parametrize("out", ["a b", "<i>", "it's", "$HOME", "a;b", "~", "plain"])
def test_a_command_can_be_pasted(out: str):
    said = command("report", f"out={out}")
    pasted = subprocess.run(["sh", "-c", f'set -- {said}; printf "%s\n" "$@"'], capture_output=True, text=True)
    assert pasted.stdout == f"intdim\nreport\nout={out}\n"


def test_a_misspelt_word_finds_its_neighbour():
    assert suggest("fastfod", ["one_hot", "fastfood"]) == "did you mean 'fastfood'? Known: fastfood, one_hot"
    assert suggest("zzz", ["one_hot"]) == "Known: one_hot"


def test_many_neighbours_are_counted():
    names = [f"name-{number:03}" for number in range(100)]
    said = suggest("name-070x", names)
    assert said.startswith("did you mean 'name-070'? Known: name-000, name-001")
    assert said.endswith("more")
    assert len(said) < 320


@pytest.mark.parametrize("value", ["x" * 3000, "x y " * 3000, "\x1b[2J" * 500, "a\u2028b" * 500, 10**400])
def test_a_line_of_a_message_stays_short_and_one_line(value: object):
    error = UserError(f"seed={value} is odd", f"something else than {value}", f"Write {value}.")
    assert len(error.parts) == 3
    assert str(error).splitlines() == list(error.parts)
    for part in error.parts:
        assert len(part) <= 400
        assert part.isprintable()
    assert error.parts[0].startswith("seed=")
    assert error.parts[0].endswith("is odd")


def test_a_value_in_a_message():
    assert echo("short") == "short"
    assert echo("a\tb\n\x1b[31mc") == r"a\tb\n\x1b[31mc"
    assert echo("名前 ä") == "名前 ä"
    assert echo("\udcff\u202e") == r"\udcff\u202e"
    assert echo(None) == "None"
    assert len(echo("z" * 10_000)) == 80
    assert echo("a" + "z" * 10_000 + "b")[0::79] == "ab"
    assert echo(10**5000) == "an integer of thousands of digits"
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    assert echo(nested) == "a value nested too deeply"


def test_what_was_made_fit_stays_as_it_is():
    once = UserError("x" * 3000, "\x07", "")
    assert UserError(*once.parts).parts == once.parts
