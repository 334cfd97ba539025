"""Every view has every method of the protocol, with the same arguments."""

from __future__ import annotations

import inspect

import pytest

from intdim.cli.view import Lines, Screen
from intdim.drivers.view import Silent, View

METHODS = [name for name, _ in inspect.getmembers(View, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("view", [Silent, Lines, Screen])
def test_a_view_receives_every_event(view: type) -> None:
    assert len(METHODS) == 10
    for name in METHODS:
        wanted, given = (list(inspect.signature(getattr(kind, name)).parameters) for kind in (View, view))
        assert given == wanted, name
