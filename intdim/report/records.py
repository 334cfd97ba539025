"""What is read from ``out``: finished sweeps with their points and runs, as the types that the ledger writes.

Nothing here writes, and nothing here needs pandas, so that a command that only looks is quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from intdim.errors import UserError
from intdim.ledger.records import folders, read_record
from intdim.ledger.results import RunResult
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Point, Verdict
from intdim.seals import Damaged
from intdim.spec import SweepSpec


@dataclass(frozen=True)
class RunRow:
    """The result of one finished run, and what its spec says about it (None where the folder has no ``spec.json``)."""

    result: RunResult
    model: str | None
    task: str | None
    scope: str | None
    groups: str | None

    @property
    def scored(self) -> bool:
        """True where the run has an evaluation score."""
        return not self.result.failed and self.result.eval_score is not None

    @property
    def gap(self) -> float | None:
        """Relative generalization gap (train - eval) / (1 - eval); None where a score is missing or eval is 1."""
        train, score = self.result.train_score, self.result.eval_score
        if self.result.failed or train is None or score is None:
            return None
        from intdim.bounds import relative_gap  # brings scipy, which words and lists need not wait for

        return relative_gap(train, score) if score < 1 else None


@dataclass(frozen=True)
class SweepRecord:
    """One finished sweep: ``spec.json``, ``verdict.json``, ``points.csv`` and the runs that the verdict names.

    Attributes:
        sweep_id: name of its folder.
        spec: what was asked.
        verdict: the answer.
        points: all runs at one d with one step length, reduced.
        runs: those that the search observed, as far as ``out`` still has them.
        baseline_runs: full fine-tuning.
        other_runs: step lengths or learning rates that were tried and not kept.
    """

    sweep_id: str
    spec: SweepSpec
    verdict: Verdict
    points: list[Point]
    runs: list[RunRow]
    baseline_runs: list[RunRow]
    other_runs: list[RunRow]

    @property
    def bounds(self) -> tuple[int, int]:
        """d_min and d_max of the search, in trained dimensions."""
        return self.verdict.d_min, self.verdict.d_max

    @property
    def all_runs(self) -> list[RunRow]:
        """The runs of all three kinds."""
        return [*self.runs, *self.baseline_runs, *self.other_runs]


def read_sweep(
    out: Path, sweep_id: str, runs: dict[str, RunRow] | None = None, damaged: list[Damaged] | None = None
) -> SweepRecord | None:
    """Return one sweep, or None where it has no verdict yet.

    Args:
        out: the results folder.
        sweep_id: a folder name under ``out/sweeps``.
        runs: runs by id, if they have been read already; else the ones that the verdict names are read.
        damaged: receives damaged runs, which are then left out.

    Raises:
        Damaged: a file of the sweep is damaged or missing; or of a run, without ``damaged``.
    """
    ledger = Ledger(out)
    verdict = ledger.whole_verdict(sweep_id)
    if verdict is None:
        return None
    file = ledger.sweep_folder(sweep_id) / "spec.json"
    spec = read_record(SweepSpec, file)
    if spec is None:
        raise Damaged(file, "it is missing")

    def find(run_ids: list[str]) -> list[RunRow]:
        rows = [_read_run(ledger, run_id, damaged) if runs is None else runs.get(run_id) for run_id in run_ids]
        return [row for row in rows if row is not None]

    return SweepRecord(
        sweep_id=sweep_id,
        spec=spec,
        verdict=verdict,
        points=ledger.points(sweep_id),
        runs=find(verdict.run_ids),
        baseline_runs=find(verdict.baseline_run_ids),
        other_runs=find(verdict.other_run_ids),
    )


def read_sweeps(
    out: Path, chosen: list[str] | None = None, damaged: list[Damaged] | None = None
) -> tuple[list[SweepRecord], list[str]]:
    """Return the finished sweeps, ordered by model, task, method, projection, scope and id, and the ids of the others.

    Args:
        out: the results folder.
        chosen: sweep ids, or beginnings of them that fit one sweep only; None for all.
        damaged: receives damaged runs and sweeps, which are then left out, and runs of a sweep that are gone.

    Raises:
        UserError: a chosen sweep does not exist.
        Damaged: a file is damaged, without ``damaged``.
    """
    folder = out / "sweeps"
    names = _folders(folder)
    if chosen is not None:
        names = [_complete(beginning, names, folder) for beginning in dict.fromkeys(chosen)]

    runs = {row.result.run_id: row for row in read_runs(out, damaged)}
    records, unfinished = [], []
    for name in names:
        try:
            record = read_sweep(out, name, runs)
        except Damaged as error:
            _leave_out(error, damaged)
            continue
        if record is None:
            unfinished.append(name)
            continue
        records.append(record)
        if damaged is not None:
            damaged += _missing(Ledger(out), record, [error.file.parent for error in damaged])
    return sorted(records, key=_order), unfinished


def read_runs(out: Path, damaged: list[Damaged] | None = None) -> list[RunRow]:
    """Return every finished run, by id.

    Args:
        out: the results folder.
        damaged: receives damaged runs, which are then left out.

    Raises:
        Damaged: a file of a run is damaged, without ``damaged``.
    """
    ledger = Ledger(out)
    rows = [_read_run(ledger, name, damaged) for name in _folders(out / "runs")]
    return [row for row in rows if row is not None]


def _missing(ledger: Ledger, record: SweepRecord, named: list[Path]) -> list[Damaged]:
    """Return what is said of the runs that a verdict rests on and that are gone, but for those that are named."""
    verdict, there = record.verdict, {row.result.run_id for row in record.all_runs}
    wanted = dict.fromkeys([*verdict.run_ids, *verdict.baseline_run_ids, *verdict.other_run_ids])
    gone = [folder for one in wanted if one not in there and (folder := ledger.run_folder(one)) not in named]
    if not gone:
        return []
    more = f", and so are {len(gone) - 1} more runs of it" if len(gone) > 1 else ""
    return [Damaged(gone[0], f"it is missing, a run of sweep {record.sweep_id}{more}")]


def _leave_out(error: Damaged, damaged: list[Damaged] | None) -> None:
    if damaged is None:
        raise error
    damaged.append(error)


def _read_run(ledger: Ledger, run_id: str, damaged: list[Damaged] | None) -> RunRow | None:
    try:
        found = ledger.record(run_id)
    except Damaged as error:
        _leave_out(error, damaged)
        return None
    if found is None:
        return None
    spec, result = found
    if spec is None:
        return RunRow(result, None, None, None, None)
    return RunRow(result, spec.model.name, spec.task.name, spec.subspace.scope, spec.subspace.groups)


def _folders(parent: Path) -> list[str]:
    return [path.name for path in folders(parent)]


def _order(record: SweepRecord) -> tuple[str, ...]:
    verdict = record.verdict
    facts = (verdict.model, verdict.task, verdict.method, verdict.projection, verdict.scope, verdict.groups)
    return (*facts, record.sweep_id)


def _complete(beginning: str, names: list[str], folder: Path) -> str:
    """Return the one name with this beginning."""
    fitting = [name for name in names if name.startswith(beginning)] if beginning else []
    if len(fitting) != 1:
        what = f"fits {len(fitting)} sweeps" if fitting else "is no sweep"
        listed = ", ".join((fitting or names)[:8]) or "none"
        raise UserError(f"'{beginning}' {what} in {folder}", f"Sweeps there: {listed}", "Give the id of one sweep.")
    return fitting[0]
