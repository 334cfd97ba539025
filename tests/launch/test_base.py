"""An error's trip from a job to the driver, and how a job is found."""

from __future__ import annotations

import logging

import pytest

from intdim.errors import RunFailed, UserError
from intdim.launch import Event
from intdim.launch.base import describe, error_of, find_job, heard


def returned(error: Exception) -> Exception:
    return error_of(Event("key", "failed", describe(error)))


def test_a_users_error_keeps_its_parts() -> None:
    error = returned(UserError("d=9 exceeds D=4", "1 <= d <= 4", "Lower d."))
    assert isinstance(error, UserError)
    assert error.parts == ("d=9 exceeds D=4", "1 <= d <= 4", "Lower d.")


@pytest.mark.parametrize(
    ("error", "words"),
    [(ArithmeticError("the sky fell"), "the sky fell"), (KeyError(), "KeyError"), (RunFailed("it broke"), "it broke")],
)
def test_any_other_error_is_a_failure_with_its_message(error: Exception, words: str) -> None:
    said = returned(error)
    assert isinstance(said, RunFailed)
    assert str(said) == words


def test_a_job_is_found_by_where_it_is() -> None:
    assert find_job(f"{describe.__module__}:describe") is describe


def test_what_is_warned_of_the_machine_is_heard_while_a_job_is_done() -> None:
    notes: list[dict[str, str]] = []
    compiler, others = logging.getLogger("intdim.kernels.compiler"), logging.getLogger("intdim.run.build")
    with heard(notes.append):
        compiler.warning("no %s", "compiler")
        compiler.info("tried")
        others.warning("a weight")
    compiler.warning("later")
    assert notes == [{"note": "no compiler"}]
