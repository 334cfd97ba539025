"""The tables of a report: d90, points and runs as data frames, and d90 once more for LaTeX."""

from __future__ import annotations

from typing import Any

import pandas

from intdim.ledger.store import POINT_COLUMNS
from intdim.report.records import SweepRecord
from intdim.report.words import KINDS

D90_COLUMNS = (
    "sweep_id", "model", "task", "projection", "method", "scope", "groups", "status", "d90", "d90_low", "d90_high",
    "level", "threshold", "threshold_kind", "fraction", "chance", "baseline_mean", "baseline_std", "baseline_seeds",
    "metric", "D", "m", "runs", "seconds", "run_ids",
)  # fmt: skip
OTHER_COLUMNS = ("threshold_kind", "threshold", "status", "d90", "d90_low", "d90_high")
RUN_COLUMNS = (
    "run_id", "status", "model", "task", "method", "projection", "scope", "groups", "d", "step_length",
    "learning_rate", "seed", "train_score", "eval_score", "eval_loss", "gap", "steps", "best_step", "seconds",
    "peak_memory_bytes",
)  # fmt: skip
_IDENTITY = ("sweep_id", "model", "task", "method", "projection", "scope")
_WHOLE = {"D", "m", "runs", "baseline_seeds", "d", "seed", "seeds", "steps", "best_step", "peak_memory_bytes"}
_TEXT = {
    "sweep_id", "run_id", "run_ids", "model", "task", "method", "projection", "scope", "groups", "status", "metric",
    "threshold_kind", "other_threshold_kind", "other_status", "step_length",
}  # fmt: skip


def d90_table(records: list[SweepRecord]) -> pandas.DataFrame:
    """Return one row per sweep: the columns of ``verdict.json``, then ``other_*`` for the second threshold, then
    ``trivial`` (chance alone meets the threshold) and ``isotonic_d90``. ``d90`` is empty unless the status is found.
    """
    rows = []
    for record in records:
        verdict = record.verdict
        other = verdict.get("other") or {}
        row = {column: _measured(verdict, column) for column in D90_COLUMNS}
        row |= {f"other_{column}": _measured(other, column) for column in OTHER_COLUMNS}
        rows.append(row | {key: verdict.get(key) for key in ("trivial", "isotonic_d90")})
    columns = [*D90_COLUMNS, *(f"other_{column}" for column in OTHER_COLUMNS), "trivial", "isotonic_d90"]
    return _frame(rows, columns)


def points_table(records: list[SweepRecord]) -> pandas.DataFrame:
    """Return every point of every sweep: whose it is, then the columns of ``points.csv``."""
    rows = [
        {key: record.verdict[key] for key in _IDENTITY} | {key: point.get(key) for key in POINT_COLUMNS}
        for record in records
        for point in record.points
    ]
    return _frame(rows, [*_IDENTITY, *POINT_COLUMNS])


def runs_table(runs: list[dict[str, Any]]) -> pandas.DataFrame:
    """Return one row per run. ``gap`` is the relative generalization gap (train - eval) / (1 - eval), empty where a
    score is missing or the evaluation score is 1; ``seconds`` and ``peak_memory_bytes`` say their units."""
    rows = [{key: run.get(key) for key in RUN_COLUMNS} | {"gap": _gap(run)} for run in runs]
    return _frame(rows, list(RUN_COLUMNS)).astype({"step_length": "Float64"})


def latex_table(records: list[SweepRecord]) -> str:
    r"""Return a booktabs ``tabular`` for ``\input``; a censored verdict is a bound or a dash, never a number."""
    head = (
        "Model",
        "Task",
        "Method",
        "Projection",
        "Scope",
        "$D$",
        "$d_{90}$ [low, high]",
        "Threshold",
        "Baseline",
        "Runs",
    )
    lines = [
        r"% Needs \usepackage{booktabs}.",
        r"\begin{tabular}{lllllrrlrr}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
    ]
    for record in records:
        verdict = record.verdict
        method = str(verdict["method"]).upper()
        if verdict["method"] == "said":
            method += f" ({verdict['groups']})"
        baseline = verdict.get("baseline_mean")
        std = verdict.get("baseline_std") if verdict["baseline_seeds"] > 1 else None  # one seed shows no spread
        mean = "--" if baseline is None else f"{baseline:.3f}" if std is None else rf"{baseline:.3f} \pm {std:.3f}"
        threshold = f"{100 * verdict['fraction']:g} % {KINDS.get(verdict['threshold_kind'], verdict['threshold_kind'])}"
        words = (verdict["model"], verdict["task"], method, verdict["projection"], verdict["scope"])
        cells = [latex_escape(str(word)) for word in words]
        cells += [f"{verdict['D']:,}".replace(",", "{,}"), _latex_d90(record)]
        cells += [latex_escape(threshold) + (r"\textsuperscript{*}" if verdict.get("trivial") else "")]
        cells += [mean if mean == "--" else f"${mean}$", str(verdict["runs"])]
        cells[5] = f"${cells[5]}$"
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    if any(record.verdict.get("trivial") for record in records):
        lines.append(r"% * the majority class alone meets this threshold.")
    return "\n".join(lines) + "\n"


def latex_escape(text: str) -> str:
    """Return text in which no character has a meaning for LaTeX."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    special |= {character: "\\" + character for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in text)


def _latex_d90(record: SweepRecord) -> str:
    verdict, (d_min, d_max) = record.verdict, record.range

    def number(value: float) -> str:
        return f"{round(value):,}".replace(",", "{,}")

    if verdict["status"] == "found":
        low, high = verdict.get("d90_low"), verdict.get("d90_high")
        ends = "" if low is None or high is None else f"\\ [{number(low)},\\ {number(high)}]"
        return f"${number(verdict['d90'])}{ends}$"
    if verdict["status"] == "below_range":
        return rf"$\le {number(d_min)}$"
    return f"$> {number(d_max)}$" if verdict["status"] == "above_range" else "--"


def _measured(verdict: dict[str, Any], column: str) -> Any:
    if column == "d90" and verdict.get("status") != "found":
        return None
    value = verdict.get(column)
    return " ".join(str(item) for item in value) if isinstance(value, list) else value


def _gap(run: dict[str, Any]) -> float | None:
    train, score = run.get("train_score"), run.get("eval_score")
    if train is None or score is None or score >= 1:
        return None
    return (train - score) / (1 - score)


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pandas.DataFrame:
    """Give every column one type whatever is missing, so that CSV and Parquet files of different reports agree."""
    frame = pandas.DataFrame(rows, columns=columns)
    kinds = {name: "Int64" if name in _WHOLE else "string" if name in _TEXT else "Float64" for name in columns}
    if "trivial" in kinds:
        kinds["trivial"] = "boolean"
    return frame.astype(kinds)
