"""The worker process as a launcher sees it: lines in, events out, gone when its driver is gone."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


class Driver:
    """The driver's end of a worker's pipes, by hand."""

    def __init__(self, module: str) -> None:
        self.events, write_end = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "INTDIM_EVENT_FD": str(write_end), "PYTHONPATH": str(ROOT)},
            pass_fds=(write_end,),
        )
        os.close(write_end)
        self.pending = b""

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, key: str, job: str, **payload: Any) -> None:
        self.write(json.dumps({"key": key, "job": job, "payload": payload}).encode() + b"\n")

    def hang_up(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def read(self) -> dict[str, Any] | None:
        """Return the next event, or None at the end of the pipe."""
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self.pending:
            assert select.select([self.events], [], [], max(0.0, deadline - time.monotonic()))[0], "no event came"
            chunk = os.read(self.events, 65536)
            if not chunk:
                return None
            self.pending += chunk
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)


@pytest.fixture
def driver() -> Iterator[Driver]:
    made = Driver("tests.launch.fake_worker")
    assert made.read() == {"kind": "ready", "key": "", "data": {}}
    yield made
    made.process.kill()
    made.process.communicate()
    os.close(made.events)


def test_the_worker_is_ready_before_it_imports_anything_heavy() -> None:
    heavy = "{'torch', 'transformers', 'numpy', 'pandas'}"
    script = f"import sys, intdim.launch.worker; print(*sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


def test_started_by_hand_it_says_so() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "INTDIM_EVENT_FD"}
    command = [sys.executable, "-m", "intdim.launch.worker"]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr == "intdim.launch.worker is started by the commands that need it, not by hand\n"


def test_the_real_worker_serves_the_real_jobs() -> None:
    driver = Driver("intdim.launch.worker")
    try:
        assert driver.read() == {"kind": "ready", "key": "", "data": {}}
        driver.ask("a", "run", spec={}, runtime={}, keep_weights=False)
        assert driver.read() == {"kind": "started", "key": "a", "data": {}}
        event = driver.read()
        assert event is not None
        assert (event["kind"], event["key"]) == ("failed", "a")
        assert "RunJob.spec has fields [], expected ['d', " in event["data"]["message"]
        driver.hang_up()
        assert driver.process.wait(PATIENCE) == 0
    finally:
        driver.process.kill()
        driver.process.communicate()


def test_jobs_are_done_one_after_another(driver: Driver) -> None:
    driver.ask("a", "count", to=2)
    driver.ask("b", "misspelt")
    driver.ask("c", "echo", x=1)
    events = [driver.read() for _ in range(8)]
    assert events == [
        {"kind": "started", "key": "a", "data": {}},
        {"kind": "progress", "key": "a", "data": {"number": 0}},
        {"kind": "progress", "key": "a", "data": {"number": 1}},
        {"kind": "done", "key": "a", "data": {"sum": 1}},
        {"kind": "started", "key": "b", "data": {}},
        {
            "kind": "failed",
            "key": "b",
            "data": {"kind": "user", "parts": ["d=9 exceeds D=4", "1 <= d <= 4", "Lower d."]},
        },
        {"kind": "started", "key": "c", "data": {}},
        {"kind": "done", "key": "c", "data": {"x": 1}},
    ]


def test_an_idle_worker_ends_when_its_input_ends(driver: Driver) -> None:
    driver.hang_up()
    assert driver.process.wait(PATIENCE) == 0
    assert driver.read() is None


def test_a_busy_worker_ends_when_its_input_ends(driver: Driver, tmp_path: Path) -> None:
    driver.ask("a", "nap", mark=str(tmp_path / "mark"), seconds=300.0)
    assert driver.read() == {"kind": "started", "key": "a", "data": {}}
    begin = time.monotonic()
    driver.hang_up()
    driver.process.wait(PATIENCE)
    assert time.monotonic() - begin < 5.0
    assert driver.read() is None


def test_a_request_that_was_torn_by_the_drivers_death_is_not_done(driver: Driver, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    request = json.dumps({"key": "a", "job": "nap", "payload": {"mark": str(mark), "seconds": 0.0}})
    driver.write(request.encode())
    driver.hang_up()
    assert driver.process.wait(PATIENCE) == 0
    assert not mark.exists()


def test_a_worker_whose_events_nobody_reads_ends(driver: Driver) -> None:
    os.close(driver.events)
    driver.ask("a", "echo")
    assert driver.process.wait(PATIENCE) == 1
    driver.events = os.open(os.devnull, os.O_RDONLY)
