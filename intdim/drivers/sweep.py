"""The driver: prepares cells, runs what their programs ask for in supervised slots, writes verdicts.

Killed anywhere, the same command goes on: what a program decides depends on results alone, results are found in the
ledger, and a run that was under way goes on from its checkpoint.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from intdim.errors import Interrupted, RunFailed, UserError
from intdim.launch import Event, Launcher
from intdim.launch.pool import LOST_LIMIT, Workers, error_of, how_died, workers
from intdim.ledger import prepared as remembered
from intdim.ledger.store import Ledger
from intdim.measurement.evaluation_noise import Answers, read_answers
from intdim.measurement.program import Measurement, Result, Wanted, check_dimensions
from intdim.measurement.record import points, verdict_dict
from intdim.request import CellRequest, RuntimeRequest
from intdim.spec import Prepared, RunSpec, SweepSpec, from_dict, to_dict

LARGE = 10_000_000  # weights from which a model is searched over the paper's range
AUTO_RANGES = {False: (8, 65_536), True: (100, 4_000_000)}  # d_min, d_max where the user gave none


class View(Protocol):
    """Whoever shows what happens: a live table, plain lines, or nothing."""

    def event(self, kind: str, **facts: Any) -> None:
        """Take notice of one event; kinds are listed in ``intdim/cli/view.py``."""
        ...


class Silent:
    """A view that shows nothing."""

    def event(self, kind: str, **facts: Any) -> None:
        """Ignore the event."""


# -- preparation ---------------------------------------------------------------------------------------------------


def prepare_cells(cells: list[CellRequest], pool: Workers, view: View) -> list[Prepared]:
    """Return each cell's prepared model and task, from the cache or by a worker; cells that share both share it."""
    keys = [remembered.key(cell) for cell in cells]
    found: dict[str, Prepared] = {}
    missing: dict[str, CellRequest] = {}
    for key, cell in zip(keys, cells, strict=True):
        known = remembered.lookup(cell)
        if known is not None:
            found[key] = known
        else:
            missing.setdefault(key, cell)
    if missing:
        names = ", ".join(sorted({f"{cell.model.name} on {cell.task.name}" for cell in missing.values()}))
        view.event("note", text=f"preparing {names}")
        # one after another: two workers would read the same corpus and tokenise the same task twice
        for key, cell in missing.items():
            answer = pool.ask("prepare", {"cell": to_dict(cell)})
            found[key] = from_dict(Prepared, answer)
            remembered.store(cell, found[key])
    return [found[key] for key in keys]


def sweep_spec(cell: CellRequest, prepared: Prepared) -> SweepSpec:
    """Return the typed, complete sweep of a cell; ends of the range that the user left open are chosen here."""
    search, facts = cell.search, prepared.facts
    low, high = AUTO_RANGES[facts.D > LARGE]
    m = facts.scales(cell.subspace)
    d_max = search.d_max or min(high, facts.D)
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
    )


def resolve(cells: list[CellRequest], pool: Workers, view: View) -> list[tuple[SweepSpec, Prepared]]:
    """Prepare cells and check their dimensions; raises one ``UserError`` for all of them."""
    made = [
        (sweep_spec(cell, prepared), prepared)
        for cell, prepared in zip(cells, prepare_cells(cells, pool, view), strict=True)
    ]
    wrong: list[str] = []
    for spec, prepared in made:
        wrong += [fact for fact in check_dimensions(spec, prepared.facts) if fact not in wrong]
    if wrong:
        facts = made[0][1].facts
        raise UserError(
            "; ".join(wrong),
            f"m < search.d_min < search.d_max <= D; here D={facts.D} and m is "
            + ", ".join(f"{m} for groups={kind}" for kind, m in facts.groups.items()),
            "Change search.d_min or search.d_max, choose coarser subspace.groups, or exclude fewer parameters.",
        )
    return made


def fetch(cells: list[CellRequest], runtime: RuntimeRequest, view: View | None = None) -> list[dict[str, Any]]:
    """Bring models and tasks to this machine and prepare them, so that later runs need no network."""
    shown = view or Silent()
    fetched = []
    with workers(runtime) as pool:
        for cell in cells:
            start = time.monotonic()
            shown.event("note", text=f"fetching {cell.model.name} and {cell.task.name}")
            prepared = from_dict(Prepared, pool.ask("prepare", {"cell": to_dict(cell)}))
            remembered.store(cell, prepared)
            fetched.append(to_dict(prepared.facts) | {"seconds": time.monotonic() - start})
    return fetched


# -- the driver ----------------------------------------------------------------------------------------------------


@dataclass
class Cell:
    """A cell under way: its program, the batch it waits for, and why it stopped, if it failed."""

    spec: SweepSpec
    prepared: Prepared
    measurement: Measurement
    program: Wanted
    waiting: list[RunSpec] = field(default_factory=list)
    failed: str = ""
    ended: bool = False


class Driver:
    """Runs the programs of many cells over one pool of slots, one run for each run id."""

    def __init__(self, pool: Workers, ledger: Ledger, view: View) -> None:
        self.pool, self.ledger, self.view = pool, ledger, view
        self.results: dict[str, Result] = {}
        self.flying: dict[str, tuple[RunSpec, Prepared]] = {}
        self.lost: dict[str, int] = {}

    def run(self, cells: list[Cell]) -> None:
        """Drive all cells to their verdicts, or to the failure that stopped them."""
        for cell in cells:
            self.step(cell, None)
        while any(not cell.ended for cell in cells):
            for event in self.pool.launcher.poll(0.5):
                self.take(event, cells)
            self.advance(cells)

    def advance(self, cells: list[Cell]) -> None:
        """Hand complete batches back to their programs until every program waits for a run."""
        moved = True
        while moved:
            moved = False
            for cell in cells:
                if not cell.ended and all(run.run_id in self.results for run in cell.waiting):
                    self.step(cell, [self.results[run.run_id] for run in cell.waiting])
                    moved = True

    def step(self, cell: Cell, results: list[Result] | None) -> None:
        """Let a cell's program decide what it needs next, and see that it runs."""
        while True:
            try:
                cell.waiting = next(cell.program) if results is None else cell.program.send(results)
            except StopIteration:
                cell.ended = True
                self.finish(cell)
                return
            self.view.event("progress", cell=cell.spec, measurement=cell.measurement, waiting=len(cell.waiting))
            for run in cell.waiting:
                self.want(run, cell.prepared)
            if not all(run.run_id in self.results for run in cell.waiting):
                return
            results = [self.results[run.run_id] for run in cell.waiting]

    def want(self, run: RunSpec, prepared: Prepared) -> None:
        """Find a run in the ledger, or submit it unless it is already under way."""
        run_id = run.run_id
        if run_id in self.results or run_id in self.flying:
            return
        known = self.ledger.result(run_id)
        if known is not None:
            self.results[run_id] = known
            self.view.event("run_known", key=run_id, spec=run, result=known)
            return
        self.pool.find_device()
        self.ledger.write_spec(run_id, run)
        self.flying[run_id] = (run, prepared)
        self.submit(run_id)

    def submit(self, run_id: str) -> None:
        """Hand a run to the slots."""
        run, prepared = self.flying[run_id]
        payload = {"spec": to_dict(run), "runtime": to_dict(self.pool.runtime_for(prepared))}
        self.pool.launcher.submit(run_id, "run", payload)

    def take(self, event: Event, cells: list[Cell]) -> None:
        """Handle one event of the slots."""
        if event.key not in self.flying:
            return
        run, _ = self.flying[event.key]
        if event.kind == "started":
            self.view.event("run_started", key=event.key, spec=run)
        elif event.kind == "progress":
            self.view.event("run_progress", key=event.key, spec=run, **event.data)
        elif event.kind == "done":
            del self.flying[event.key]
            self.results[event.key] = event.data
            self.view.event("run_done", key=event.key, spec=run, result=event.data)
        elif event.kind == "failed":
            del self.flying[event.key]
            self.fail(event.key, str(error_of(event)), run, cells)
        elif event.kind == "lost":
            self.lost[event.key] = self.lost.get(event.key, 0) + 1
            if self.lost[event.key] < LOST_LIMIT:
                self.view.event(
                    "note", text=f"the worker of run {event.key} died ({how_died(event)}); starting it again"
                )
                self.submit(event.key)
            else:
                del self.flying[event.key]
                self.fail(event.key, f"its worker died {LOST_LIMIT} times ({how_died(event)})", run, cells)

    def fail(self, run_id: str, why: str, run: RunSpec, cells: list[Cell]) -> None:
        """Stop the cells that need a run that cannot be made; the others go on."""
        self.view.event("run_failed", key=run_id, spec=run, message=why)
        for cell in cells:
            if not cell.ended and any(wanted.run_id == run_id for wanted in cell.waiting):
                cell.ended, cell.failed = True, f"run {run_id} failed: {why}"
                cell.program.close()

    def finish(self, cell: Cell) -> None:
        """Write a cell's verdict."""
        verdict = verdict_dict(cell.measurement)
        self.ledger.write_sweep(cell.spec.sweep_id, cell.spec, verdict, points(cell.measurement))
        self.view.event("verdict", cell=cell.spec, verdict=verdict)


def fit_memory(pool: Workers, cells: list[tuple[SweepSpec, Prepared]], view: View) -> None:
    """Lower ``slots=auto`` to what memory holds, by a probe of the largest cell if that could matter."""
    spec, prepared = max(cells, key=lambda cell: cell[1].facts.D)
    if pool.is_roomy(prepared.facts.D):
        return
    view.event("note", text=f"probing the memory of {spec.model.name} on {spec.task.name}")
    run = Measurement(spec, prepared.facts).full_run(sorted(spec.learning_rates)[0], 0)  # the largest: all is trained
    payload = {"spec": to_dict(run), "runtime": to_dict(pool.runtime_for(prepared)), "steps": 2}
    before = pool.slots
    peak = pool.ask("time", payload)["peak_memory_bytes"]
    if pool.fit(peak) < before:
        text = f"a run takes up to {peak / 2**30:.1f} GiB: {pool.slots} at a time in place of {before}"
        view.event("note", text=text)


def answers_in(ledger: Ledger) -> Callable[[str], Answers | None]:
    """Return what gives the answers of a finished run."""
    return lambda run_id: read_answers(ledger.run_folder(run_id))


def run_cells(
    cells: list[CellRequest], runtime: RuntimeRequest, view: View | None = None, launcher: Launcher | None = None
) -> list[dict[str, Any]]:
    """Measure every cell; return the verdicts in the order of the cells.

    Finished runs and verdicts are found in ``runtime.out`` and not repeated.

    Raises:
        UserError: the request makes no sense; nothing has been written to ``out``.
        RunFailed: some cells could not be measured; the others have their verdicts on disk.
        Interrupted: Ctrl-C; what is finished is kept.
    """
    shown = view or Silent()
    ledger = Ledger(Path(runtime.out))
    ledger.check()
    with workers(runtime, launcher) as pool:
        try:
            made = resolve(cells, pool, shown)
            known = {spec.sweep_id: ledger.verdict(spec.sweep_id) for spec, _ in made}
            todo = {spec.sweep_id: (spec, prepared) for spec, prepared in made if known[spec.sweep_id] is None}
            if todo:
                pool.find_device()
                fit_memory(pool, list(todo.values()), shown)
                ledger.open()
            shown.event("cells", specs=[spec for spec, _ in made], known=known)
            under_way = []
            for spec, prepared in todo.values():
                measurement = Measurement(spec, prepared.facts, answers=answers_in(ledger))
                under_way.append(Cell(spec, prepared, measurement, measurement.program()))
            Driver(pool, ledger, shown).run(under_way)
        except KeyboardInterrupt:
            raise Interrupted("interrupted; finished runs are kept") from None
        failed = [cell for cell in under_way if cell.failed]
        if failed:
            raise RunFailed("; ".join(sorted({cell.failed for cell in failed})) + f". Kept: {ledger.out}")
    verdicts = {spec.sweep_id: known[spec.sweep_id] or ledger.verdict(spec.sweep_id) for spec, _ in made}
    return [dict(verdicts[spec.sweep_id] or {}) for spec, _ in made]
