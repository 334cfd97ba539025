"""The driver of a bound: certifies a finished run, or makes runs and searches the d with the best certificate.

A certificate holds for every message of the code at once, so the search costs nothing but the bits of the message
itself: d, the seed, the projection and the codebook are all in it. What is not in it was fixed before: the model, the
task, how its texts are read, and the code. Each certificate is kept in out/bounds/<bound_id>.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.coding import CODE_VERSION
from intdim.drivers.sweep import Driver, Silent, View, prepare_cells
from intdim.drivers.train import single_run
from intdim.errors import Interrupted, RunFailed, UserError
from intdim.launch import Launcher
from intdim.launch.pool import Workers, error_of, workers
from intdim.ledger.finished import FinishedRun, find_run
from intdim.ledger.store import Ledger
from intdim.request import BoundRequest, CellRequest, RuntimeRequest
from intdim.spec import Prepared, RunSpec, Runtime, digest, to_dict

BOUND_VERSION = 2  # raised by hand when the same run and request would give another certificate
COLUMNS = ("d", "seed", "step_length", "bits", "train_error", "certificate", "quantisation", "run_id", "bound_id")
FIRST, FACTOR = 16, 4  # where a search begins, and its steps
AFFORD = 4  # training examples that a coordinate should have: with fewer, its bits cost more than it can bring


@dataclass(frozen=True)
class SearchRequest:
    """Which d are tried first (empty: chosen here), and how many runs may be made."""

    dimensions: tuple[int, ...]
    max_runs: int


def certify_run(
    run: FinishedRun,
    asked: BoundRequest,
    runtime: RuntimeRequest,
    view: View | None = None,
    launcher: Launcher | None = None,
) -> dict[str, Any]:
    """Return the best certificate of a finished run that quantisation finds; adds ``bound_id`` and ``folder``.

    Raises:
        UserError: the task is a regression, or the run's data or model are gone or changed.
        RunFailed: the work broke.
    """
    refuse_regression(run.spec)
    if not Path(run.runtime.task_folder).is_dir():
        raise UserError(
            f"the prepared data of run {run.spec.run_id} is gone from {run.runtime.task_folder}",
            "the data the run was made with",
            "Prepare it again: `intdim fetch` with the run's model and task.",
        )
    with workers(runtime, launcher) as pool:
        searcher = Searcher(pool, Ledger(run.out), view or Silent(), asked)
        return searcher.certify([run])[0]


def certify_cells(
    cells: list[CellRequest],
    asked: BoundRequest,
    search: SearchRequest,
    runtime: RuntimeRequest,
    view: View | None = None,
    launcher: Launcher | None = None,
) -> list[dict[str, Any]]:
    """Search each cell's best certificate; return them with ``tried``, the certificates they were chosen from.

    Raises:
        UserError: a cell makes no sense; nothing has been written to ``runtime.out``.
        RunFailed: a run broke, or none of a cell ended well.
        Interrupted: Ctrl-C; finished runs and certificates are kept.
    """
    shown, ledger = view or Silent(), Ledger(Path(runtime.out))
    ledger.check()
    found = []
    with workers(runtime, launcher) as pool:
        try:
            prepared = prepare_cells(cells, pool, shown)
            first = [plan(cell, one, search) for cell, one in zip(cells, prepared, strict=True)]
            ledger.open()
            for cell, one, dimensions in zip(cells, prepared, first, strict=True):
                found.append(Searcher(pool, ledger, shown, asked).search(cell, one, dimensions, search.max_runs))
        except KeyboardInterrupt:
            raise Interrupted("interrupted; finished runs and certificates are kept") from None
    return found


def refuse_regression(spec: RunSpec) -> None:
    """Raise ``UserError`` for a task without classes."""
    if not spec.task.classes:
        raise UserError(
            f"{spec.task.name} is a regression: the bound is on a share of errors, which needs classes",
            "a task with classes",
            "Choose another task or run.",
        )


def plan(cell: CellRequest, prepared: Prepared, search: SearchRequest) -> list[int]:
    """Return the dimensions a cell's search begins with, after a look at whether each can be had."""
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


class Searcher:
    """Makes runs and certificates over one pool of slots, each once."""

    def __init__(self, pool: Workers, ledger: Ledger, view: View, asked: BoundRequest) -> None:
        self.pool, self.ledger, self.view, self.asked = pool, ledger, view, asked

    def search(self, cell: CellRequest, prepared: Prepared, dimensions: list[int], max_runs: int) -> dict[str, Any]:
        """Certify the first dimensions, then halve and double the best one until neither is better, then other seeds.

        At the first dimensions every step length is run if the budget allows, else only the middle one; which of them
        is kept is decided by the training score. What is left of the budget goes into runs of the best d with other
        seeds, of which the one with the best training score is certified too. The learning rate is not part of the
        message, the seed is.
        """
        lengths = sorted(cell.step_lengths)
        middle = lengths[(len(lengths) - 1) // 2]
        tried: dict[int, dict[str, Any]] = {}
        wanted = {d: lengths if len(dimensions) * len(lengths) <= max_runs else [middle] for d in dimensions}
        made = 0
        while wanted:
            specs = [[single_run(cell, prepared, d, length, 1.0) for length in chosen] for d, chosen in wanted.items()]
            made += sum(len(row) for row in specs)
            results = self.make([spec for row in specs for spec in row], prepared)
            runs = [best for row in specs if (best := _best_run(row, results)) is not None]
            tried |= {d: {} for d in wanted} | {one["d"]: one for one in self.certify(self.found(runs))}
            wanted = self.refined(tried, cell, prepared, max_runs - made)
        rows = [one for one in tried.values() if one]
        if not rows:
            raise RunFailed(f"no run of {prepared.model.name} on {prepared.task.name} ended well: shorten the steps")
        rows += self.reseeded(min(rows, key=_value), cell, prepared, max_runs - made)
        rows.sort(key=lambda one: (one["d"], one["certificate"]))
        return min(rows, key=_value) | {"tried": rows, "table": str(self.note(cell, prepared, rows))}

    def reseeded(self, best: dict[str, Any], cell: CellRequest, prepared: Prepared, left: int) -> list[dict[str, Any]]:
        """Run the best d with ``left`` other seeds; return the certificate of the luckiest, if it is a new one."""
        cells = [dataclasses.replace(cell, seed=cell.seed + k) for k in range(left + 1)]
        specs = [single_run(one, prepared, best["d"], best["step_length"], 1.0) for one in cells]
        luckiest = _best_run(specs, self.make(specs, prepared)) if left > 0 else None
        if luckiest is None or luckiest.run_id == best["run_id"]:
            return []
        return self.certify(self.found([luckiest]))

    def found(self, specs: list[RunSpec]) -> list[FinishedRun]:
        """Return finished runs from the ledger."""
        return [find_run(spec.run_id, str(self.ledger.out)) for spec in specs]

    def refined(
        self, tried: dict[int, dict[str, Any]], cell: CellRequest, prepared: Prepared, left: int
    ) -> dict[int, list[float]]:
        """Return half and double the best dimension as far as they are new, fit, and can still be paid for."""
        good = [one for one in tried.values() if one]
        if not good:
            return {}
        best = min(good, key=_value)
        m = prepared.facts.scales(cell.subspace)
        near = [m + (best["d"] - m) // 2, m + 2 * (best["d"] - m)]
        new = [d for d in near if m < d <= prepared.facts.D and d not in tried]
        return {d: [best["step_length"]] for d in new[: max(0, left)]}

    def make(self, specs: list[RunSpec], prepared: Prepared) -> dict[str, dict[str, Any]]:
        """Make runs side by side, or find them in the ledger; return their results by id."""
        driver = Driver(self.pool, self.ledger, self.view)
        for spec in specs:
            driver.want(spec, prepared)
        while driver.flying:
            for event in self.pool.launcher.poll(0.5):
                if event.kind == "failed":
                    raise error_of(event)
                driver.take(event, [])
        missing = [spec.run_id for spec in specs if spec.run_id not in driver.results]
        if missing:
            raise RunFailed(f"run {missing[0]} failed. Kept: {self.ledger.run_folder(missing[0])}")
        return driver.results

    def certify(self, runs: list[FinishedRun]) -> list[dict[str, Any]]:
        """Certify runs side by side, or find their certificates; in the order of the runs."""
        ids = [bound_id(run, self.asked) for run in runs]
        folders = {one: self.ledger.out / "bounds" / one for one in ids}
        known = {one: _read(folders[one]) for one in ids}
        jobs = {}
        for run, one in zip(runs, ids, strict=True):
            if known[one] is None:
                self.pool.find_device()
                jobs[one] = (
                    "certify",
                    {
                        "run": str(run.folder),
                        "runtime": to_dict(self.runtime(run)),
                        "settings": to_dict(self.asked),
                        "folder": str(folders[one]),
                    },
                )
        if jobs:
            self.view.event("note", text=f"quantising and coding {len(jobs)} run{'s' if len(jobs) > 1 else ''}")
        answers = self.pool.ask_all(jobs)
        made = []
        for one in ids:
            certificate = answers.get(one) or known[one]
            assert certificate is not None
            made.append(certificate | {"bound_id": one, "folder": str(folders[one])})
        return made

    def runtime(self, run: FinishedRun) -> Runtime:
        """Return where and how a run's z is worked on here."""
        return dataclasses.replace(
            run.runtime, out=str(run.out), device=self.pool.device, slots=self.pool.slots, threads=self.pool.threads
        )

    def note(self, cell: CellRequest, prepared: Prepared, rows: list[dict[str, Any]]) -> Path:
        """Write the table of a search; return its path."""
        identity = {
            "model": to_dict(prepared.model),
            "task": to_dict(prepared.task),
            "subspace": to_dict(cell.subspace),
            "bounds": [row["bound_id"] for row in rows],
        }
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([row[name] for name in COLUMNS] for row in rows)
        path = self.ledger.out / "bounds" / f"search-{digest(identity)}.csv"
        with self.ledger.disk():
            durable.write_text(path, table.getvalue())
        return path


def bound_id(run: FinishedRun, asked: BoundRequest) -> str:
    """Return the name of a certificate: a hash of the run and of everything that decides what is found for it."""
    identity = {"run": run.spec.run_id, "asked": to_dict(asked), "code": CODE_VERSION, "bound": BOUND_VERSION}
    return digest(identity)


def _value(certificate: dict[str, Any]) -> float:
    return certificate["certificate"]


def _best_run(specs: list[RunSpec], results: dict[str, dict[str, Any]]) -> RunSpec | None:
    """Return the run with the best training score, or None where all failed."""
    good = [spec for spec in specs if results[spec.run_id]["status"] == "done"]
    return max(good, key=lambda spec: results[spec.run_id]["train_score"] or -math.inf) if good else None


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        known = durable.read_json(folder / "certificate.json")
    except ValueError:
        return None  # damaged: it is made again
    return known if isinstance(known, dict) else None
