"""Whether a search recovers published intrinsic dimensions when it can only make published runs.

    python scripts/replay_curves.py curves.csv --runs 12

The file has a row per published run, columns ``experiment,d,score``; d = 0 is full training (or the experiment
``<experiment>_direct``). When the search asks for d, it observes the score of one published run: at the published d
closest in the logarithm, or, between two of them, a draw from either, the nearer one more often. So it meets the real
noise and no smoothed curve. The baseline is the mean of the d = 0 rows. Both thresholds are searched: 0.90 itself,
where the baseline exceeds it, and 0.9 times the baseline. Printed beside d90 and its interval: the result of the
authors' rule on the whole table, the smallest d whose mean score reaches the threshold, and the range of that over 200
bootstrap draws of the runs at every d. Each replay is repeated with several seeds. Writes scripts/results/replay.json.

The runs of Li, Farkhoor, Liu & Yosinski, "Measuring the intrinsic dimension of objective landscapes" (2018), are public
with their notebooks (github.com/uber-research/intrinsic-dimension).
"""

from __future__ import annotations

import argparse
import bisect
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from intdim.durable import write_json
from intdim.search import Verdict, make_search

RESULTS = Path(__file__).parent / "results" / "replay.json"
EXPERIMENTS = "mnist_fc_depth2_w200_3runs,mnist_lenet,cifar_fc,cifar_lenet"
CHANCE = 0.1  # ten classes
DRAWS = 200


class Published:
    """The runs of one experiment by d, and its baseline."""

    def __init__(self, table: pandas.DataFrame, name: str) -> None:
        self.scores: dict[int, list[float]] = {}
        baseline: list[float] = []
        for experiment, d, score in zip(table["experiment"], table["d"], table["score"], strict=True):
            if experiment == f"{name}_direct" or (experiment == name and d == 0):
                baseline.append(float(score))
            elif experiment == name:
                self.scores.setdefault(int(d), []).append(float(score))

        if not self.scores or not baseline:
            raise SystemExit(f"{name}: no runs, or no run with d = 0 in it or in {name}_direct")
        self.dimensions = sorted(self.scores)
        self.baseline = statistics.fmean(baseline)
        self.baseline_se = statistics.stdev(baseline) / math.sqrt(len(baseline)) if len(baseline) > 1 else 0.0

    def draw(self, d: int, rng: np.random.Generator) -> float:
        """Return the score of a published run at d or next to it."""
        above = bisect.bisect_left(self.dimensions, d)
        at = self.dimensions[min(above, len(self.dimensions) - 1)]
        if above > 0 and at > d:
            below = self.dimensions[above - 1]
            share = math.log(d / below) / math.log(at / below)
            at = at if rng.random() < share else below

        scores = self.scores[at]
        return scores[rng.integers(len(scores))]

    def first_crossing(self, bar: float, rng: np.random.Generator | None = None) -> int | None:
        """Return the smallest d whose mean score reaches ``bar``; with ``rng``, for a bootstrap draw of the runs."""
        for d in self.dimensions:
            scores = self.scores[d]
            drawn = scores if rng is None else rng.choice(scores, len(scores)).tolist()
            if statistics.fmean(drawn) >= bar:
                return d
        return None


def replay(curve: Published, bar: float, runs: int, seed: int, method: str) -> tuple[Verdict, int]:
    """Search one curve with at most ``runs`` runs; return the verdict and how many it took."""
    search = make_search(
        method,
        d_min=curve.dimensions[0],
        d_max=curve.dimensions[-1],
        threshold=bar,
        baseline=curve.baseline,
        chance=CHANCE,
        max_runs=runs,
        seed=seed,
        baseline_std=curve.baseline_se if bar != 0.9 else 0.0,  # 0.9 itself is a number that nobody measured
    )

    counts: dict[int, int] = {}
    while asked := search.ask(n=1):
        for d in asked:
            counts[d] = counts.get(d, 0) + 1
            score = curve.draw(d, np.random.default_rng([seed, d, counts[d]]))
            search.tell(d, score, seed=counts[d])
    return search.verdict(), sum(counts.values())


def measure(curve: Published, bar: float, options: argparse.Namespace) -> dict[str, Any]:
    """Replay one threshold with every seed, and apply the authors' rule."""
    drawn = [curve.first_crossing(bar, np.random.default_rng(k)) for k in range(DRAWS)]
    reached = sorted(d for d in drawn if d is not None)
    replays = []
    for seed in range(options.seeds):
        verdict, runs = replay(curve, bar, options.runs, seed, options.search)
        replays.append(
            {"status": verdict.status, "d90": verdict.d90, "low": verdict.low, "high": verdict.high, "runs": runs}
        )
    return {
        "bar": bar,
        "rule": curve.first_crossing(bar),
        "rule_range": [reached[0], reached[-1]] if reached else None,
        "replays": replays,
    }


def line(name: str, row: dict[str, Any]) -> str:
    """Return a row to print: the median replay, and how many agree with the authors' rule."""
    found = [one for one in row["replays"] if one["d90"] is not None and one["low"] is not None]
    low, high = row["rule_range"] or (math.nan, math.nan)
    rule = f"{row['rule'] or '-':>7} [{low}, {high}]"
    if not found:
        return f"{name:28s} {row['bar']:.3f} {rule:26s} none of {len(row['replays'])} replays found d90"
    middle = statistics.median(one["d90"] for one in found)
    holds = sum(one["low"] <= row["rule"] <= one["high"] for one in found)
    edges = f"[{statistics.median(o['low'] for o in found):.0f}, {statistics.median(o['high'] for o in found):.0f}]"
    total = len(row["replays"])
    return (
        f"{name:28s} {row['bar']:.3f} {rule:26s} {middle:7.0f} {edges:16s} x{middle / row['rule']:.2f} "
        f"{len(found)}/{total} found, {holds} intervals hold it"
    )


def main() -> int:
    """Replay, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", type=Path)
    parser.add_argument("--experiments", default=EXPERIMENTS)
    parser.add_argument("--search", default="posterior")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()

    table = pandas.read_csv(options.curves)
    print(f"{'experiment':28s} {'bar':5s} {'first d at the bar, range':26s} {'d90':>7s} {'interval':16s} ratio")
    rows = {}
    for name in options.experiments.split(","):
        curve = Published(table, name)
        bars = [0.9] if curve.baseline > 0.9 else []
        rows[name] = [measure(curve, bar, options) for bar in [*bars, 0.9 * curve.baseline]]
        for row in rows[name]:
            print(line(name, row), flush=True)
    settings = {"search": options.search, "runs": options.runs, "seeds": options.seeds}
    write_json(options.out, settings | {"rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
