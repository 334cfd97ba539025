"""Cells made ready: model and task prepared, the sweep or the single run typed and complete, memory probed."""

from __future__ import annotations

import dataclasses

from intdim.drivers.session import Session
from intdim.errors import UserError
from intdim.launch.jobs import PrepareJob, RunCost, TimeJob
from intdim.ledger import prepared as remembered
from intdim.measurement.program import Measurement, check_dimensions
from intdim.request import CellRequest
from intdim.spec import Prepared, RunSpec, SubspaceSpec, SweepSpec, check_entries, derive_seed, largest_d

LARGE = 10_000_000  # weights from which a model is searched over the paper's range
AUTO_RANGES = {False: (8, 65_536), True: (100, 4_000_000)}  # d_min, d_max where the user gave none
PROBE_STEPS = 2  # of full fine-tuning, to see how much memory it takes


def prepare_cells(session: Session, cells: list[CellRequest]) -> list[Prepared]:
    """Return each cell's prepared model and task, from the cache or by a worker; cells that share both share it.

    Raises:
        UserError: model or data cannot be had, are damaged, or do not fit each other.
    """
    keys = [remembered.key(cell) for cell in cells]
    found: dict[str, Prepared] = {}
    missing: dict[str, CellRequest] = {}
    for key, cell in zip(keys, cells, strict=True):
        known = remembered.lookup(cell, session.view.note)
        if known is not None:
            found[key] = known
        else:
            missing.setdefault(key, cell)

    if missing:
        names = ", ".join(sorted({f"{cell.model.name} on {cell.task.name}" for cell in missing.values()}))
        session.view.note(f"preparing {names}")
    # one after another: two workers would read the same corpus and tokenise the same task twice
    for key, cell in missing.items():
        found[key] = prepare_cell(session, cell)
    return [found[key] for key in keys]


def prepare_cell(session: Session, cell: CellRequest) -> Prepared:
    """Prepare a cell by a worker, even if the cache has it, and remember what was found."""
    (prepared,) = session.ask([PrepareJob(cell)], Prepared)
    remembered.store(cell, prepared)
    return prepared


def sweep_spec(cell: CellRequest, prepared: Prepared, threads: int = 1) -> SweepSpec:
    """Return the typed, complete sweep of a cell; ends of the range that the user left open are chosen here.

    ``threads`` are those of each run (0 on a GPU): they decide how sums round.
    """
    search, facts = cell.search, prepared.facts
    low, high = AUTO_RANGES[facts.D > LARGE]
    m = facts.scales(cell.subspace)
    d_max = search.d_max or min(high, largest_d(cell.subspace.projection, facts.D))
    d_min = search.d_min or min(max(low, m + 1), d_max)
    return SweepSpec(
        model=prepared.model,
        task=prepared.task,
        subspace=cell.subspace,
        train=cell.train,
        search=dataclasses.replace(search, d_min=d_min, d_max=d_max),
        step_lengths=cell.step_lengths,
        learning_rates=cell.learning_rates,
        baseline_seeds=cell.baseline_seeds,
        seed=cell.seed,
        threads=threads,
    )


def prepare_sweeps(session: Session, cells: list[CellRequest]) -> list[tuple[SweepSpec, Prepared]]:
    """Prepare cells and return their sweeps.

    Raises:
        UserError: a model or a task cannot be had; dimensions cannot be measured, one error for all cells; or a
            projection would have too many entries.
    """
    prepared = prepare_cells(session, cells)
    threads = session.pool.run_threads
    sweeps = [(sweep_spec(cell, one, threads), one) for cell, one in zip(cells, prepared, strict=True)]

    wrong: list[str] = []
    for spec, one in sweeps:
        wrong += [fact for fact in check_dimensions(spec, one.facts) if fact not in wrong]
    if wrong:
        facts = sweeps[0][1].facts
        raise UserError(
            "; ".join(wrong),
            f"m < search.d_min < search.d_max <= D; here D={facts.D} and m is "
            + ", ".join(f"{m} for groups={kind}" for kind, m in facts.groups.items()),
            "Change search.d_min or search.d_max, choose coarser subspace.groups, or exclude fewer parameters.",
        )
    for spec, one in sweeps:
        check_entries(spec.subspace.projection, one.facts.D, spec.search.d_max, "search.d_max")
    return sweeps


def fit_memory(session: Session, sweeps: list[tuple[SweepSpec, Prepared]]) -> None:
    """Lower ``slots=auto`` to what memory holds, by a probe of the largest cell if that could matter."""
    pool = session.pool
    spec, prepared = max(sweeps, key=lambda sweep: sweep[1].facts.D)
    if pool.is_roomy(prepared.facts.D):
        return

    session.view.note(f"probing the memory of {spec.model.name} on {spec.task.name}")
    run = Measurement(spec, prepared.facts).full_run(min(spec.learning_rates), 0)  # the largest: all is trained
    (cost,) = session.ask([TimeJob(run, pool.runtime_for(prepared), PROBE_STEPS)], RunCost)
    before, peak = pool.slots, cost.peak_memory_bytes
    if pool.fit(peak) < before:
        session.view.note(f"a run takes up to {peak / 2**30:.1f} GiB: {pool.slots} at a time in place of {before}")


def single_run(
    cell: CellRequest, prepared: Prepared, d: int, step_length: float, learning_rate: float, threads: int = 1
) -> RunSpec:
    """Return the typed run of a cell at one ``d``, or of full fine-tuning, where ``d`` and ``step_length`` are ignored.

    Raises:
        UserError: there is no subspace of so many dimensions, or the projection would have too many entries.
    """
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
        check_entries(subspace.projection, facts.D, d)

    return RunSpec(
        model=prepared.model,
        task=prepared.task,
        subspace=subspace,
        train=cell.train,
        d=d,
        step_length=step_length,
        learning_rate=learning_rate,
        seed=derive_seed(cell.seed, "train", d),
        threads=threads,
    )
