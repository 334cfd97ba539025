"""``intdim doctor``."""

from __future__ import annotations

import re

import pytest

from intdim import __version__
from intdim.ledger import prepared as remembered
from tests.cli.command import call


def test_doctor_tests_every_projection() -> None:
    from intdim.projections import PROJECTIONS

    ended = call("doctor", "D=20000", "d=100", "device=cpu")
    assert ended.status == 0, ended.err
    for name in PROJECTIONS:
        assert re.search(rf"{name} +[|│] ok", ended.out), name
    assert __version__ in ended.out
    assert str(remembered.cache_folder()) in ended.out.replace("\n", "")


def test_doctor_fails_with_a_projection_that_is_no_adjoint(monkeypatch: pytest.MonkeyPatch) -> None:
    from intdim.projections.one_hot import OneHot

    right = OneHot.rmatvec
    monkeypatch.setattr(OneHot, "rmatvec", lambda self, g: 1.001 * right(self, g))
    ended = call("doctor", "D=20000", "d=100", "device=cpu")
    assert ended.status == 1
    assert "FAILS" in ended.out
