"""Real sweeps against brute force: a dense grid of dimensions with six fresh seeds each, and the d90 that it gives.

    python scripts/bench_grid.py --sweep outputs/a/sweeps/0123456789abcdef --d 150,220,320,460,680,1000

Takes a sweep that has ended, with its cell (the words of its command follow after ``--``). At each d two fresh seeds
try three lengths a factor 1.73 apart around the best one of the sweep, the best of them (by the halves that chose) gets
four further seeds; full fine-tuning gets six at the sweep's learning rate. The grid's d90 is where the isotonic fit of
the mean scores, in log d, reaches the bar of these six seeds; its own 90 % interval comes from drawing the seeds of
every place again. Writes scripts/results/grid.json: one entry a cell, with the sweep's verdict and every score.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from scipy.optimize import isotonic_regression

from intdim.cli.compose import cells
from intdim.config import cell_request, runtime_request
from intdim.drivers.cells import prepare_cells, single_run
from intdim.drivers.session import Session
from intdim.durable import write_json
from intdim.ledger.results import RunResult
from intdim.measurement.baseline import trained
from intdim.measurement.steplength import APART, round_rate
from intdim.request import CellRequest
from intdim.spec import Prepared, RunSpec, SubspaceSpec

RESULTS = Path(__file__).parent / "results" / "grid.json"
SEEDS = range(9000, 9006)
TRIED = 2  # seeds with every length
DRAWS = 2000
HOW = ("out=", "launch.", "device=", "offline=")  # words that change no number
HELD = ("status", "d90", "d90_low", "d90_high", "threshold", "baseline_mean", "baseline_std", "chance", "runs")
Table = dict[int, list[float]]
Place = tuple[int, float]  # d and length


class Cell:
    """A cell of a sweep that makes further runs."""

    def __init__(self, session: Session, request: CellRequest, prepared: Prepared) -> None:
        self.session, self.request, self.prepared = session, request, prepared

    def specs(self, d: int, value: float, seeds: range) -> list[RunSpec]:
        """The runs of these seeds at a d and length; ``d=0``: full fine-tuning at a rate."""
        none = SubspaceSpec("full", "none", "none", "none", self.request.subspace.exclude)
        where = self.request.subspace if d else none
        threads = self.session.pool.run_threads
        return [
            single_run(replace(self.request, seed=seed, subspace=where), self.prepared, d, value, value, threads)
            for seed in seeds
        ]

    def runs(self, wanted: dict[Place, list[RunSpec]]) -> dict[Place, list[RunResult]]:
        """Return the results of all runs, made side by side."""
        made = iter(self.session.run([spec for specs in wanted.values() for spec in specs], self.prepared))
        return {place: [next(made) for _ in specs] for place, specs in wanted.items()}

    def scores(self, rate: float, lengths: dict[int, list[float]]) -> tuple[list[float], dict[int, float], Table]:
        """Return the scores of full fine-tuning at a rate, the best length at each d, and the scores with it."""
        tried = {(d, length): self.specs(d, length, SEEDS[:TRIED]) for d in lengths for length in lengths[d]}
        first = self.runs({(0, rate): self.specs(0, rate, SEEDS), **tried})

        def chosen(d: int, length: float) -> float:
            return statistics.fmean(result.selection_score for result in first[d, length])

        best = {d: max(some, key=lambda length, d=d: chosen(d, length)) for d, some in lengths.items()}
        further = self.runs({place: self.specs(*place, SEEDS[TRIED:]) for place in best.items()})
        table = {d: [result.score for result in first[d, s] + further[d, s]] for d, s in best.items()}
        return [result.score for result in first[0, rate]], best, table


def crossing(table: Table, bar: float) -> float:
    """Return the d at which the isotonic fit of the mean scores reaches ``bar``; 0 or inf outside of the grid."""
    dimensions = sorted(table)
    x = np.log(dimensions)
    fit = isotonic_regression(
        [statistics.fmean(table[d]) for d in dimensions], weights=[len(table[d]) for d in dimensions]
    ).x
    if fit[0] >= bar:
        return 0.0
    if fit[-1] < bar:
        return math.inf
    above = int(np.argmax(fit >= bar))
    share = (bar - fit[above - 1]) / (fit[above] - fit[above - 1])
    return float(np.exp(x[above - 1] + share * (x[above] - x[above - 1])))


def bar_of(verdict: dict[str, Any], full: list[float]) -> float:
    """Return the threshold that belongs to these scores of full fine-tuning."""
    mean, share, chance = statistics.fmean(full), verdict["fraction"], verdict["chance"]
    return share * mean if verdict["threshold_kind"] == "absolute" else chance + share * (mean - chance)


def compared(verdict: dict[str, Any], table: Table, full: list[float]) -> dict[str, Any]:
    """Return what the grid says, and whether the sweep's interval holds it."""
    whole = {d: [score for score, good in zip(here, trained(here, verdict["chance"]), strict=True) if good]
             for d, here in table.items()}  # fmt: skip
    base = [score for score, good in zip(full, trained(full, verdict["chance"]), strict=True) if good]
    d90, rng = crossing(whole, bar_of(verdict, base)), np.random.default_rng(0)

    drawn = []
    for _ in range(DRAWS):
        again = {d: list(rng.choice(here, len(here))) for d, here in whole.items()}
        drawn.append(crossing(again, bar_of(verdict, list(rng.choice(base, len(base))))))
    low, high = np.quantile(drawn, [0.05, 0.95], method="inverted_cdf")

    ends = verdict["d90_low"], verdict["d90_high"]
    holds = None if None in ends else ends[0] <= d90 <= ends[1]
    found = {"d90": d90, "low": float(low), "high": float(high), "bar": bar_of(verdict, base), "holds": holds}
    return {name: value if value is None or math.isfinite(value) else None for name, value in found.items()}


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweep", type=Path, required=True, help="its folder")
    parser.add_argument("--name", required=True, help="of the entry in the results")
    parser.add_argument("--d", required=True)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("words", nargs="*", help="key=value: those of the sweep, and out=")
    options = parser.parse_args()
    verdict = json.loads((options.sweep / "verdict.json").read_text(encoding="utf-8"))
    known = {math.log(int(d)): math.log(length) for d, length in verdict["step_lengths"]["known"].items()}

    def measure(made: list[DictConfig]) -> int:
        request = cell_request(made[0])
        with Session(runtime_request(made)) as session:
            (prepared,) = prepare_cells(session, [request])
            cell = Cell(session, request, prepared)
            around = {}
            for d in map(int, options.d.split(",")):
                here = math.exp(float(np.interp(math.log(d), sorted(known), [known[x] for x in sorted(known)])))
                around[d] = [round_rate(here * APART**k) for k in (-1, 0, 1)]
            full, lengths, table = cell.scores(verdict["learning_rate"], around)
            for d in table:
                print(f"d={d} s={lengths[d]:g}: {statistics.fmean(table[d]):.4f} {table[d]}", flush=True)

        found = compared(verdict, table, full)
        print(f"{options.name}: sweep {verdict['d90']} [{verdict['d90_low']}, {verdict['d90_high']}], grid {found}")
        entries = json.loads(options.results.read_text(encoding="utf-8")) if options.results.exists() else {}
        entries[options.name] = {
            "words": [
                word for word in options.words if not word.startswith(("out=", "launch.", "device=", "offline="))
            ],
            "sweep": {name: verdict[name] for name in HELD},
            "grid": found,
            "full": full,
            "scores": {str(d): {"s": lengths[d], "scores": table[d]} for d in sorted(table)},
            "versions": verdict["versions"],
        }
        write_json(options.results, entries)
        return 0

    return cells("sweep", options.words, measure)


if __name__ == "__main__":
    raise SystemExit(main())
