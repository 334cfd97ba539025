"""Ray keeps the launchers' laws. Slow: a cluster takes seconds to start; skipped where Ray is not installed."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from intdim.errors import RunFailed, UserError
from intdim.launch.ray import RaySlots

from .contract import PATIENCE, LauncherContract, of, until_ended

ROOT = Path(__file__).resolve().parents[2]
JOBS = "tests.launch.fake_worker:JOBS"
CORES = 3

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster for all tests; launchers that find one use it and leave it."""
    import ray

    from intdim.launch import ray as ours

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        ours._connect(ours._import_ray(), CORES)
        yield
        ray.shutdown()


@pytest.fixture
def make(cluster: None) -> Iterator[Callable[..., RaySlots]]:
    made: list[RaySlots] = []

    def build(slots: int = 1, threads: int = 1, **options: object) -> RaySlots:
        made.append(RaySlots(slots, threads, **{"jobs": JOBS, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for launcher in made:
        launcher.close(drain=False)


@pytest.fixture(params=[1, 3], ids=["one slot", "three slots"])
def launcher(make: Callable[..., RaySlots], request: pytest.FixtureRequest) -> RaySlots:
    return make(request.param)


@needs_ray
@pytest.mark.slow
class TestRaySlots(LauncherContract):
    pass


@needs_ray
@pytest.mark.slow
def test_a_killed_actor_loses_its_job_which_can_be_submitted_again(make, tmp_path: Path) -> None:
    launcher = make()
    payload = {"mark": str(tmp_path / "died before")}
    launcher.submit("a", "die", payload)
    launcher.submit("b", "echo", {})
    events = until_ended(launcher, 2)
    assert of(events, "a")[-1].kind == "lost"
    assert of(events, "a")[-1].data["message"]
    assert of(events, "b")[-1].kind == "done"
    launcher.submit("a", "die", payload)
    assert until_ended(launcher, 1)[-1].data == {"survived": True}


@needs_ray
@pytest.mark.slow
def test_a_running_job_can_be_cancelled(make, tmp_path: Path) -> None:
    launcher = make()
    mark = tmp_path / "mark"
    launcher.submit("a", "nap", {"mark": str(mark), "seconds": 300.0})
    deadline = time.monotonic() + PATIENCE
    while not (mark.exists() and mark.read_text()):
        assert time.monotonic() < deadline
        launcher.poll(0.1)
    launcher.cancel("a")
    launcher.submit("b", "echo", {})
    assert {event.key for event in until_ended(launcher, 1)} == {"b"}
    assert gone(int(mark.read_text()))


@needs_ray
@pytest.mark.slow
def test_actors_know_their_threads_and_environment(make) -> None:
    launcher = make(threads=2, environment={"MINE": "yes"})
    launcher.submit("a", "facts", {})
    answer = until_ended(launcher, 1)[-1].data
    assert (answer["OMP_NUM_THREADS"], answer["MINE"], answer["TOKENIZERS_PARALLELISM"]) == ("2", "yes", "false")


@needs_ray
@pytest.mark.slow
def test_actors_that_cannot_start_are_given_up(make) -> None:
    launcher = make(jobs="no.such.module:JOBS")
    launcher.submit("a", "echo", {})
    with pytest.raises(RunFailed, match="does not start"):
        until_ended(launcher, 1)


def gone(pid: int) -> bool:
    """True once a process has ended."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.1)
    return False


@needs_ray
@pytest.mark.slow
def test_a_cluster_of_our_own_dies_with_the_driver_and_leaves_its_signals_alone(tmp_path: Path) -> None:
    script = f"""
import signal, sys
from intdim.launch.ray import RaySlots
signal.signal(signal.SIGTERM, signal.SIG_IGN)
launcher = RaySlots(1, 1, jobs={JOBS!r})
assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
launcher.submit("a", "nap", {{"mark": sys.argv[1], "seconds": 300.0}})
while True:
    launcher.poll(0.5)
"""
    mark = tmp_path / "mark"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen([sys.executable, "-c", script, str(mark)], cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + 2 * PATIENCE
        while not (mark.exists() and mark.read_text()):
            assert driver.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        assert gone(int(mark.read_text()))
    finally:
        driver.kill()
        driver.wait()


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError) as error:
        RaySlots(1, 1)
    assert error.value.parts[2] == "pip install 'intdim[ray]'"
