from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from intdim.errors import RunFailed
from intdim.launch import LocalSlots

from .contract import PATIENCE, LauncherContract, of, until_ended

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tests.launch.fake_worker"]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., LocalSlots]]:
    made: list[LocalSlots] = []

    def build(slots: int = 1, **options: object) -> LocalSlots:
        settings = {"threads": 1, "command": COMMAND, "log": tmp_path / "logs" / "worker.log"}
        launcher = LocalSlots(slots, **{**settings, **options})  # type: ignore[arg-type]
        made.append(launcher)
        return launcher

    yield build
    for launcher in made:
        launcher.close(drain=False)


@pytest.fixture(params=[1, 3], ids=["one slot", "three slots"])
def launcher(make: Callable[..., LocalSlots], request: pytest.FixtureRequest) -> LocalSlots:
    return make(request.param)


class TestLocalSlots(LauncherContract):
    pass


def alive(pid: int) -> bool:
    """True while a process runs (one that has died and was not waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def soon(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def started_nap(launcher: LocalSlots, mark: Path, key: str = "a", seconds: float = 300.0) -> int:
    """Submit a long job; return the process that does it, once it has begun."""
    launcher.submit(key, "nap", {"mark": str(mark), "seconds": seconds})

    def begun() -> bool:
        launcher.poll(0.05)
        return mark.exists() and mark.read_text() != ""

    assert soon(begun)
    return int(mark.read_text())


# -- slots ---------------------------------------------------------------------------------------------------------


def test_workers_start_when_needed_and_stay(make: Callable[..., LocalSlots]) -> None:
    launcher = make(3)
    assert launcher.pids == []
    pids = set()
    for key in "abc":
        launcher.submit(key, "facts", {})
        pids.add(until_ended(launcher, 1)[-1].data["pid"])
    assert len(pids) == 1
    assert launcher.pids == list(pids)


def test_slots_work_side_by_side(make: Callable[..., LocalSlots], tmp_path: Path) -> None:
    launcher = make(2)
    for key in "abc":
        launcher.submit(key, "nap", {"mark": str(tmp_path / key), "seconds": 300.0})
    assert soon(lambda: bool(launcher.poll(0.05) or True) and (tmp_path / "a").exists() and (tmp_path / "b").exists())
    launcher.poll(0.3)
    assert len(launcher.pids) == 2
    assert not (tmp_path / "c").exists()


def test_workers_know_their_threads_devices_and_environment(
    make: Callable[..., LocalSlots], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    launcher = make(3, threads=5, devices=["4", "6"], environment={"MINE": "yes"})
    for key in "abc":
        launcher.submit(key, "nap", {"mark": str(tmp_path / key), "seconds": 0.5})
    for key in "def":
        launcher.submit(key, "facts", {})
    facts = {event.data["pid"]: event.data for event in until_ended(launcher, 6) if "pid" in event.data}
    for answer in facts.values():
        assert (answer["OMP_NUM_THREADS"], answer["MKL_NUM_THREADS"], answer["MINE"]) == ("5", "5", "yes")
        assert answer["TOKENIZERS_PARALLELISM"] == "false"
        assert answer["optimised"] == 0
    slots = dict(zip(launcher.pids, ("4", "6", "4"), strict=True))
    assert all(answer["CUDA_VISIBLE_DEVICES"] == slots[pid] for pid, answer in facts.items())


def test_slots_can_be_placed_once_the_devices_are_known(make: Callable[..., LocalSlots], tmp_path: Path) -> None:
    launcher = make(4)

    def ask(keys: str) -> dict[int, str]:
        for key in keys:
            launcher.submit(key, "nap", {"mark": str(tmp_path / key), "seconds": 0.3})
        for key in keys.upper():
            launcher.submit(key, "facts", {})
        answers = [event.data for event in until_ended(launcher, 2 * len(keys)) if "pid" in event.data]
        return {answer["pid"]: answer["CUDA_VISIBLE_DEVICES"] for answer in answers}

    launcher.submit("first", "facts", {})
    first = until_ended(launcher, 1)[-1].data["pid"]
    launcher.place(1)
    assert set(ask("abc")) == {first}, "fewer slots, the same device: the worker stays"
    launcher.place(2, ["0", "1"])
    assert not alive(first)
    answers = ask("abcd")
    assert len(launcher.pids) == 2
    placed = dict(zip(launcher.pids, ("0", "1"), strict=True))
    assert answers == {pid: placed[pid] for pid in answers}
    launcher.close(drain=True)
    assert list((tmp_path / "logs").iterdir()) == []


def test_workers_have_a_session_of_their_own(make: Callable[..., LocalSlots]) -> None:
    launcher = make()
    launcher.submit("a", "facts", {})
    answer = until_ended(launcher, 1)[-1].data
    assert answer["session"] == answer["pid"] != os.getsid(0)


# -- what a job prints, reads and starts ----------------------------------------------------------------------------


def test_what_a_job_prints_is_no_event_and_what_it_reads_is_no_job(make: Callable[..., LocalSlots]) -> None:
    launcher = make()
    launcher.submit("a", "chatty", {})
    launcher.submit("b", "echo", {"second": True})
    events = until_ended(launcher, 2)
    assert [(event.key, event.kind) for event in events] == [
        ("a", "started"),
        ("a", "done"),
        ("b", "started"),
        ("b", "done"),
    ]
    assert of(events, "a")[-1].data == {"read": ""}
    printed = launcher.log_of(0).read_bytes()
    assert printed.count(b'{"kind": "done"') == 3


# -- deaths --------------------------------------------------------------------------------------------------------


def test_a_killed_worker_loses_its_job_and_only_that(make: Callable[..., LocalSlots], tmp_path: Path) -> None:
    launcher = make(2)
    pid = started_nap(launcher, tmp_path / "a")
    other = started_nap(launcher, tmp_path / "b", "b", seconds=3.0)
    os.kill(pid, signal.SIGKILL)
    lost, done = (event for event in until_ended(launcher, 2) if event.kind in ("lost", "done"))
    assert (lost.key, lost.kind) == ("a", "lost")
    assert "SIGKILL" in lost.data["message"]
    assert (done.key, done.kind) == ("b", "done")
    assert alive(other)


def test_a_lost_job_can_be_submitted_again_and_gets_a_fresh_worker(
    make: Callable[..., LocalSlots], tmp_path: Path
) -> None:
    launcher = make()
    payload = {"mark": str(tmp_path / "died before")}
    launcher.submit("a", "die", payload)
    launcher.submit("b", "echo", {})
    events = until_ended(launcher, 2)
    assert [event.kind for event in of(events, "a")] == ["started", "lost"]
    assert [event.kind for event in of(events, "b")] == ["started", "done"]
    launcher.submit("a", "die", payload)
    assert until_ended(launcher, 1)[-1].data == {"survived": True}


@pytest.mark.parametrize(
    ("job", "how", "said"),
    [
        ("leave", "exit status 7: no space left in this town", "no space left in this town"),
        ("crash", "killed by SIGABRT", "in crash"),  # the frames of the fault handler
    ],
)
def test_a_lost_job_says_how_and_what_was_printed_last(
    make: Callable[..., LocalSlots], job: str, how: str, said: str
) -> None:
    launcher = make()
    launcher.submit("before", "chatty", {})
    launcher.submit("a", job, {})
    event = until_ended(launcher, 2)[-1]
    assert event.kind == "lost"
    assert event.data["message"] == how
    assert said in event.data["log"]
    assert Path(event.data["log_file"]).exists()


def test_the_last_lines_are_those_of_the_worker_that_died(make: Callable[..., LocalSlots], tmp_path: Path) -> None:
    launcher = make()
    launcher.submit("a", "leave", {})
    until_ended(launcher, 1)
    launcher.submit("b", "die", {"mark": str(tmp_path / "mark")})
    assert until_ended(launcher, 1)[-1].data["log"] == ""


def test_a_death_is_seen_although_a_child_holds_the_pipes(make: Callable[..., LocalSlots], tmp_path: Path) -> None:
    launcher = make()
    mark = tmp_path / "child"
    launcher.submit("a", "orphan", {"mark": str(mark)})
    assert until_ended(launcher, 1)[-1].kind == "lost"
    assert soon(lambda: not alive(int(mark.read_text())), 5.0), "the dead worker's child goes on"


def test_a_broken_job_costs_its_worker_and_a_users_error_does_not(make: Callable[..., LocalSlots]) -> None:
    launcher = make()
    pids = []
    for number, job in enumerate(("misspelt", "misspelt", "broken", "echo")):
        launcher.submit(f"facts {number}", "facts", {})
        pids.append(until_ended(launcher, 1)[-1].data["pid"])
        launcher.submit(job, job, {})
        until_ended(launcher, 1)
    assert pids[0] == pids[1] == pids[2] != pids[3]


def test_a_worker_that_cannot_start_is_given_up_after_three(tmp_path: Path, make: Callable[..., LocalSlots]) -> None:
    script = "import pathlib, sys; pathlib.Path(sys.argv[1]).open('a').write('x'); sys.exit('no module named sky')"
    starts = tmp_path / "starts"
    launcher = make(command=[sys.executable, "-c", script, str(starts)])
    launcher.submit("a", "echo", {})
    with pytest.raises(RunFailed, match=r"does not start \(exit status 1: no module named sky\)"):
        until_ended(launcher, 1)
    assert starts.read_text() == "xxx"


def test_a_start_that_fails_twice_costs_no_job(tmp_path: Path, make: Callable[..., LocalSlots]) -> None:
    script = (
        "import pathlib, sys, runpy; starts = pathlib.Path(sys.argv[1]); starts.open('a').write('x')\n"
        "if len(starts.read_text()) < 3: sys.exit(1)\n"
        "runpy.run_module('tests.launch.fake_worker', run_name='__main__')"
    )
    launcher = make(command=[sys.executable, "-c", script, str(tmp_path / "starts")])
    launcher.submit("a", "echo", {})
    assert [event.kind for event in until_ended(launcher, 1)] == ["started", "done"]


def test_a_command_that_does_not_exist_is_named(make: Callable[..., LocalSlots]) -> None:
    launcher = make(command=["/no/such/python"])
    with pytest.raises(RunFailed, match="/no/such/python"):
        launcher.submit("a", "echo", {})


# -- ending --------------------------------------------------------------------------------------------------------


def test_a_running_job_can_be_cancelled(make: Callable[..., LocalSlots], tmp_path: Path) -> None:
    launcher = make()
    pid = started_nap(launcher, tmp_path / "a")
    launcher.cancel("a")
    assert not alive(pid)
    launcher.submit("b", "echo", {})
    events = until_ended(launcher, 1)
    assert {event.key for event in events} == {"b"}


def test_close_with_drain_lets_running_jobs_end(make: Callable[..., LocalSlots], tmp_path: Path) -> None:
    launcher = make()
    pid = started_nap(launcher, tmp_path / "a", seconds=1.0)
    launcher.submit("b", "nap", {"mark": str(tmp_path / "b"), "seconds": 0.0})
    begin = time.monotonic()
    launcher.close(drain=True)
    assert time.monotonic() - begin > 0.2
    assert not alive(pid)
    assert not (tmp_path / "b").exists()


def test_close_without_drain_is_quick(make: Callable[..., LocalSlots], tmp_path: Path) -> None:
    launcher = make(2)
    pids = [started_nap(launcher, tmp_path / key, key) for key in "ab"]
    begin = time.monotonic()
    launcher.close(drain=False)
    assert time.monotonic() - begin < 3.0
    assert not any(alive(pid) for pid in pids)


def test_close_keeps_the_logs_that_tell_something(make: Callable[..., LocalSlots], tmp_path: Path) -> None:
    launcher = make()
    launcher.submit("a", "chatty", {})
    until_ended(launcher, 1)
    launcher.close(drain=True)
    assert list((tmp_path / "logs").iterdir()) == []
    launcher = make()
    launcher.submit("a", "leave", {})
    until_ended(launcher, 1)
    launcher.close(drain=True)
    assert [file.name for file in (tmp_path / "logs").iterdir()] == ["worker-0.log"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_die_with_their_driver(tmp_path: Path, number: signal.Signals) -> None:
    script = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from intdim.launch import LocalSlots
from intdim.launch.process import log_name, remove_old_logs
launcher = LocalSlots(2, 1, command={COMMAND!r})
for key in "ab":
    launcher.submit(key, "nap", {{"mark": sys.argv[1] + "/" + key, "seconds": 300.0}})
while True:
    launcher.poll(0.5)
"""
    driver = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        marks = [tmp_path / "a", tmp_path / "b"]
        assert soon(lambda: all(mark.exists() and mark.read_text() for mark in marks))
        pids = [int(mark.read_text()) for mark in marks]
        assert all(alive(pid) for pid in pids)
        driver.send_signal(number)
        driver.wait(10)
        assert soon(lambda: not any(alive(pid) for pid in pids), 3.0), "a worker outlived its driver"
    finally:
        driver.kill()
        driver.wait()


def test_files_in_the_folder_of_the_command_are_no_modules(
    make: Callable[..., LocalSlots], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("random", "json", "intdim"):
        (tmp_path / f"{name}.py").write_text("open('called', 'w')\nraise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH")
    launcher = make(command=None)
    launcher.submit("a", "no such job", {})
    assert until_ended(launcher, 1)[-1].data["message"] == "'no such job'"
    assert not (tmp_path / "called").exists()
