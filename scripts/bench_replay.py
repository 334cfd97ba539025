"""Whole sweeps over real runs: the program of a sweep, answered from a table that make_replay.py made.

    python scripts/bench_replay.py scripts/results/replay-default.csv --sweeps 100

Each sweep has its own master seed and decides which runs it needs: baseline, step lengths, search. A run (d, s, seed)
is answered by a stored one: at the nearest s, at one of the two nearest d (the nearer one more often), with the stored
seed that the run's own seed draws, so that lengths share their luck where the table has that seed. Between two d the
score is interpolated in log d between runs of equal rank, and the stored run's difference between the halves is kept:
the noise is real, collapsed runs included, and means run straight between those of the table. So the true d90 can be
read off the table: the smallest d where the mean of the runs that trained, with the best s, reaches the share of the
mean baseline. The results, in replayed-NAME.json, are shares of the statuses, runs, the factor between d90 and the true
one, how often the interval holds it, and how much score the chosen s cost in the mean of the runs that were searched.

No answers to single examples are kept: the intervals cover the seeds alone, and so does the truth they are compared
with. ``--score both`` gives each run the mean of the two directions (chosen on one half, scored on the other).
"""

from __future__ import annotations

import argparse
import bisect
import csv
import json
import math
import statistics
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from intdim.cli.compose import cells
from intdim.config import cell_request
from intdim.durable import write_json
from intdim.errors import UserError
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict
from intdim.measurement.program import Measurement
from intdim.measurement.record import make_verdict
from intdim.spec import Facts, ModelSpec, RunSpec, SweepSpec, TaskSpec

Run = tuple[float, float]  # score on the selection half, score
Place = tuple[int, float]  # d and s; d = 0: full fine-tuning, with its rate


class World:
    """A table of runs, as what answers the runs of a sweep."""

    def __init__(self, file: Path, both: bool) -> None:
        self.about: dict[str, Any] = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        part = self.about["halves"]["whole" if both else "eval"]
        self.chance, self.chance_se = part["chance"], part["chance_se"]
        self.runs: dict[Place, list[Run]] = {}
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened):
                place = int(row["d"]), float(row["step_length"] or row["learning_rate"])
                self.runs.setdefault(place, []).append(scores(row, both, self.chance))

        self.dimensions = sorted({d for d, _ in self.runs} - {0})
        self.lengths = sorted({value for d, value in self.runs if d})
        self.most = max(len(runs) for place, runs in self.runs.items() if place[0])
        self.half_way = (self.chance + max(score for runs in self.runs.values() for _, score in runs)) / 2
        self.baseline = max(statistics.fmean(self.trained(place)) for place in self.runs if place[0] == 0)

    def trained(self, place: Place) -> list[float]:
        """The scores of one place without its collapsed runs: those at chance where another came more than half of
        the way from there to the best of the table."""
        found = [score for _, score in self.runs[place]]
        if max(found) <= self.half_way:
            return found
        return [score for score in found if score > self.chance + 2 * self.chance_se]

    def nearest(self, d: int, value: float) -> Place:
        """The place of the table at ``d`` whose s (or rate) is nearest in the logarithm."""
        return min((place for place in self.runs if place[0] == d), key=lambda one: abs(math.log(one[1] / value)))

    def around(self, d: int) -> tuple[int, int, float]:
        """The dimensions of the table on both sides of ``d``, and how far it is from the first to the second."""
        d = min(max(d, self.dimensions[0]), self.dimensions[-1])
        above = max(1, bisect.bisect_left(self.dimensions, d))
        low, high = self.dimensions[above - 1], self.dimensions[above]
        return low, high, math.log(d / low) / math.log(high / low)

    def answer(self, spec: RunSpec) -> RunResult:
        """What the table says in place of a run."""
        rng, d = np.random.default_rng(spec.seed), spec.d
        if d:
            select, score = self.inside(d, spec.step_length, rng)
        else:
            here = self.runs[self.nearest(0, spec.learning_rate)]
            select, score = here[rng.integers(len(here))]
        made: dict[str, Any] = {"run_id": spec.run_id, "status": "done", "reason": "", "stopped": "", "seed": spec.seed}
        made |= {"d": d or self.about["D"], "D": self.about["D"], "step_length": spec.step_length}
        made |= {"method": spec.subspace.method, "projection": spec.subspace.projection}
        made |= {"train_score": score, "eval_score": score, "select_score": select, "eval_loss": 0.5}
        made |= {"learning_rate": spec.learning_rate, "metric": spec.task.metric, "steps": 1, "best_step": 1}
        return RunResult(**made, seconds=0.0, peak_memory_bytes=0)

    def inside(self, d: int, length: float, rng: np.random.Generator) -> Run:
        """Draw the scores of a run in ``d`` dimensions."""
        low, high, share = self.around(d)
        if rng.random() < share:
            low, high, share = high, low, 1 - share
        drawn, other = (self.runs[self.nearest(at, length)] for at in (low, high))

        seed, instead = int(rng.integers(self.most)), int(rng.integers(len(drawn)))
        chosen = drawn[seed if seed < len(drawn) else instead]
        rank = (sorted(drawn, key=sum).index(chosen) + rng.random()) / len(drawn)
        opposite = sorted(other, key=sum)[int(rank * len(other))]
        moved = share * (sum(opposite) - sum(chosen)) / 2
        return chosen[0] + moved, chosen[1] + moved

    def mean(self, d: int, length: float) -> float:
        """The mean score at ``d`` of the runs that trained, with the nearest s of the table."""
        low, high, share = self.around(d)
        means = [statistics.fmean(self.trained(self.nearest(at, length))) for at in (low, high)]
        return means[0] + share * (means[1] - means[0])

    def curve(self, d: int) -> float:
        """The mean score of the runs that trained, with the best s for them."""
        return max(self.mean(d, length) for length in self.lengths)

    def crossing(self, bar: float) -> float:
        """The smallest d where the curve reaches ``bar``; 0 or infinity where that is outside of the table."""
        points = np.unique(np.geomspace(self.dimensions[0], self.dimensions[-1], 1000).round().astype(int)).tolist()
        reached = next((d for d in points if self.curve(d) >= bar), math.inf)
        return 0.0 if reached == points[0] else reached


def scores(row: dict[str, str], both: bool, chance: float) -> Run:
    """The scores of a row as a run reports them, on the selection half and on the other; failed runs are at chance."""
    if not row["eval_score"]:
        return chance, chance
    select, score = float(row["select_score"]), float(row["eval_score"])
    if not both:
        return select, score
    return (select + float(row["swapped_eval_score"])) / 2, (score + float(row["swapped_select_score"])) / 2


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
    program, results = measurement.program(), None
    while True:
        try:
            wanted = next(program) if results is None else program.send(results)
        except StopIteration:
            break
        results = [world.answer(run) for run in wanted]
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
