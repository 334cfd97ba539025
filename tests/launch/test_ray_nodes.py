"""Ray on two nodes, both of this machine: one is killed in the middle of a sweep, and the verdict is the same."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from intdim.drivers.sweep import run_cells
from intdim.launch import LocalSlots
from intdim.launch.ray import RaySlots
from intdim.ledger import prepared as remembered
from tests import cells
from tests.drivers.played import Noting

ROOT = Path(__file__).resolve().parents[2]
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


@needs_ray
@pytest.mark.slow
def test_a_node_that_dies_costs_a_run_and_not_the_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "_assets", lambda reference: "fixed")
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("STEP_SECONDS", "0.3")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    out, notes = tmp_path / "ray", Noting()
    try:
        second = cluster.add_node(num_cpus=1)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        launcher = RaySlots(2, 1, jobs="tests.killable:JOBS")
        killer = threading.Thread(target=kill_when_busy, args=(cluster, second, out), daemon=True)
        killer.start()
        (verdict,) = run_cells([cells.cell()], cells.runtime(out, slots=2), notes, launcher)
        killer.join(60)
        assert not killer.is_alive()
        assert not second.any_processes_alive()
    finally:
        ray.shutdown()
        cluster.shutdown()

    lost = [note for note in notes.notes if "died" in note]
    assert len(lost) == 1
    assert "starting it again" in lost[0]

    monkeypatch.setenv("STEP_SECONDS", "0.005")
    local = LocalSlots(2, 1, command=[sys.executable, "-m", "tests.killable"])
    (plain,) = run_cells([cells.cell()], cells.runtime(tmp_path / "plain", slots=2), launcher=local)
    assert verdict == plain


def kill_when_busy(cluster, node, out: Path) -> None:
    """Kill a node once some runs have ended and two are under way: one of them is on it, as each node has one core."""
    while len(list(out.glob("runs/*/result.json"))) < 2 or len(under_way(out)) < 2:
        time.sleep(0.02)
    cluster.remove_node(node, allow_graceful=False)


def under_way(out: Path) -> list[Path]:
    """The runs that have made at least a step and have no result; of six steps few are made by then."""
    return [file for file in out.glob("runs/*/checkpoint.json") if not (file.parent / "result.json").exists()]
