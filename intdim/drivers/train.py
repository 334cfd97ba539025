"""A single run, asked for by its d, its step length and its learning rate."""

from __future__ import annotations

from intdim.drivers.cells import prepare_cells, single_run
from intdim.drivers.session import Session
from intdim.drivers.view import View
from intdim.launch import Launcher
from intdim.ledger.results import RunResult
from intdim.request import CellRequest, RuntimeRequest

KEPT = "the run resumes from its checkpoint"


def train_one(
    cell: CellRequest,
    d: int,
    step_length: float,
    learning_rate: float,
    runtime: RuntimeRequest,
    view: View | None = None,
    launcher: Launcher | None = None,
) -> RunResult:
    """Make one run at ``d`` (ignored for ``subspace=full``), or return its result if it exists. A run of full
    fine-tuning keeps its weights, so that it can be exported; the baselines of a sweep do not.

    Raises:
        UserError: the request makes no sense; nothing has been written to ``runtime.out``.
        RunFailed: the run broke.
        Interrupted: Ctrl-C; the run's checkpoint is kept.
    """
    with Session(runtime, view, launcher, kept=KEPT, keep_weights=True) as session:
        session.ledger.check()
        (prepared,) = prepare_cells(session, [cell])
        session.view.prepared([prepared])
        spec = single_run(cell, prepared, d, step_length, learning_rate, session.pool.run_threads)
        (result,) = session.run([spec], prepared)
    return result
