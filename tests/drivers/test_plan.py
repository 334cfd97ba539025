"""A plan: what a sweep would run, from a few timed steps."""

from __future__ import annotations

import pytest

from intdim.drivers.cells import sweep_spec
from intdim.drivers.plan import plan_cells, run_seconds
from intdim.drivers.sweep import run_cells
from intdim.launch.jobs import RunCost
from intdim.measurement.program import expected_runs
from tests import cells


def test_a_plan_counts_runs_and_writes_nothing(out):
    world = cells.Simulated()
    world.cost = RunCost(0.1, 1.0, 2, 0.5, 60, 10)
    (plan,) = plan_cells([cells.cell()], cells.runtime(out), launcher=world.launcher())
    assert plan.runs == expected_runs(sweep_spec(cells.cell(), cells.prepared()))
    assert run_seconds(plan.full) == pytest.approx(0.5 + 60 * 0.1 + 3 * 1.0)
    assert plan.seconds == pytest.approx(plan.runs.total * run_seconds(plan.full)), "one slot"
    assert not plan.known
    assert not out.exists()


def test_a_plan_knows_what_is_measured(out):
    world = cells.Simulated()
    run_cells([cells.cell()], cells.runtime(out), launcher=world.launcher())
    (plan,) = plan_cells([cells.cell()], cells.runtime(out), launcher=world.launcher())
    assert plan.known


@pytest.mark.parametrize(
    ("memory", "asked", "slots", "threads", "probes"),
    [
        (0, 0, 8, 1, 0),  # the system does not say
        (200 << 30, 0, 8, 1, 0),  # roomy
        (16 << 30, 0, 2, 1, 1),  # 5 GiB a run; threads stay, they are part of what a run is
        (3 << 30, 0, 1, 1, 1),  # one is always tried
        (16 << 30, 8, 8, 1, 0),  # the user's choice stands
    ],
)
def test_slots_are_as_many_as_memory_holds(out, monkeypatch, memory, asked, slots, threads, probes):
    monkeypatch.setattr("os.sched_getaffinity", lambda who: set(range(8)), raising=False)
    world = cells.Simulated()
    world.memory = memory
    runtime = cells.runtime(out, slots=asked, threads=0)
    (plan,) = plan_cells([cells.cell()], runtime, launcher=world.launcher())
    assert (plan.slots, plan.threads) == (slots, threads)
    assert len(world.probed) == probes + 2, "a plan times two runs"
    assert world.probed[0].subspace.method == "full"
    run_cells([cells.cell()], runtime, launcher=world.launcher())
    assert len(world.probed) == 2 * probes + 2
