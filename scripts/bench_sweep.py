"""The accuracy of a whole sweep: baseline, step lengths and search, on simulated tasks whose true d90 is known.

    python scripts/bench_sweep.py --tasks 320 --seed 1 --label shipped

Drives ``Measurement.program()``, which is what ``intdim sweep`` drives, with the tasks of ``scripts/simulated.py``:
eleven families of curves and three kinds of censoring, half of them with a mild and half with a harsh window of step
lengths. Prints by family how often d90 was found, the error of d90 as a factor, how often the 90 % interval covers, and
how many runs were made, baseline and step lengths included; and how often a d90 inside the range was called out of it.
Task seeds 0 to 9 are for tuning and 100 on for reporting. Writes scripts/results/sweep.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from bench_search import wilson_interval
from simulated import CENSORED, D_MAX, D_MIN, FAMILIES, FRACTION, PLAIN, RATES, STEP_GRID, WINDOWS, Task, draw, drive

from intdim.durable import write_json
from intdim.measurement.bar_errors import bar_errors
from intdim.measurement.program import Measurement
from intdim.measurement.record import first_verdict
from intdim.spec import THRESHOLDS, Facts, ModelSpec, SearchSpec, SubspaceSpec, SweepSpec, TaskSpec, TrainSpec

RESULTS = Path(__file__).parent / "results" / "sweep.json"
RESAMPLES = 400
Row = dict[str, Any]


def sweep_spec(task: Task, options: argparse.Namespace) -> SweepSpec:
    """Return the sweep of a simulated task, as ``intdim sweep`` would make it."""
    data = TaskSpec(
        "simulated", "builtin", "simulated", 1, "abc", ("text",), "label", ("a", "b"),
        "classification", "accuracy", 48, "train", "validation", 200, 120, "half",
    )  # fmt: skip
    return SweepSpec(
        model=ModelSpec("simulated", "builtin", "simulated", "", "abc", False, 0, {}, False, False),
        task=data,
        subspace=SubspaceSpec("did", "one_hot", "global", "none", ()),
        train=TrainSpec(1, 60, 8, 1, 0.1, 1.0, 0.01, 0.9, 0.999, 1e-8, "float32", 2, 0),
        search=SearchSpec(
            "posterior", D_MIN, D_MAX, options.runs, FRACTION, task.kind, 3, options.batch, 13,
            RESAMPLES if task.bar_error else 0, options.narrow, options.enough,
        ),
        step_lengths=STEP_GRID[:1] if options.known_lengths else STEP_GRID,
        learning_rates=RATES,
        baseline_seeds=options.baseline_seeds,
        seed=task.number,
    )  # fmt: skip


def measure(job: tuple[str, str, int, argparse.Namespace]) -> Row:
    """Sweep one simulated task and return what came of it."""
    family, window, number, options = job
    rng = np.random.default_rng([options.seed, number])
    task = draw(family, window, 100_000 * options.seed + number, rng, options.collapse, options.evaluation_noise)
    if options.known_lengths:
        task = replace(task, width=(1e6, 1e6))
    facts = Facts(1_000_000, {}, 41, 200, 120, task.floor, 0.01, 20.0, "/tmp", "/tmp")
    measurement = Measurement(sweep_spec(task, options), facts)
    if task.bar_error:
        drawn = task.bar_error * np.random.default_rng([options.seed, number, 1]).standard_normal(RESAMPLES)
        measurement.bar_errors = dict.fromkeys(THRESHOLDS, np.stack([drawn, drawn / FRACTION]))

    drive(measurement.program(), task.result)

    verdict, stuck = first_verdict(measurement, bar_errors(measurement))
    status = "no_learning" if stuck else verdict.status
    row: Row = {"family": family, "window": window, "status": status, "runs": len(measurement.results)}
    row |= {"number": number, "observed": verdict.runs, "limit": verdict.limit}
    row |= {"error": None, "covers": None, "width": None}
    row |= {"truth": task.truth, "noise": task.noise, "bar_off": verdict.threshold - task.bar(task.top)}
    row |= {"d90": verdict.d90, "low": verdict.low, "high": verdict.high}
    if status != "found" or not math.isfinite(task.truth):
        return row
    assert verdict.d90 is not None
    assert verdict.low is not None
    assert verdict.high is not None
    low, high = math.log(verdict.low), math.log(verdict.high)
    error = math.log(verdict.d90) - task.truth
    return row | {"error": error, "covers": low <= task.truth <= high, "width": high - low}


def summary(rows: list[Row]) -> dict[str, Any]:
    """Reduce rows to shares and quantiles; the coverage is over what was found, with its 95 % interval."""
    found = [row for row in rows if row["error"] is not None]
    covered = sum(row["covers"] for row in found)
    errors = np.array([row["error"] for row in found])
    return {
        "tasks": len(rows),
        "found": len(found) / len(rows),
        "above_range": sum(row["status"] == "above_range" for row in rows) / len(rows),
        "below_range": sum(row["status"] == "below_range" for row in rows) / len(rows),
        "coverage": covered / len(found) if found else None,
        "coverage_95": wilson_interval(covered, len(found)) if found else None,
        "too_low": sum(row["error"] < 0 and not row["covers"] for row in found) / len(found) if found else None,
        "bias": float(np.exp(np.median(errors))) if found else None,
        "median_error": float(np.exp(np.median(np.abs(errors)))) if found else None,
        "p90_error": float(np.exp(np.quantile(np.abs(errors), 0.9))) if found else None,
        "half_width": float(np.exp(np.median([row["width"] for row in found]) / 2)) if found else None,
        "runs": float(np.median([row["runs"] for row in rows])),
        "observed": float(np.median([row["observed"] for row in rows])),
        "statuses": dict(Counter(sorted(row["status"] for row in rows))),
    }


def line(label: str, one: dict[str, Any]) -> str:
    if one["coverage"] is None:
        return f"{label:20s} {one['tasks']:4d} {one['found']:5.2f}"
    low, high = one["coverage_95"]
    return (
        f"{label:20s} {one['tasks']:4d} {one['found']:5.2f} {one['above_range']:6.3f}   {one['coverage']:.3f} "
        f"[{low:.2f}, {high:.2f}] {one['too_low']:.2f}   x{one['median_error']:5.3f} x{one['p90_error']:4.2f} "
        f"bias x{one['bias']:4.2f} half x{one['half_width']:4.2f}  runs {one['runs']:.0f} ({one['observed']:.0f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=320, help="tasks with a d90; a quarter as many censored ones")
    parser.add_argument("--runs", type=int, default=24, help="search.max_runs")
    parser.add_argument("--narrow", type=float, default=1.26)
    parser.add_argument("--enough", type=int, default=14)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--baseline-seeds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="of the tasks: 0 to 9 for tuning, 100 on for reporting")
    parser.add_argument("--collapse", type=float, default=0.04)
    parser.add_argument("--evaluation-noise", type=float, default=0.0, help="error of the bar, in scores")
    parser.add_argument("--known-lengths", action="store_true", help="every run has the best step length")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--label", default="as it is")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--rows", type=Path, help="a file for one line of JSON a task")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()

    families, begun = options.families.split(","), time.monotonic()
    kinds = [families[k % len(families)] for k in range(options.tasks)]
    kinds += [CENSORED[k % len(CENSORED)] for k in range(options.tasks // 4)]
    jobs = [(kind, WINDOWS[k // len(families) % 2], k, options) for k, kind in enumerate(kinds)]
    if options.processes > 1:
        with ProcessPoolExecutor(options.processes) as pool:
            rows = list(pool.map(measure, jobs, chunksize=4))
    else:
        rows = [measure(job) for job in jobs]

    inside = [row for row in rows if row["family"] in FAMILIES]
    outside = [row for row in rows if row["family"] in CENSORED]
    table: dict[str, Any] = {"all": summary(inside)}
    for window in WINDOWS:
        here = [row for row in inside if row["window"] == window]
        table |= {window: summary(here)} if here else {}
    if set(families) >= set(PLAIN):
        table["plain"] = summary([row for row in inside if row["family"] in PLAIN])
    table |= {family: summary([row for row in inside if row["family"] == family]) for family in families}
    for label, one in table.items():
        print(line(label, one))
    false = sum(row["status"] == "found" for row in outside)
    table["censored"] = {"tasks": len(outside), "false_found": false / max(1, len(outside))} | {
        kind: dict(Counter(sorted(row["status"] for row in outside if row["family"] == kind))) for kind in CENSORED
    }
    print(f"censored: found {false} of {len(outside)}; {json.dumps(table['censored'])}")
    print(f"statuses {table['all']['statuses']}; {time.monotonic() - begun:.0f} s", flush=True)

    if options.rows is not None:
        options.rows.write_text("".join(json.dumps(row) + "\n" for row in rows))
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.system()}
    versions = {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__}
    unnamed = {"rows", "out", "processes", "label"}
    arguments = {name: value for name, value in vars(options).items() if name not in unnamed}
    known = json.loads(options.out.read_text()) if options.out.exists() else {"tables": {}}
    known["tables"][options.label] = {"arguments": arguments, "table": table}
    write_json(options.out, known | {"machine": machine, "versions": versions})


if __name__ == "__main__":
    main()
