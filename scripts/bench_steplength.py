"""How the best step length s = lr sqrt(d) depends on d, and how wide its window is.

    python scripts/bench_steplength.py --d 10,100,1000,10000 --lengths 0.3,1,3,10,30,100 model=tiny
    python scripts/bench_steplength.py --vary "train.warmup=0" --vary "train.clip=0" --d 100,1000 model=tiny

Makes one run for every d, s, seed, scope (global, tensor), method (DID, SAID) and variant, in the slots of this
machine. A variant is one or several words that change the training; the first is always the unchanged configuration.
Prints the mean score by d and s, with the best s marked, and the window: the range of s around the best whose mean
score keeps at least 90 % of its gain over the majority class. Scores are those of the selection half. Finished runs are
found in ``out=`` and not repeated. Writes scripts/results/steplength.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.config import cell_request, runtime_request
from intdim.drivers.cells import prepare_cells, single_run
from intdim.drivers.session import Session
from intdim.durable import write_json
from intdim.errors import UserError
from intdim.ledger.results import RunResult
from intdim.request import CellRequest
from intdim.spec import Prepared, RunSpec

RESULTS = Path(__file__).parent / "results" / "steplength.json"
KEPT = 0.9
Key = tuple[str, str, str, int, float]  # variant, scope, method, d, s


def wanted(
    cell: CellRequest, prepared: Prepared, variant: str, options: argparse.Namespace
) -> dict[Key, list[RunSpec]]:
    """Return the runs of one variant, grouped over seeds; combinations whose d does not fit are omitted."""
    runs: dict[Key, list[RunSpec]] = {}
    grid = itertools.product(options.scopes.split(","), options.methods.split(","), numbers(options.d))
    for scope, method, d in grid:
        subspace = dataclasses.replace(cell.subspace, method=method, scope=scope)
        for length in numbers(options.lengths):
            for seed in range(options.seeds):
                one = dataclasses.replace(cell, subspace=subspace, seed=seed)
                try:
                    run = single_run(one, prepared, int(d), length, 0.0)
                except UserError:
                    continue
                runs.setdefault((variant, scope, method, int(d), length), []).append(run)
    return runs


def numbers(text: str) -> list[float]:
    """Return the numbers of a comma-separated list."""
    return [float(word) for word in text.split(",")]


def window(scores: dict[float, float], chance: float) -> tuple[float, float, float]:
    """Return the best s and the ends of the window around it."""
    lengths = sorted(scores)
    best = max(lengths, key=lambda s: scores[s])

    enough = chance + KEPT * (scores[best] - chance)
    low = high = lengths.index(best)
    while low > 0 and scores[lengths[low - 1]] >= enough:
        low -= 1
    while high + 1 < len(lengths) and scores[lengths[high + 1]] >= enough:
        high += 1
    return best, lengths[low], lengths[high]


def measure(made: list[DictConfig], options: argparse.Namespace) -> int:
    """Make all runs, print the tables, write them."""
    with Session(runtime_request(made)) as session:
        requests = [cell_request(cfg) for cfg in made]
        prepared = prepare_cells(session, requests)
        runs: dict[Key, list[RunSpec]] = {}
        results: dict[str, RunResult] = {}
        for variant, cell, facts in zip(["as it is", *options.vary], requests, prepared, strict=True):
            found = wanted(cell, facts, variant, options)
            specs = [run for group in found.values() for run in group]
            print(f"{variant}: {len(specs)} runs", flush=True)
            made_now = session.run(specs, facts)
            results |= {run.run_id: result for run, result in zip(specs, made_now, strict=True)}
            runs |= found
        device = session.pool.device

    facts = prepared[0].facts
    scores: dict[Key, float] = {}
    for key, group in runs.items():
        scores[key] = statistics.fmean(scored(results[run.run_id], facts.chance) for run in group)

    rows: list[dict[str, Any]] = []
    for variant, scope, method in dict.fromkeys(key[:3] for key in scores):
        print(f"\n{requests[0].model.name}, {requests[0].task.name}, {method}, {scope} scope, {variant}")
        print(f"{'d':>8s} " + " ".join(f"s={s:<7g}" for s in numbers(options.lengths)) + " best s  window")
        for d in sorted({key[3] for key in scores}):
            here = {key[4]: value for key, value in scores.items() if key[:4] == (variant, scope, method, d)}
            if not here:
                continue

            best, low, high = window(here, facts.chance)
            shown = " ".join(f"{value:.3f}{'*' if s == best else ' '}   " for s, value in sorted(here.items()))
            print(f"{d:8d} {shown} {best:6g}  {low:g} to {high:g}, x{high / low:.3g}")
            row = {"variant": variant, "scope": scope, "method": method, "d": d, "best": best, "window": [low, high]}
            rows.append(row | {"scores": {f"{s:g}": value for s, value in sorted(here.items())}})

    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "device": device}
    settings = {"words": options.words, "seeds": options.seeds, "chance": facts.chance, "D": facts.D, "kept": KEPT}
    versions = {"python": sys.version.split()[0], "torch": torch.__version__}
    write_json(options.results, settings | {"rows": rows, "machine": machine, "versions": versions})
    return 0


def scored(result: RunResult, chance: float) -> float:
    """Return the selection score of a run, or that of the majority class if it diverged."""
    return result.selection_score if math.isfinite(result.selection_score) else chance


def main() -> int:
    """Read the arguments; further words go to ``intdim train``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--d", default="10,100,1000,10000")
    parser.add_argument("--lengths", default="0.1,0.3,1,3,10,30,100,300")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--scopes", default="global,tensor")
    parser.add_argument("--methods", default="did,said")
    parser.add_argument("--vary", action="append", default=[], help="words that change the training; may be repeated")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("words", nargs="*", help="key=value for intdim train")
    options = parser.parse_args()
    composed: list[DictConfig] = []
    for words in ["", *options.vary]:
        cells("train", [*options.words, *words.split()], lambda made: composed.append(made[0]) or 0)
    return measure(composed, options)


if __name__ == "__main__":
    sys.exit(main())
