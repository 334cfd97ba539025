"""Whether a search gives published intrinsic dimensions back when published runs are all it can make.

    python scripts/replay_curves.py curves.csv --runs 12

The file has a row per published run, columns ``experiment,d,score``; d = 0 is full training (or lies under
``<experiment>_direct``). Asked for d, the search is told the score of one published run: at the published d next to it
in the logarithm, or, between two of them, a draw from either, the nearer one more often; so it meets the real noise
and no curve that was smoothed. The baseline is the mean of the d = 0 rows. Both bars are searched: 0.90 itself, where
the baseline allows it, and 0.9 times the baseline. Beside d90 and its interval stands what the authors' rule gives on
the whole table, the smallest d whose mean score reaches the bar, and the range of that over 200 bootstrap draws of the
runs at every d: their own spread. Each replay is repeated with several seeds. Writes scripts/results/replay.json.

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
from intdim.search import make_search
from intdim.search.base import Verdict

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
        self.places = sorted(self.scores)
        self.baseline = statistics.fmean(baseline)
        self.baseline_se = statistics.stdev(baseline) / math.sqrt(len(baseline)) if len(baseline) > 1 else 0.0

    def draw(self, d: int, chooser: np.random.Generator) -> float:
        """Return the score of a published run at d or next to it."""
        above = bisect.bisect_left(self.places, d)
        at = self.places[min(above, len(self.places) - 1)]
        if above > 0 and at > d:
            below = self.places[above - 1]
            share = math.log(d / below) / math.log(at / below)
            at = at if chooser.random() < share else below
        scores = self.scores[at]
        return scores[chooser.integers(len(scores))]

    def first_crossing(self, bar: float, chooser: np.random.Generator | None = None) -> int | None:
        """Return the smallest d whose mean score reaches the bar; with a chooser, of a bootstrap draw of the runs."""
        for d in self.places:
            scores = self.scores[d]
            drawn = scores if chooser is None else chooser.choice(scores, len(scores)).tolist()
            if statistics.fmean(drawn) >= bar:
                return d
        return None


def replay(curve: Published, bar: float, runs: int, seed: int, method: str) -> tuple[Verdict, int]:
    """Search one curve with at most ``runs`` runs; return the verdict and how many it took."""
    search = make_search(
        method, d_min=curve.places[0], d_max=curve.places[-1], threshold=bar, baseline=curve.baseline, chance=CHANCE,
        max_runs=runs, seed=seed, baseline_std=curve.baseline_se if bar != 0.9 else 0.0,
    )  # fmt: skip
    counts: dict[int, int] = {}
    while asked := search.ask(n=1):
        for d in asked:
            counts[d] = counts.get(d, 0) + 1
            score = curve.draw(d, np.random.default_rng([seed, d, counts[d]]))
            search.tell(d, score, seed=counts[d])
    return search.verdict(), sum(counts.values())


def measure(curve: Published, bar: float, options: argparse.Namespace) -> dict[str, Any]:
    """Replay one bar with every seed beside the authors' rule."""
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
    """Return one printed row: the median replay, and how many agree with the authors' rule."""
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
