"""How many slots a command has, on which devices, with how many threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from intdim.launch.jobs import Device
from intdim.launch.local import LocalSlots
from intdim.launch.pool import BYTES_PER_WEIGHT, MOST_SLOTS, PROGRAM, Pool
from tests import cells


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def pool(monkeypatch: pytest.MonkeyPatch, cores: int = 16, **changes: Any) -> Pool:
    monkeypatch.setattr("os.sched_getaffinity", lambda who: set(range(cores)), raising=False)
    return Pool(cells.runtime(Path("out"), **({"slots": 0, "threads": 0, "device": "auto"} | changes)))


@pytest.mark.parametrize(
    ("cores", "slots", "threads", "expected"),
    [(16, 0, 0, (MOST_SLOTS, 2)), (4, 0, 0, (4, 1)), (16, 3, 0, (3, 5)), (2, 8, 0, (8, 1)), (16, 2, 7, (2, 7))],
)
def test_a_slot_per_core_unless_the_user_chose(monkeypatch, cores, slots, threads, expected) -> None:
    made = pool(monkeypatch, cores, slots=slots, threads=threads)
    assert (made.slots, made.threads) == expected


@pytest.mark.parametrize(
    ("asked", "count", "slots", "devices"),
    [(0, 1, 1, []), (0, 2, 2, ["0", "1"]), (3, 2, 3, ["0", "1"]), (3, 1, 3, [])],
)
def test_gpus_have_one_slot_each_unless_the_user_chose(monkeypatch, asked, count, slots, devices) -> None:
    made = pool(monkeypatch, slots=asked)
    launcher = made.launcher
    assert isinstance(launcher, LocalSlots)
    assert not made.knows_device
    made.use(Device("cuda", count, 1 << 40))
    assert made.knows_device
    assert (made.device, made.slots, launcher.slots, launcher.devices) == ("cuda", slots, slots, devices)
    made.close(drain=False)


def test_the_gpus_are_those_that_the_user_lets_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    made = pool(monkeypatch)
    launcher = made.launcher
    assert isinstance(launcher, LocalSlots)
    made.use(Device("cuda", 2, 1 << 40))
    assert launcher.devices == ["5", "7"]
    made.close(drain=False)


def test_memory_is_roomy_where_twice_what_runs_take_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    need = 2 * MOST_SLOTS * (BYTES_PER_WEIGHT * 1000 + PROGRAM)
    for memory, roomy in ((need, True), (need - 1, False), (0, True)):  # 0: the system does not say
        made = pool(monkeypatch)
        made.use(Device("cpu", 0, memory))
        assert made.is_roomy(1000) == roomy
    made = pool(monkeypatch, slots=8)
    made.use(Device("cpu", 0, 1))
    assert made.is_roomy(1000), "the user's choice stands"


def test_slots_are_lowered_to_what_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    for memory, slots, threads in ((100, 8, 2), (50, 4, 2), (1, 1, 2)):  # threads are part of what a run is
        made = pool(monkeypatch)
        made.use(Device("cpu", 0, memory))
        assert made.fit(peak=10) == made.slots == slots
        assert made.threads == threads


def test_a_closed_pool_that_never_had_a_job_started_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = pool(monkeypatch)
    made.close(drain=True)
    assert not (tmp_path / "cache").exists()


def test_offline_slots_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for offline in (True, False):
        made = pool(monkeypatch, offline=offline)
        launcher = made.launcher
        assert isinstance(launcher, LocalSlots)
        assert (launcher.environment.get("HF_HUB_OFFLINE") == "1") == offline
        made.close(drain=False)


def test_a_runtime_says_how_a_cells_runs_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    made = pool(monkeypatch, slots=2, threads=3)
    made.use(Device("cpu", 0, 0))
    runtime = made.runtime_for(cells.prepared())
    assert (runtime.device, runtime.slots, runtime.threads) == ("cpu", 2, 3)
    assert runtime.out == str(Path("out").resolve())
    assert runtime.task_folder == cells.prepared().facts.task_folder


def test_runs_are_named_after_the_threads_of_a_slot_but_not_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pool(monkeypatch, slots=2, threads=3, device="cpu").run_threads == 3
    assert pool(monkeypatch, slots=2, threads=3, device="cuda").run_threads == 0
