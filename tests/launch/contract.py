"""The laws every launcher keeps; a new launcher is a subclass with a fixture ``launcher`` and its jobs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from intdim.launch import Event, Launcher

ENDS = ("done", "failed", "lost")
PATIENCE = 60.0  # seconds; a loaded machine starts a worker in a few


def until_ended(launcher: Launcher, jobs: int) -> list[Event]:
    """Poll until that many jobs have ended."""
    events: list[Event] = []
    deadline = time.monotonic() + PATIENCE
    while sum(event.kind in ENDS for event in events) < jobs:
        assert time.monotonic() < deadline, f"only {events}"
        events += launcher.poll(0.5)
    return events


def of(events: list[Event], key: str) -> list[Event]:
    return [event for event in events if event.key == key]


class LauncherContract:
    """Inherited by the tests of each launcher."""

    def test_a_job_starts_and_is_answered(self, launcher: Launcher) -> None:
        launcher.submit("a", "echo", {"text": "ä\n", "numbers": [1, 2.5, None], "inner": {"yes": True}})
        assert until_ended(launcher, 1) == [
            Event("a", "started"),
            Event("a", "done", {"text": "ä\n", "numbers": [1, 2.5, None], "inner": {"yes": True}}),
        ]

    def test_what_is_warned_of_the_machine_is_a_note(self, launcher: Launcher) -> None:
        for key in ("a", "b"):
            launcher.submit(key, "doubtful", {})
        note = {"note": "no compiler"}
        wanted = [Event("a", "started"), Event("a", "progress", note), Event("a", "done", {})]
        assert of(until_ended(launcher, 2), "a") == wanted

    def test_an_idle_launcher_says_nothing(self, launcher: Launcher) -> None:
        assert launcher.poll(0.0) == []
        launcher.submit("a", "echo", {})
        until_ended(launcher, 1)
        assert launcher.poll(0.1) == []

    def test_progress_comes_in_order_between_start_and_end(self, launcher: Launcher) -> None:
        launcher.submit("a", "count", {"to": 200})
        events = until_ended(launcher, 1)
        assert [event.kind for event in events] == ["started"] + 200 * ["progress"] + ["done"]
        assert [event.data["number"] for event in events[1:-1]] == list(range(200))
        assert events[-1].data == {"sum": 19900}

    def test_jobs_start_in_the_order_of_submission(self, launcher: Launcher) -> None:
        keys = [f"job {number}" for number in range(20)]
        for key in keys:
            launcher.submit(key, "echo", {"key": key})
        events = until_ended(launcher, len(keys))
        if launcher.slots == 1:
            assert [event.key for event in events if event.kind == "started"] == keys
        assert {event.key: event.data for event in events if event.kind == "done"} == {
            key: {"key": key} for key in keys
        }

    def test_every_job_ends_once(self, launcher: Launcher) -> None:
        for number in range(12):
            launcher.submit(str(number), ("echo", "misspelt", "broken")[number % 3], {})
        ends = [event for event in until_ended(launcher, 12) if event.kind in ENDS]
        assert sorted(int(event.key) for event in ends) == list(range(12))
        assert launcher.poll(0.2) == []

    def test_a_users_error_arrives_in_its_parts(self, launcher: Launcher) -> None:
        launcher.submit("a", "misspelt", {})
        end = until_ended(launcher, 1)[-1]
        assert end == Event("a", "failed", {"kind": "user", "parts": ["d=9 exceeds D=4", "1 <= d <= 4", "Lower d."]})

    def test_a_failure_brings_its_traceback_and_costs_no_other_job(self, launcher: Launcher) -> None:
        launcher.submit("a", "broken", {})
        launcher.submit("b", "echo", {"still": "here"})
        events = until_ended(launcher, 2)
        end = of(events, "a")[-1]
        assert end.kind == "failed"
        assert end.data["kind"] == "failure"
        assert end.data["message"] == "the sky fell"
        assert 'raise ArithmeticError("the sky fell")' in end.data["traceback"]
        assert of(events, "b")[-1] == Event("b", "done", {"still": "here"})

    def test_an_answer_that_is_not_json_is_a_failure(self, launcher: Launcher) -> None:
        launcher.submit("a", "unwritable", {})
        end = until_ended(launcher, 1)[-1]
        assert end.kind == "failed"
        assert "not JSON serializable" in end.data["message"]

    def test_an_unknown_job_is_a_failure(self, launcher: Launcher) -> None:
        launcher.submit("a", "no such job", {})
        end = until_ended(launcher, 1)[-1]
        assert (end.kind, end.data["kind"]) == ("failed", "failure")

    def test_a_payload_that_is_not_json_is_refused_at_once(self, launcher: Launcher) -> None:
        with pytest.raises(TypeError):
            launcher.submit("a", "echo", {"path": Path()})

    def test_megabytes_go_in_and_come_out(self, launcher: Launcher) -> None:
        payload = {"text": "x" * (1 << 20)}
        for key in "abc":
            launcher.submit(key, "echo", payload)
        for event in until_ended(launcher, 3):
            assert event.kind == "started" or event.data == payload

    def test_a_key_may_be_used_again_after_its_end(self, launcher: Launcher) -> None:
        for answer in range(3):
            launcher.submit("a", "echo", {"answer": answer})
            assert until_ended(launcher, 1)[-1].data == {"answer": answer}

    def test_a_key_in_use_is_refused(self, launcher: Launcher) -> None:
        launcher.submit("a", "echo", {})
        with pytest.raises(AssertionError):
            launcher.submit("a", "echo", {})

    def test_a_cancelled_job_in_the_queue_never_starts(self, launcher: Launcher, tmp_path: Path) -> None:
        keys = [f"job {number}" for number in range(launcher.slots + 3)]
        for key in keys:
            launcher.submit(key, "nap", {"mark": str(tmp_path / key), "seconds": 0.2})
        launcher.cancel(keys[-1])
        launcher.cancel("never heard of")
        events = until_ended(launcher, len(keys) - 1)
        events += launcher.poll(0.5)
        assert {event.key for event in events} == set(keys[:-1])
        assert not (tmp_path / keys[-1]).exists()

    def test_close_drops_what_waits(self, launcher: Launcher, tmp_path: Path) -> None:
        keys = [f"job {number}" for number in range(launcher.slots + 3)]
        for key in keys:
            launcher.submit(key, "nap", {"mark": str(tmp_path / key), "seconds": 0.0})
        launcher.close(drain=False)
        assert launcher.poll(0.5) == []
        assert not (tmp_path / keys[-1]).exists()

    def test_close_twice_is_close_once(self, launcher: Launcher) -> None:
        launcher.submit("a", "echo", {})
        until_ended(launcher, 1)
        launcher.close(drain=True)
        launcher.close(drain=False)
