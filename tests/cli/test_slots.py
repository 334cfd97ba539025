"""``launch=ray``."""

from __future__ import annotations

from typing import Any

import pytest

from intdim.cli.slots import make_launcher
from intdim.config import runtime_request
from tests.cli.command import composed


def test_ray_gets_the_slots_that_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def slots(number: int, threads: int, **named: Any) -> str:
        asked.update(number=number, threads=threads, **named)
        return "the slots"

    monkeypatch.setattr("intdim.launch.ray.RaySlots", slots)
    for device, gpus in (("cpu", 0.0), ("cuda", 1.0)):
        made = composed("launch=ray", "launch.slots=3", f"device={device}")
        assert make_launcher(made, runtime_request(made)) == "the slots"
        assert (asked["number"], asked["threads"], asked["gpus"]) == (3, 1, gpus)
    made = composed()
    assert make_launcher(made, runtime_request(made)) is None
