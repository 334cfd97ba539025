"""The tables of a report: d90, points and runs as data frames."""

from __future__ import annotations

from typing import Any

import pandas

from intdim.ledger.verdict import POINT_COLUMNS, SecondVerdict, Verdict
from intdim.report.records import RunRow, SweepRecord
from intdim.report.sheets import cell_text

D90_COLUMNS = (
    "sweep_id", "model", "task", "projection", "method", "scope", "groups", "status", "d90", "d90_low", "d90_high",
    "level", "threshold", "threshold_kind", "fraction", "chance", "baseline_mean", "baseline_std", "baseline_seeds",
    "metric", "D", "m", "runs", "seconds", "run_ids",
)  # fmt: skip
OTHER_COLUMNS = ("threshold_kind", "threshold", "status", "d90", "d90_low", "d90_high")
EXTRA_COLUMNS = ("trivial", "isotonic_d90")
RUN_COLUMNS = (
    "run_id", "status", "model", "task", "method", "projection", "scope", "groups", "d", "step_length",
    "learning_rate", "seed", "train_score", "eval_score", "eval_loss", "gap", "steps", "best_step", "seconds",
    "peak_memory_bytes",
)  # fmt: skip
_IDENTITY = ("sweep_id", "model", "task", "method", "projection", "scope")
_OF_THE_ROW = ("model", "task", "scope", "groups", "gap")  # columns of a run that its result does not have
_WHOLE = {"D", "m", "runs", "baseline_seeds", "d", "seed", "seeds", "steps", "best_step", "peak_memory_bytes"}
_TEXT = {
    "sweep_id", "run_id", "run_ids", "model", "task", "method", "projection", "scope", "groups", "status", "metric",
    "threshold_kind", "other_threshold_kind", "other_status", "step_length",
}  # fmt: skip


def d90_table(records: list[SweepRecord]) -> pandas.DataFrame:
    """Return one row per sweep: the columns of ``verdict.json``, then ``other_*`` for the second threshold, then
    ``trivial`` (chance alone meets the threshold) and ``isotonic_d90``. ``d90`` is empty unless the status is found.
    """
    rows = [
        [
            *(_measured(record.verdict, column) for column in D90_COLUMNS),
            *(_measured(record.verdict.other, column) for column in OTHER_COLUMNS),
            *(getattr(record.verdict, column) for column in EXTRA_COLUMNS),
        ]
        for record in records
    ]
    return _frame(rows, [*D90_COLUMNS, *(f"other_{column}" for column in OTHER_COLUMNS), *EXTRA_COLUMNS])


def points_table(records: list[SweepRecord]) -> pandas.DataFrame:
    """Return every point of every sweep: whose it is, then the columns of ``points.csv``."""
    rows = []
    for record in records:
        facts = [getattr(record.verdict, column) for column in _IDENTITY]
        rows += [[*facts, *(getattr(point, column) for column in POINT_COLUMNS)] for point in record.points]
    return _frame(rows, [*_IDENTITY, *POINT_COLUMNS])


def runs_table(runs: list[RunRow]) -> pandas.DataFrame:
    """Return one row per run. ``gap`` is the relative generalization gap (train - eval) / (1 - eval), empty where a
    score is missing or the evaluation score is 1; ``seconds`` and ``peak_memory_bytes`` say their units."""
    rows = [[getattr(run if name in _OF_THE_ROW else run.result, name) for name in RUN_COLUMNS] for run in runs]
    return _frame(rows, list(RUN_COLUMNS)).astype({"step_length": "Float64"})


def table_csv(table: pandas.DataFrame) -> str:
    """Return a table as the text of a CSV; no cell of it is a formula."""
    texts = table.select_dtypes("string").columns
    plain = table.assign(**{name: table[name].map(cell_text, na_action="ignore") for name in texts})
    return plain.to_csv(index=False, lineterminator="\n")


def _measured(verdict: Verdict | SecondVerdict, column: str) -> Any:
    """Return a field of a verdict as a cell; a number that was not found is none."""
    if column == "d90" and verdict.status != "found":
        return None
    value = getattr(verdict, column)
    return " ".join(value) if isinstance(value, list) else value


def _frame(rows: list[list[Any]], columns: list[str]) -> pandas.DataFrame:
    """Give every column one type whatever is missing, so that CSV and Parquet files of different reports agree."""
    frame = pandas.DataFrame(rows, columns=columns)
    kinds = {name: "Int64" if name in _WHOLE else "string" if name in _TEXT else "Float64" for name in columns}
    if "trivial" in kinds:
        kinds["trivial"] = "boolean"
    return frame.astype(kinds)
