"""What is recorded, when, and what happens where that fails; with a card also that a replay is a call."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from intdim.run import replay
from intdim.run.replay import EAGER_CALLS, Replay


@pytest.fixture
def faked(monkeypatch):
    """A device whose recordings call the function again; returns how often something was recorded and replayed."""
    seen = {"recorded": 0, "replayed": 0, "renewed": 0}
    under_way: list[Any] = []

    class FakeGraph:
        """Of a device that records by remembering what to call."""

        calls: Any = None

        def capture_begin(self, pool, capture_error_mode):
            seen["recorded"] += 1
            under_way.append(self)

        def capture_end(self):
            under_way.clear()

        def replay(self) -> None:
            self.calls()

    def remember(again):
        if under_way:
            under_way[0].calls = lambda: (seen.__setitem__("replayed", seen["replayed"] + 1), again())

    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: 1)
    monkeypatch.setattr(torch.cuda, "default_stream", lambda: 0)
    monkeypatch.setattr(replay, "_renew_generator", lambda: seen.__setitem__("renewed", seen["renewed"] + 1))
    return seen, remember


def test_each_shape_is_recorded_after_a_few_calls(faked):
    seen, remember = faked
    total = torch.zeros(())

    def add(inputs):
        remember(lambda: add(inputs))
        total.add_(inputs["x"].sum())
        return inputs["x"] * 2

    said: list[str] = []
    made = Replay(add, undo=lambda: None, say=said.append)
    for number in range(1, 6):
        assert made({"x": torch.full((3,), float(number))}).tolist() == [2.0 * number] * 3 or seen["recorded"]
    assert seen == {"recorded": 1, "replayed": 5 - EAGER_CALLS, "renewed": 0}
    made({"x": torch.ones(4)})
    assert seen["recorded"] == 1, "another shape has to come again first"
    assert not said


def test_what_cannot_be_recorded_is_called_and_said_once(faked):
    seen, _ = faked
    undone, said, calls = [], [], []

    def refuses(inputs):
        calls.append(float(inputs["x"]))
        if seen["recorded"] > len(undone):
            raise RuntimeError("operation not permitted when stream is capturing\nmore of it")
        return inputs["x"] + 1

    made = Replay(refuses, undo=lambda: undone.append(1), say=said.append)
    answers = [float(made({"x": torch.tensor(float(number))})) for number in range(6)]
    assert answers == [1, 2, 3, 4, 5, 6]
    assert (len(undone), seen["renewed"], seen["recorded"]) == (1, 1, 1)
    assert said == [
        "steps are launched one by one: they cannot be recorded as a CUDA graph "
        "(operation not permitted when stream is capturing)"
    ]


def test_too_little_memory_is_the_callers(faked):
    seen, _ = faked

    def grows(inputs):
        if seen["recorded"]:
            raise torch.OutOfMemoryError("too much")
        return inputs["x"]

    made = Replay(grows, undo=lambda: None, say=lambda text: None)
    for _ in range(EAGER_CALLS):
        made({"x": torch.zeros(1)})
    with pytest.raises(torch.OutOfMemoryError):
        made({"x": torch.zeros(1)})
    assert not made.failed


def test_nothing_is_recorded_under_the_default_stream(faked, monkeypatch):
    seen, _ = faked
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: 0)
    made = Replay(lambda inputs: inputs["x"], undo=lambda: None, say=lambda text: None)
    for _ in range(5):
        made({"x": torch.zeros(1)})
    assert seen["recorded"] == 0


@pytest.mark.gpu
def test_a_replay_draws_the_dropout_of_a_call():
    """With the seed of the step, and with what was recorded before."""
    weight = torch.zeros(64, device="cuda")

    def move(inputs):
        weight.add_(torch.nn.functional.dropout(inputs["x"], 0.5))
        return weight * 2

    found = {}
    with torch.cuda.stream(torch.cuda.Stream()):
        for name in ("called", "replayed"):
            weight.zero_()
            made = Replay(move, undo=lambda: None, say=lambda text: pytest.fail(text))
            made.failed = name == "called"
            for step in range(8):
                torch.manual_seed(step)
                found[name] = made({"x": torch.full((64,), 1.0 + step, device="cuda")}).clone()
            assert len(made.recorded) == (name == "replayed")
        torch.cuda.synchronize()
    assert torch.equal(found["called"], found["replayed"])


@pytest.mark.gpu
def test_dropout_works_after_a_recording_that_broke():
    said: list[str] = []

    def waits(inputs):
        inputs = torch.nn.functional.dropout(inputs["x"], 0.5)
        return inputs + float(inputs.sum())  # waits for the device

    with torch.cuda.stream(torch.cuda.Stream()):
        made = Replay(waits, undo=lambda: None, say=said.append)
        for step in range(6):
            torch.manual_seed(step)
            found = made({"x": torch.ones(16, device="cuda")}).clone()
            torch.manual_seed(step)
            assert torch.equal(found, waits({"x": torch.ones(16, device="cuda")}))
        torch.cuda.synchronize()
    assert len(said) == 1
