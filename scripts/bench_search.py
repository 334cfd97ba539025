"""The accuracy of the searches: d90 on simulated curves whose true d90 is known.

    python scripts/bench_search.py --curves 240 --runs 12 --batch 1

Draws curves from seven families over d from 8 to 10^6, with seed noise of 0.2 to 3 points (more at small d), 0 to 10 %
collapsed runs, majority classes of 0.33 to 0.8, a baseline measured with 5 noisy seeds, and both kinds of threshold.
All methods see the same curves. Prints, for each method and family, the error factor of d90, how often the 90 %
interval covers, how often d90 was found, the runs spent, and how often a censored curve (d90 outside the range) was
called found. Writes scripts/results/search.json with machine and versions.

``--evaluation-noise 0.015`` gives every curve a shared error of the threshold relative to all its scores, normal with a
standard deviation between a third of that and that, as a finite evaluation split does. The search is given that
distribution; the coverage of the interval by the seeds alone is printed as well.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from scipy.stats import binomtest

from intdim.durable import write_json
from intdim.search import make_search

D_MIN, D_MAX = 8, 1_000_000
LOW, HIGH = math.log(D_MIN), math.log(D_MAX)
RESULTS = Path(__file__).parent / "results" / "search.json"
FAMILIES = ("logistic", "gompertz", "weibull", "power", "two_step", "late", "shallow_dip")
CENSORED = ("reached_before", "reached_after", "never_reached")
BASELINE_SEEDS = 5
METHODS: dict[str, dict[str, Any]] = {
    "posterior": {},
    "bisection": {"max_runs": 48},
    "grid": {"max_runs": 39, "grid_points": 13, "seeds": 3},
    "grid-25": {"max_runs": 25, "grid_points": 25, "seeds": 1},
    "grid-25x5": {"max_runs": 125, "grid_points": 25, "seeds": 5},
}
Shape = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Curve:
    """A simulated task: the share of the gain over log d, and what a search is given of it."""

    family: str
    share: Shape
    floor: float
    ceiling: float
    noise: float
    heavier: float
    collapse: float
    baseline: float
    baseline_se: float
    threshold: float
    truth: float  # log d90, -inf or inf when censored
    evaluation_noise: float = 0.0  # standard deviation of the shared error that is in the threshold

    def score(self, d: int, rng: np.random.Generator) -> float:
        share = float(self.share(np.array([math.log(d)]))[0])
        mean = self.floor + (self.ceiling - self.floor) * share
        if rng.random() < self.collapse:
            collapsed = self.floor if rng.random() < 0.6 else rng.uniform(self.floor, max(mean, self.floor + 1e-9))
            return min(1.0, float(collapsed + 0.01 * rng.standard_normal()))
        spread = self.noise * (1 + self.heavier * (1 - min(share, 1.0)))
        return min(1.0, float(mean + spread * rng.standard_normal()))


def sigmoid(t: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * t))


def draw_shape(family: str, rng: np.random.Generator) -> Shape:
    """Return the share of the gain as a function of log d, up to a shift in log d."""
    width = rng.uniform(0.25, 1.3)
    if family == "logistic":
        return lambda x: sigmoid(x / width)
    if family == "gompertz":
        return lambda x: np.exp(-np.exp(-np.clip(x / width, -30, 30)))
    if family == "weibull":
        return lambda x: 1 - np.exp(-np.exp(np.clip(x / width, -30, 30)))
    if family == "power":  # saturates slowly: 1 - (1 + d/d0)^-k
        power = rng.uniform(0.6, 1.5)
        return lambda x: 1 - np.power(1 + np.exp(np.clip(x, -30, 30)), -power)
    if family in ("two_step", "late"):
        early = rng.uniform(0.3, 0.7) if family == "two_step" else rng.uniform(0.7, 0.85)
        gap = rng.uniform(1.5, 4.0)
        first, second = rng.uniform(0.15, 0.7), rng.uniform(0.1, 0.5)
        return lambda x: early * sigmoid(x / first) + (1 - early) * sigmoid((x - gap) / second)
    assert family == "shallow_dip"
    depth, place = rng.uniform(0.04, 0.08), width * 3 + rng.uniform(1.0, 2.5)
    return lambda x: sigmoid(x / width) - depth * np.exp(-0.5 * ((x - place) / 0.8) ** 2)


def draw(family: str, rng: np.random.Generator) -> Curve:
    """Draw a curve whose d90 lies inside the range (a family) or outside of it (a kind of censoring)."""
    while True:
        floor = rng.uniform(0.33, 0.8)
        top = rng.uniform(max(floor + 0.12, 0.7), 0.97)
        ceiling = top + (top - floor) * rng.uniform(-0.04, 0.01)
        fraction_of_gain = (0.9 * top - floor) / (top - floor)
        absolute = fraction_of_gain > 0.3 and rng.random() < 0.6
        bar = (lambda best: 0.9 * best) if absolute else (lambda best, low=floor: low + 0.9 * (best - low))

        noise = math.exp(rng.uniform(math.log(0.002), math.log(0.03)))
        kind = FAMILIES[rng.integers(len(FAMILIES) - 1)] if family in CENSORED else family
        if family == "never_reached":
            ceiling = bar(top) - (bar(top) - floor) * rng.uniform(0.05, 0.4)

        share = draw_shape(kind, rng)
        wanted = (bar(top) - floor) / (ceiling - floor)
        x = np.linspace(-25, 40, 65_001)
        values = share(x)
        reached = np.flatnonzero(values >= wanted)

        if family == "never_reached":
            truth, shift = math.inf, rng.uniform(LOW + 1, HIGH)
        elif not len(reached):
            continue
        else:
            place = {
                "reached_before": LOW - rng.uniform(0.3, 3),
                "reached_after": HIGH + rng.uniform(0.3, 3),
            }.get(family, rng.uniform(LOW + 0.06 * (HIGH - LOW), HIGH - 0.06 * (HIGH - LOW)))
            shift = place - x[reached[0]]
            truth = {"reached_before": -math.inf, "reached_after": math.inf}.get(family, place)
            if values[reached[0] :].min() < wanted:
                continue  # it falls below the threshold again: there would be no single truth to compare with

        seeds = top + noise * rng.standard_normal(BASELINE_SEEDS)
        baseline = float(min(seeds.mean(), 1.0))
        return Curve(
            family,
            lambda x, share=share, shift=shift: share(x - shift),
            floor,
            ceiling,
            noise,
            rng.uniform(0, 2),
            rng.uniform(0, 0.1),
            baseline,
            float(seeds.std(ddof=1) / math.sqrt(BASELINE_SEEDS)),
            bar(baseline),
            truth,
        )


def blurred(curve: Curve, largest: float, rng: np.random.Generator) -> Curve:
    """Return the curve with a shared error in its threshold; the truth stays."""
    noise = largest * math.exp(rng.uniform(math.log(1 / 3), 0.0))
    threshold = curve.threshold + noise * rng.standard_normal()
    return dataclasses.replace(curve, threshold=threshold, evaluation_noise=noise)


def measure(curve: Curve, name: str, number: int, runs: int, batch: int) -> dict[str, Any]:
    """Search one curve; return the outcome. The score of the k-th run depends on the curve, d and k alone."""
    settings = {"max_runs": runs} | METHODS[name]
    search = make_search(
        name.split("-")[0],
        d_min=D_MIN,
        d_max=D_MAX,
        threshold=curve.threshold,
        baseline=curve.baseline,
        chance=curve.floor,
        baseline_std=curve.baseline_se,
        seed=number,
        **settings,
    )

    counts: dict[int, int] = {}
    spent = 0
    while asked := search.ask(n=batch):
        for d in asked:
            counts[d] = counts.get(d, 0) + 1
            search.tell(d, curve.score(d, np.random.default_rng([number, d, counts[d]])), seed=counts[d])
            spent += 1

    shifts = None
    if curve.evaluation_noise:
        shifts = curve.evaluation_noise * np.random.default_rng([number, 0]).standard_normal(400)
    verdict = search.verdict(shifts=shifts)
    row = {
        "family": curve.family,
        "status": verdict.status,
        "runs": spent,
        "error": None,
        "covers": None,
        "covers_by_seeds": None,
        "width": None,
        "limit": verdict.limit,
    }
    if not math.isfinite(curve.truth):
        return row
    if verdict.d90 is None or verdict.low is None or verdict.high is None:
        return row
    return row | {
        "error": abs(math.log(verdict.d90) - curve.truth),
        "covers": math.log(verdict.low) <= curve.truth <= math.log(verdict.high),
        "covers_by_seeds": (
            math.log(verdict.low_seeds or verdict.low) <= curve.truth <= math.log(verdict.high_seeds or verdict.high)
        ),
        "width": math.log(verdict.high / verdict.low),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Reduce rows: error factors and coverage over what was found, with the 95 % interval of the coverage."""
    found = [row for row in rows if row["error"] is not None]
    covered = sum(row["covers"] for row in found)
    errors = [row["error"] for row in found] or [math.nan]
    return {
        "curves": len(rows),
        "found": len(found) / len(rows),
        "median_error": float(np.exp(np.median(errors))),
        "p90_error": float(np.exp(np.quantile(errors, 0.9))),
        "coverage": covered / len(found) if found else None,
        "coverage_95": wilson_interval(covered, len(found)) if found else None,
        "coverage_by_seeds": sum(row["covers_by_seeds"] for row in found) / len(found) if found else None,
        "limited_by_examples": sum(row["limit"] == "examples" for row in rows) / len(rows),
        "half_width": float(np.exp(np.median([row["width"] for row in found]) / 2)) if found else None,
        "runs": float(np.mean([row["runs"] for row in rows])),
        "statuses": dict(Counter(sorted(row["status"] for row in rows))),
    }


def wilson_interval(hits: int, trials: int) -> list[float]:
    """Return the ends of Wilson's 95 % interval (1927) for a probability; [0, 1] without trials."""
    if not trials:
        return [0.0, 1.0]
    interval = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    return [float(interval.low), float(interval.high)]


def line(label: str, one: dict[str, Any]) -> str:
    if one["coverage"] is None:
        return f"{label:26s} {one['curves']:5d} {one['found']:6.2f}"
    low, high = one["coverage_95"]
    return (
        f"{label:26s} {one['curves']:5d} {one['found']:6.2f}  x{one['median_error']:5.3f} x{one['p90_error']:5.2f}"
        f"   {one['coverage']:.2f} [{low:.2f}, {high:.2f}]   x{one['half_width']:4.2f} {one['runs']:6.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--curves", type=int, default=240, help="curves with a d90; a quarter as many censored ones")
    parser.add_argument("--runs", type=int, default=12, help="budget of the posterior")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluation-noise", type=float, default=0.0, help="largest shared error, in scores")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()

    families = options.families.split(",")
    kinds = [families[k % len(families)] for k in range(options.curves)]
    kinds += [CENSORED[k % len(CENSORED)] for k in range(options.curves // 4)]
    curves = [draw(kind, np.random.default_rng([options.seed, k])) for k, kind in enumerate(kinds)]
    noise = options.evaluation_noise
    if noise:
        curves = [blurred(curve, noise, np.random.default_rng([options.seed, k, 1])) for k, curve in enumerate(curves)]

    print(f"{'method, family':26s} {'n':>5s} {'found':>6s}  median  p90      covers, 95 % of it   half   runs")
    tables: dict[str, Any] = {}
    for name in options.methods.split(","):
        begun = time.process_time()
        rows = [measure(curve, name, k, options.runs, options.batch) for k, curve in enumerate(curves)]
        inside = [row for row in rows if row["family"] in FAMILIES]
        outside = [row for row in rows if row["family"] in CENSORED]
        label = name if name != "posterior" else f"posterior ({options.runs} runs)"
        table: dict[str, Any] = {"all": summary(inside)}
        print(line(label, table["all"]))
        for family in families:
            table[family] = summary([row for row in inside if row["family"] == family])
            print(line(f"  {family}", table[family]))

        false = sum(row["status"] == "found" for row in outside)
        table["censored"] = {
            "curves": len(outside),
            "false_found": false / max(len(outside), 1),
            "statuses": {
                kind: dict(Counter(sorted(row["status"] for row in outside if row["family"] == kind)))
                for kind in CENSORED
            },
        }
        table["seconds_per_search"] = (time.process_time() - begun) / len(rows)
        print(f"  censored: called found {false} of {len(outside)}; {json.dumps(table['censored']['statuses'])}")
        if noise and table["all"]["found"]:
            share = table["all"]["limited_by_examples"]
            print(f"  by the seeds alone {table['all']['coverage_by_seeds']:.2f}; {share:.2f} limited by the examples")
        print(f"  inside: {table['all']['statuses']}; {table['seconds_per_search']:.2f} s of CPU a search", flush=True)
        tables[name] = table

    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.system()}
    versions = {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__}
    arguments = {"curves": options.curves, "runs": options.runs, "batch": options.batch, "seed": options.seed}
    arguments |= {"evaluation_noise": noise}
    known = json.loads(options.out.read_text()) if options.out.exists() else {"tables": {}}
    label = f"runs={options.runs} batch={options.batch}" + (f" evaluation_noise={noise:g}" if noise else "")
    known["tables"][label] = {"arguments": arguments, "methods": tables}
    write_json(options.out, known | {"machine": machine, "versions": versions})


if __name__ == "__main__":
    main()
