"""The driver of a bound: certifies a finished run, or makes runs and searches the d with the best certificate.

A certificate holds for every message of the code at once, so the search costs nothing but the bits of the message
itself: d, the seed, the projection and the codebook are all in it. What is not in it was fixed before: the model, the
task, how its texts are read, and the code.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from dataclasses import dataclass
from pathlib import Path

from intdim import durable
from intdim.drivers.cells import prepare_cells, single_run
from intdim.drivers.certificates import Bound, certify, refuse_regression
from intdim.drivers.session import Session
from intdim.drivers.view import View
from intdim.errors import RunFailed, UserError
from intdim.launch import Launcher
from intdim.ledger.finished import FinishedRun, find_run
from intdim.request import BoundRequest, CellRequest, RuntimeRequest
from intdim.spec import Prepared, RunSpec, digest, to_dict

COLUMNS = ("d", "seed", "step_length", "bits", "train_error", "certificate", "quantisation", "run_id")
FIRST, FACTOR = 16, 4  # where a search begins, and its steps
AFFORD = 4  # training examples that a coordinate should have: with fewer, its bits cost more than it can bring
KEPT = "finished runs and certificates are kept"


@dataclass(frozen=True)
class SearchRequest:
    """Which d are tried first (empty: chosen here), and how many runs may be made."""

    dimensions: tuple[int, ...]
    max_runs: int


@dataclass(frozen=True)
class Found:
    """The best certificate of a cell, all that were tried (by d, then by value), and the CSV file that lists them."""

    best: Bound
    tried: list[Bound]
    table: Path


def certify_run(
    run: FinishedRun,
    asked: BoundRequest,
    runtime: RuntimeRequest,
    view: View | None = None,
    launcher: Launcher | None = None,
) -> Bound:
    """Return the best certificate of a finished run that quantisation finds.

    Raises:
        UserError: the task is a regression, or the run's data or model are gone or changed.
        RunFailed: the work broke.
        Interrupted: Ctrl-C.
    """
    refuse_regression(run.spec)
    if not Path(run.runtime.task_folder).is_dir():
        raise UserError(
            f"the prepared data of run {run.spec.run_id} is gone from {run.runtime.task_folder}",
            "the data the run was made with",
            "Prepare it again: `intdim fetch` with the run's model and task.",
        )
    with Session(runtime, view, launcher, kept=KEPT) as session:
        (bound,) = certify(session, run.out, [run], asked)
    return bound


def certify_cells(
    cells: list[CellRequest],
    asked: BoundRequest,
    search: SearchRequest,
    runtime: RuntimeRequest,
    view: View | None = None,
    launcher: Launcher | None = None,
) -> list[Found]:
    """Search each cell's best certificate.

    Raises:
        UserError: a cell makes no sense; nothing has been written to ``runtime.out``.
        RunFailed: a run broke, or none of a cell ended well.
        Interrupted: Ctrl-C; finished runs and certificates are kept.
    """
    with Session(runtime, view, launcher, kept=KEPT) as session:
        session.ledger.check()
        prepared = prepare_cells(session, cells)
        first = [starting_dimensions(cell, one, search) for cell, one in zip(cells, prepared, strict=True)]
        return [
            Search(session, asked, cell, one, search.max_runs).best(dimensions)
            for cell, one, dimensions in zip(cells, prepared, first, strict=True)
        ]


def starting_dimensions(cell: CellRequest, prepared: Prepared, search: SearchRequest) -> list[int]:
    """Return the dimensions a cell's search begins with.

    Raises:
        UserError: they are more than the runs that may be made, one of them cannot be had, or the task is a regression.
    """
    facts = prepared.facts
    m = facts.scales(cell.subspace)
    most = min(facts.D, max(m + 1, facts.train_examples // AFFORD))
    ladder = [FIRST * FACTOR**k + m for k in range(40) if FIRST * FACTOR**k + m <= most] or [max(1, min(most, FIRST))]
    dimensions = sorted(set(search.dimensions or ladder))

    if len(dimensions) > search.max_runs:
        raise UserError(
            f"{len(dimensions)} dimensions with max_runs={search.max_runs}",
            "a run for each dimension to begin with",
            "Raise max_runs, or name fewer dimensions.",
        )
    for d in dimensions:
        refuse_regression(single_run(cell, prepared, d, 1.0, 1.0))
    return dimensions


class Search:
    """The search of one cell: at most ``max_runs`` runs, each made once."""

    def __init__(
        self, session: Session, asked: BoundRequest, cell: CellRequest, prepared: Prepared, max_runs: int
    ) -> None:
        self.session, self.asked, self.cell, self.prepared = session, asked, cell, prepared
        self.left = max_runs
        self.tried: dict[int, Bound | None] = {}  # by d; None where no run ended well

    def best(self, dimensions: list[int]) -> Found:
        """Certify the first dimensions, then halve and double the best one until neither is better, then other seeds.

        At the first dimensions every step length is run if the budget allows, else only the middle one; which of them
        is kept is decided by the training score. What is left of the budget goes into runs of the best d with other
        seeds, of which the one with the best training score is certified too. The learning rate is not part of the
        message, the seed is.
        """
        lengths = sorted(self.cell.step_lengths)
        middle = [lengths[(len(lengths) - 1) // 2]]
        wanted = dict.fromkeys(dimensions, lengths if len(dimensions) * len(lengths) <= self.left else middle)
        while wanted:
            rows = [[self.spec(d, length) for length in chosen] for d, chosen in wanted.items()]
            runs = self.best_runs(rows)
            self.tried |= dict.fromkeys(wanted)
            self.tried |= {bound.certificate.d: bound for bound in self.certified(runs)}
            wanted = self.refined()

        bounds = self.bounds()
        if not bounds:
            names = f"{self.prepared.model.name} on {self.prepared.task.name}"
            raise RunFailed(f"no run of {names} ended well: shorten the steps")

        bounds += self.reseeded(min(bounds, key=_value))
        bounds.sort(key=lambda bound: (bound.certificate.d, _value(bound)))
        return Found(min(bounds, key=_value), bounds, self.write_table(bounds))

    def spec(self, d: int, step_length: float, seeds_on: int = 0) -> RunSpec:
        """Return a run of the cell, of its seed or of one so many further on."""
        cell = dataclasses.replace(self.cell, seed=self.cell.seed + seeds_on)
        return single_run(cell, self.prepared, d, step_length, 1.0, self.session.pool.run_threads)

    def best_runs(self, rows: list[list[RunSpec]]) -> list[RunSpec]:
        """Make all runs side by side; return of each row the one with the best training score, if any ended well."""
        specs = [spec for row in rows for spec in row]
        results = {result.run_id: result for result in self.session.run(specs, self.prepared)}
        self.left -= len(specs)

        best = []
        for row in rows:
            good = [spec for spec in row if not results[spec.run_id].failed]
            if good:
                best.append(max(good, key=lambda spec: results[spec.run_id].train_score or -math.inf))
        return best

    def certified(self, specs: list[RunSpec]) -> list[Bound]:
        """Return the certificates of finished runs of this cell."""
        out = self.session.ledger.out
        return certify(self.session, out, [find_run(spec.run_id, str(out)) for spec in specs], self.asked)

    def bounds(self) -> list[Bound]:
        """Return the certificates so far."""
        return [bound for bound in self.tried.values() if bound is not None]

    def refined(self) -> dict[int, list[float]]:
        """Return half and double the best dimension as far as they are new, fit, and can still be paid for, each with
        the best step length."""
        bounds = self.bounds()
        if not bounds:
            return {}
        best = min(bounds, key=_value).certificate
        m, D = self.prepared.facts.scales(self.cell.subspace), self.prepared.facts.D
        near = [m + (best.d - m) // 2, m + 2 * (best.d - m)]
        new = [d for d in near if m < d <= D and d not in self.tried]
        return {d: [best.step_length] for d in new[: max(0, self.left)]}

    def reseeded(self, best: Bound) -> list[Bound]:
        """Run the best d with the seeds still affordable; return the certificate of the best, if it is new."""
        if self.left <= 0:
            return []
        known = best.certificate
        specs = [self.spec(known.d, known.step_length, seeds_on) for seeds_on in range(self.left + 1)]
        return self.certified([spec for spec in self.best_runs([specs]) if spec.run_id != known.run_id])

    def write_table(self, bounds: list[Bound]) -> Path:
        """Write the table of the search; return its path."""
        identity = {
            "model": to_dict(self.prepared.model),
            "task": to_dict(self.prepared.task),
            "subspace": to_dict(self.cell.subspace),
            "bounds": [bound.bound_id for bound in bounds],
        }
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow([*COLUMNS, "bound_id"])
        for bound in bounds:
            writer.writerow([*(getattr(bound.certificate, name) for name in COLUMNS), bound.bound_id])

        ledger = self.session.ledger
        path = ledger.out / "bounds" / f"search-{digest(identity)}.csv"
        with ledger.disk():
            durable.write_text(path, table.getvalue())
        return path


def _value(bound: Bound) -> float:
    return bound.certificate.certificate
