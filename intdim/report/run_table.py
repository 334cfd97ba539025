"""The table of the runs behind a verdict: their scores, learning curves and files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from intdim.ledger.records import read_metrics
from intdim.ledger.results import RunResult
from intdim.report.parts import Cell, Link, Table, number
from intdim.report.records import RunRow, SweepRecord
from intdim.report.spark import spark
from intdim.report.words import score, whole

UP = "../../runs"  # from the folder of a report to the runs
HEAD = ("run", "for", "d", "step length or rate", "seed", "score", "training score", "steps", "time",
        "learning curve and files")  # fmt: skip
FILES = ("result.json", "log.txt", "metrics.jsonl")


def run_table(record: SweepRecord, out: Path | None) -> Table:
    """Return the table of every run of a sweep that is there.

    Args:
        record: the sweep.
        out: the results folder, for learning curves and links; None: without them.
    """
    parts = (
        ("search", record.runs),
        ("baseline", record.baseline_runs),
        ("tried", record.other_runs),
    )
    rows = [_row(record.sweep_id, role, run, out) for role, runs in parts for run in _ordered(runs)]
    return Table.of("The runs behind this verdict", HEAD, rows, sortable=len(rows) > 1, cards=True)


def anchor(sweep_id: str, run_id: str) -> str:
    """Return the id of a run's row: a run may stand in the tables of several sweeps."""
    return f"run-{sweep_id[:8]}-{run_id}"


def run_links(sweep_id: str, run_ids: str) -> tuple[Link, ...]:
    """Return links to the rows of runs, whose ids are joined by blanks."""
    return tuple(Link(one[:8], f"#{anchor(sweep_id, one)}", ", row of this run") for one in run_ids.split())


def _ordered(runs: Sequence[RunRow]) -> list[RunRow]:
    return sorted(runs, key=lambda run: _order(run.result))


def _order(result: RunResult) -> tuple[float, ...]:
    return result.d, result.step_length, result.learning_rate, result.seed


def _row(sweep_id: str, role: str, run: RunRow, out: Path | None) -> list[Cell]:
    result = run.result
    there = {} if out is None else _files(out / "runs" / result.run_id)
    length = result.learning_rate if result.method == "full" else result.step_length
    lines = read_metrics(there["metrics.jsonl"].parent) if "metrics.jsonl" in there else []
    links = tuple(Link(name, f"{UP}/{result.run_id}/{name}", f" of run {result.run_id}") for name in there)
    return [
        Cell(result.run_id, look="id", anchor=anchor(sweep_id, result.run_id)),
        Cell(role),
        number(whole(result.d), result.d),
        number(f"{length:.3g}", length),
        number(str(result.seed), result.seed),
        _score(result),
        number(score(None if result.failed else result.train_score, 4), result.train_score),
        number(whole(result.steps), result.steps),
        number(f"{result.seconds:,.1f} s", result.seconds),
        Cell("", links=links, spark=spark(lines, result.best_step)) if there else Cell("–"),
    ]


def _score(result: RunResult) -> Cell:
    if result.failed:
        return Cell("failed", note=result.reason)
    said = f"ended early: {result.stopped}" if result.stopped else ""
    return Cell(score(result.eval_score, 4), note=said, key=result.eval_score, look="number")


def _files(folder: Path) -> dict[str, Path]:
    return {name: folder / name for name in FILES if os.path.isfile(folder / name)}
