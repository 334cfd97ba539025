"""Whole sweeps over real runs: the program of a sweep, answered from a table that make_replay.py made.

    python scripts/bench_replay.py scripts/results/replay-default.csv --sweeps 100

Each sweep has its own master seed and decides which runs it needs: baseline, step lengths, search. The runs are
answered by ``scripts/replayed.py``: real noise, real collapses, around a smooth surface. The true d90 is the smallest d
where that surface reaches, with the best s, the share of the mean baseline. The results, in replayed-NAME.json, are
shares of the statuses, runs, the factor between d90 and the true one, how often the interval holds it, and how much
score the chosen s cost in the mean of the runs that were searched.

No answers to single examples are kept: the intervals cover the seeds alone, and so does the truth they are compared
with. ``--score both`` gives each run the mean of the two directions (chosen on one half, scored on the other).
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from replayed import World
from simulated import drive

from intdim.cli.compose import cells
from intdim.config import cell_request
from intdim.durable import write_json
from intdim.errors import UserError
from intdim.ledger.verdict import Verdict
from intdim.measurement.program import Measurement
from intdim.measurement.record import make_verdict
from intdim.spec import Facts, ModelSpec, SweepSpec, TaskSpec


def sweep_of(world: World, cfg: Any) -> tuple[SweepSpec, Facts]:
    """The sweep of a table, and the facts that its program knows."""
    cell, about = cell_request(cfg), world.about
    model = ModelSpec(about["model"], "local", "", "", "replayed", False, 0, {}, False, False)
    read: dict[str, Any] = {"name": about["task"], "source": "local", "reference": "", "version": 1}
    read |= {"fingerprint": "replayed", "text": ("text",), "label": "label", "label_names": ()}
    read |= {"objective": "classification", "metric": about["metric"], "selection": cell.task.selection}
    read |= {name: getattr(cell.task, name) for name in ("max_length", "train_split", "eval_split", "max_train")}
    task = TaskSpec(**read, max_eval=cell.task.max_eval)

    low, high = world.dimensions[0], world.dimensions[-1]
    search = replace(cell.search, d_min=max(low, cell.search.d_min), d_max=min(high, cell.search.d_max or high))
    tried = cell.step_lengths, cell.learning_rates, cell.baseline_seeds
    spec = SweepSpec(model, task, cell.subspace, cell.train, search, *tried, seed=cell.seed)
    examples = about["halves"]["whole"]["examples"]
    return spec, Facts(about["D"], {}, 0, about["train_examples"], examples, world.chance, world.chance_se, 0.0, "", "")


def sweep(world: World, spec: SweepSpec, facts: Facts) -> tuple[Verdict, float]:
    """Drive one sweep; return its verdict and what the chosen lengths cost in the mean of its observed runs."""
    measurement = Measurement(spec, facts)
    drive(measurement.program(), world.answer)
    costs = [world.curve(run.d) - world.mean(run.d, run.step_length) for run in measurement.observed]
    return make_verdict(measurement), statistics.fmean(costs or [0.0])


def summary(rows: list[dict[str, Any]], truth: float) -> dict[str, Any]:
    """Reduce sweeps; errors and coverage are over those that found d90, where the table has it."""
    found = [row for row in rows if row["status"] == "found"]
    made: dict[str, Any] = {"sweeps": len(rows), "found": len(found) / len(rows)}
    made["statuses"] = dict(sorted(Counter(row["status"] for row in rows).items()))
    made["runs"] = statistics.median(row["runs"] for row in rows)
    made["cost_of_lengths"] = statistics.fmean(row["cost"] for row in rows)
    if found and 0 < truth < math.inf:
        errors = [abs(math.log(row["d90"] / truth)) for row in found]
        made["median_d90"] = statistics.median(row["d90"] for row in found)
        made["median_error"], made["p90_error"] = (math.exp(float(np.quantile(errors, q))) for q in (0.5, 0.9))
        made["coverage"] = statistics.fmean(row["low"] <= truth <= row["high"] for row in found)
        made["half_width"] = math.exp(statistics.median(math.log(row["high"] / row["low"]) for row in found) / 2)
    return made


def replay(world: World, cfg: Any, options: argparse.Namespace) -> int:
    """Drive the sweeps of every master seed, print, write."""
    spec, facts = sweep_of(world, cfg)
    low = world.chance if spec.search.threshold == "above_chance" else 0.0
    bar = low + spec.search.fraction * (world.baseline - low)
    truth = world.crossing(bar)
    print(f"baseline {world.baseline:.4f}, bar {bar:.4f}, true d90 {truth:.0f}", flush=True)

    rows: list[dict[str, Any]] = []
    for seed in range(options.first, options.first + options.sweeps):
        verdict, cost = sweep(world, replace(spec, seed=seed), facts)
        rows.append({"seed": seed, "status": verdict.status, "d90": verdict.d90, "low": verdict.d90_low})
        rows[-1] |= {"high": verdict.d90_high, "runs": verdict.runs, "threshold": verdict.threshold, "cost": cost}
    found = summary(rows, truth)
    print("\n".join(f"{name:16s} {value}" for name, value in found.items()))

    settings = {"table": options.table.name, "words": options.words, "both": options.score == "both", "bar": bar}
    settings |= {"baseline": world.baseline, "truth": truth if math.isfinite(truth) else None}
    out = options.table.with_name(options.table.stem.replace("replay-", "replayed-") + ".json")
    write_json(options.out or out, settings | {"summary": found, "rows": rows})
    return 0


def main() -> int:
    """Read the arguments; further words go to ``intdim sweep``, after those of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--sweeps", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="master seed of the first sweep")
    parser.add_argument("--score", choices=["half", "both"], default="half")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("words", nargs="*", help="key=value for intdim sweep")
    options = parser.parse_args()
    try:
        world = World(options.table, options.score == "both")
        return cells("sweep", [*world.about["words"], *options.words], lambda made: replay(world, made[0], options))
    except (UserError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
