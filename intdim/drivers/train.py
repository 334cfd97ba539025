"""A single run, asked for by its d, its step length and its learning rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from intdim.drivers.sweep import Driver, Silent, View, prepare_cells
from intdim.errors import Interrupted, RunFailed, UserError
from intdim.launch import Launcher
from intdim.launch.pool import error_of, workers
from intdim.ledger.store import Ledger
from intdim.request import CellRequest, RuntimeRequest
from intdim.spec import Prepared, RunSpec, SubspaceSpec, derive_seed


def train_one(
    cell: CellRequest,
    d: int,
    step_length: float,
    learning_rate: float,
    runtime: RuntimeRequest,
    view: View | None = None,
    launcher: Launcher | None = None,
) -> dict[str, Any]:
    """Make one run at ``d`` (0 for ``subspace=full``), or return its result if it exists; adds ``folder``."""
    shown = view or Silent()
    ledger = Ledger(Path(runtime.out))
    ledger.check()
    with workers(runtime, launcher) as pool:
        try:
            prepared = prepare_cells([cell], pool, shown)[0]
            run = single_run(cell, prepared, d, step_length, learning_rate)
            driver = Driver(pool, ledger, shown)
            if ledger.result(run.run_id) is None:
                pool.find_device()
                ledger.open()
            driver.want(run, prepared)
            while driver.flying:
                for event in pool.launcher.poll(0.5):
                    if event.kind == "failed":
                        raise error_of(event)
                    driver.take(event, [])
        except KeyboardInterrupt:
            raise Interrupted("interrupted; the run goes on from its checkpoint") from None
        if run.run_id not in driver.results:
            raise RunFailed(f"run {run.run_id} failed. Kept: {ledger.run_folder(run.run_id)}")
    return driver.results[run.run_id] | {"folder": str(ledger.run_folder(run.run_id))}


def single_run(cell: CellRequest, prepared: Prepared, d: int, step_length: float, learning_rate: float) -> RunSpec:
    """Return the typed run of ``intdim train``; raises ``UserError`` for a d that cannot be."""
    facts, subspace = prepared.facts, cell.subspace
    if subspace.method == "full":
        subspace, d, step_length = SubspaceSpec("full", "none", "none", "none", subspace.exclude), 0, 0.0
    else:
        learning_rate = 0.0
        m = facts.scales(subspace)
        if not m < d <= facts.D:
            raise UserError(
                f"d={d} does not fit: D={facts.D} parameters are inside the subspace and m={m} scales are counted in d",
                f"{m + 1} <= d <= {facts.D}",
                "Choose another d, coarser subspace.groups, or exclude fewer parameters.",
            )
    return RunSpec(
        model=prepared.model,
        task=prepared.task,
        subspace=subspace,
        train=cell.train,
        d=d,
        step_length=step_length,
        learning_rate=learning_rate,
        seed=derive_seed(cell.seed, "train", d),
    )
