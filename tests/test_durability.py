"""Killed anywhere, the same command resumes: the same verdict, and no finished run is made again."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from intdim.ledger.store import Ledger
from intdim.spec import to_dict

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
Finished = dict[str, tuple[int, int]]

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers in /proc")


class Sweep:
    """A sweep of another process: started, watched, killed, started again."""

    def __init__(self, command: list[str], out: Path, cache: Path, **environment: str) -> None:
        self.out, self.command = out, command
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "INTDIM_CACHE": str(cache), **environment}
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return the exit status and what was printed."""
        assert self.process is not None
        stdout, stderr = self.process.communicate(timeout=5 * PATIENCE)
        return self.process.returncode, stdout, stderr

    def kill(self, number: signal.Signals) -> None:
        assert self.process is not None
        workers = self.workers()
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE)
        deadline = time.monotonic() + 10.0
        while any(alive(pid) for pid in workers):
            assert time.monotonic() < deadline, "a worker outlived its driver"
            time.sleep(0.02)

    def workers(self) -> list[int]:
        assert self.process is not None
        try:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        except FileNotFoundError:
            return []
        return [int(pid) for pid in children]

    def finished(self) -> Finished:
        """Return each finished run's file as (inode, time of change): a file that was written again differs."""
        found = {}
        for file in self.out.glob("runs/*/result.json"):
            state = file.stat()
            found[file.parent.name] = (state.st_ino, state.st_mtime_ns)
        return found

    def wait_for(self, results: int) -> None:
        """Wait until so many runs have finished, or the sweep has ended."""
        deadline = time.monotonic() + PATIENCE
        while self.running() and len(self.finished()) < results:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def wait_for_work(self) -> None:
        """Wait until a run has left something new on disk, or the sweep has ended."""
        seen, deadline = self.work(), time.monotonic() + PATIENCE
        while self.running() and self.work() == seen:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def work(self) -> list[tuple[str, int]]:
        found = []
        for file in self.out.glob("runs/*/[a-z]*"):
            with contextlib.suppress(FileNotFoundError):
                found.append((str(file), file.stat().st_mtime_ns))
        return sorted(found)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def verdict_of(out: Path) -> dict[str, Any]:
    """Return the only verdict without the time it took."""
    (folder,) = (out / "sweeps").iterdir()
    verdict = Ledger(out).verdict(folder.name)
    assert verdict is not None
    return {name: value for name, value in to_dict(verdict).items() if name != "seconds"}


def points_of(out: Path) -> bytes:
    (file,) = out.glob("sweeps/*/points.csv")
    return file.read_bytes()


def kill_and_resume(sweep: Sweep, kills: int, runs: int, pause: float, seed: int) -> list[str]:
    """Kill a sweep so often, at moments spread over its runs, and let it end; return what was done to it."""
    chance, history, before = random.Random(seed), [], {}
    for moment in sorted(chance.randrange(runs) for _ in range(kills)):
        if not sweep.running():
            sweep.start()
        sweep.wait_for(moment)
        if chance.random() < 0.75:
            sweep.wait_for_work()  # else it may be caught at its start
        time.sleep(chance.uniform(0.0, pause))
        how = chance.choice(["SIGKILL", "SIGKILL", "SIGINT", "SIGTERM", "worker"])
        if how == "worker":
            victims = sweep.workers()
            if victims:
                os.kill(chance.choice(victims), signal.SIGKILL)
        else:
            sweep.kill(signal.Signals[how])
        after = sweep.finished()
        assert {run_id: after.get(run_id) for run_id in before} == before, "a finished run was made again"
        before = after
        history.append(f"{how} at {len(after)}")
    if not sweep.running():
        sweep.start()
    status, _, stderr = sweep.end()
    assert status == 0, stderr
    after = sweep.finished()
    assert {run_id: after.get(run_id) for run_id in before} == before, "a finished run was made again"
    return history


# -- simulated runs --------------------------------------------------------------------------------------------------


def simulated(folder: Path, name: str, **environment: str) -> Sweep:
    out = folder / name
    command = [sys.executable, "-m", "tests.killable", "drive", str(out)]
    return Sweep(command, out, folder / "cache", **environment)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a sweep that nothing happened to."""
    sweep = simulated(tmp_path_factory.mktemp("whole"), "out")
    sweep.start()
    status, _, stderr = sweep.end()
    assert status == 0, stderr
    return sweep.out


@pytest.mark.parametrize("kills", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_verdict_is_the_same(tmp_path: Path, whole: Path, kills: int) -> None:
    sweep = simulated(tmp_path, "out")
    runs = len(list(whole.glob("runs/*")))
    history = kill_and_resume(sweep, kills, runs, pause=0.1, seed=kills)
    assert len(history) == kills
    assert verdict_of(sweep.out) == verdict_of(whole), history
    assert points_of(sweep.out) == points_of(whole)
    assert {spec.run_id for spec, _ in Ledger(sweep.out).runs()} == {spec.run_id for spec, _ in Ledger(whole).runs()}
    before = sweep.finished()
    sweep.start()
    assert sweep.end()[0] == 0
    assert sweep.finished() == before


def test_two_commands_at_once_share_their_runs(tmp_path: Path, whole: Path) -> None:
    first, second = simulated(tmp_path, "out"), simulated(tmp_path, "out")
    first.start()
    second.start()
    assert first.end()[0] == 0
    assert second.end()[0] == 0
    assert verdict_of(first.out) == verdict_of(whole)
    for folder in (first.out / "runs").iterdir():
        steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert steps == sorted(set(steps)), "a run was made twice"


@pytest.mark.parametrize("results", [0, 3, 11])
def test_a_full_disk_keeps_what_is_finished(tmp_path: Path, whole: Path, results: int) -> None:
    sweep = simulated(tmp_path, "out", FULL_AFTER=str(results), FULL_OUT=str(tmp_path / "out"))
    sweep.start()
    status, _, stderr = sweep.end()
    assert status == 1
    assert "is full" in stderr
    assert str(sweep.out) in stderr
    kept = sweep.finished()
    assert len(kept) >= results
    again = simulated(tmp_path, "out")
    again.start()
    assert again.end()[0] == 0
    assert {run_id: again.finished()[run_id] for run_id in kept} == kept
    assert verdict_of(again.out) == verdict_of(whole)


# -- real runs -------------------------------------------------------------------------------------------------------

SMALL = [
    *("task=docstrings-package", "task.max_train=1000", "task.max_eval=300", "device=cpu", "launch.slots=2"),
    *("train.max_steps=60", "train.learning_rate=[1e-3]", "train.step_length=[10]", "train.baseline_seeds=2"),
    *("search.d_min=16", "search.d_max=4096", "search.max_runs=5", "launch.checkpoint_seconds=0"),
]


def real(folder: Path, name: str) -> Sweep:
    out = folder / name
    cache = Path(os.environ["INTDIM_CACHE"])
    return Sweep([sys.executable, "-m", "intdim", "sweep", *SMALL, f"out={out}"], out, cache)


@pytest.mark.slow
def test_real_runs_killed_at_random_moments_are_the_same_bit_for_bit(tmp_path: Path) -> None:
    whole, broken = real(tmp_path, "whole"), real(tmp_path, "broken")
    whole.start()
    status, _, stderr = whole.end()
    assert status == 0, stderr
    history = kill_and_resume(broken, 20, len(whole.finished()), pause=4.0, seed=0)
    assert verdict_of(broken.out) == verdict_of(whole.out), history
    assert points_of(broken.out) == points_of(whole.out)
    for spec, result in Ledger(whole.out).runs():
        other = Ledger(broken.out).result(spec.run_id)
        assert other is not None
        mine, theirs = to_dict(result), to_dict(other)
        unlike = {name for name in mine if mine[name] != theirs[name]}
        assert unlike <= {"seconds", "peak_memory_bytes"}, (spec.run_id, history)
        if spec.subspace.method != "full":
            moved = [sweep.out / "runs" / spec.run_id / "z.safetensors" for sweep in (whole, broken)]
            assert moved[0].read_bytes() == moved[1].read_bytes(), (spec.run_id, history)
