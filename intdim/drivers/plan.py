"""What a sweep would run, and about how long that takes, from a few timed steps before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass

from intdim.drivers.cells import fit_memory, prepare_sweeps
from intdim.drivers.session import Session
from intdim.drivers.view import View
from intdim.launch import Launcher
from intdim.launch.jobs import RunCost, TimeJob
from intdim.measurement.program import ExpectedRuns, Measurement, expected_runs
from intdim.request import CellRequest, RuntimeRequest
from intdim.spec import Facts, Prepared, SweepSpec

TIMED_STEPS = 8


@dataclass(frozen=True)
class Plan:
    """What the sweep of one cell would run.

    Attributes:
        spec: the sweep.
        facts: sizes of the model and the task.
        runs: how many runs are expected.
        full: cost of a run of full fine-tuning.
        inside: cost of a run in a subspace, at the middle of the range of d.
        device: ``cpu`` or ``cuda``.
        slots: runs side by side.
        threads: of each slot.
        known: the sweep has its verdict already.
    """

    spec: SweepSpec
    facts: Facts
    runs: ExpectedRuns
    full: RunCost
    inside: RunCost
    device: str
    slots: int
    threads: int
    known: bool

    @property
    def seconds(self) -> float:
        """About how long the sweep takes."""
        inside = (self.runs.locating + self.runs.search) * run_seconds(self.inside)
        return (self.runs.baseline * run_seconds(self.full) + inside) / self.slots


def run_seconds(cost: RunCost) -> float:
    """Return how long a run takes: building, steps, evaluations and the training score."""
    evaluations = (cost.evaluations + 1) * cost.evaluate_seconds
    return cost.start_seconds + cost.total_steps * cost.step_seconds + evaluations


def plan_cells(
    cells: list[CellRequest], runtime: RuntimeRequest, view: View | None = None, launcher: Launcher | None = None
) -> list[Plan]:
    """Return what a sweep of each cell would run, from a few timed steps; nothing is written to ``runtime.out``.

    Raises:
        UserError: the request makes no sense.
        RunFailed: a timed run broke.
    """
    with Session(runtime, view, launcher) as session:
        session.ledger.check()
        sweeps = prepare_sweeps(session, cells)
        session.find_device()
        fit_memory(session, sweeps)
        return [_plan(session, spec, prepared) for spec, prepared in sweeps]


def _plan(session: Session, spec: SweepSpec, prepared: Prepared) -> Plan:
    session.view.note(f"timing {spec.model.name} on {spec.task.name}")
    cell = Measurement(spec, prepared.facts)
    middle = round((spec.search.d_min * spec.search.d_max) ** 0.5)
    timed = [
        cell.full_run(min(spec.learning_rates), 0),
        cell.inside_run(middle, min(spec.step_lengths), 0),
    ]
    runtime = session.pool.runtime_for(prepared)
    full, inside = session.ask([TimeJob(run, runtime, TIMED_STEPS) for run in timed], RunCost)

    return Plan(
        spec=spec,
        facts=prepared.facts,
        runs=expected_runs(spec),
        full=full,
        inside=inside,
        device=session.pool.device,
        slots=session.pool.slots,
        threads=session.pool.threads,
        known=session.ledger.verdict(spec.sweep_id) is not None,
    )
