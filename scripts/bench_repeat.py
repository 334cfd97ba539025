"""How well d90 repeats: the same sweep with several master seeds, and the intervals against the spread between seeds.

    python scripts/bench_repeat.py --seeds 10 --out outputs/repeat

Runs ``intdim sweep seed=k`` for k = 0, 1, ... in one ``out`` folder (finished sweeps are read, not run again); further
words are passed on: ``-- task=docstrings-pair projection=one_hot``. A master seed decides everything that is drawn:
projections, heads, data order, dropout, the choice of dimensions. Prints a row per seed, the spread of log d90 over the
seeds that found one, and how many intervals hold the median of all. Writes scripts/results/repeat.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from intdim.durable import write_json

RESULTS = Path(__file__).parent / "results" / "repeat.json"
KEPT = ("status", "d90", "d90_low", "d90_high", "isotonic_d90", "runs", "baseline_mean", "baseline_std", "threshold")


def sweep(seed: int, out: Path, words: list[str]) -> dict[str, Any]:
    """Run the sweep of one master seed, unless it is finished; return its verdict."""
    command = [sys.executable, "-m", "intdim", "sweep", f"seed={seed}", f"out={out}", *words]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    for folder in finished(out):
        if folder.name in made:  # the command prints last where it wrote
            verdict: dict[str, Any] = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
            return verdict
    raise RuntimeError(f"seed {seed} left no verdict in {out}")


def finished(out: Path) -> list[Path]:
    """Return the folders of all sweeps that have a verdict."""
    return sorted(path.parent for path in out.glob("sweeps/*/verdict.json"))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return median and spread of the d90 that were found, and how many intervals hold that median."""
    found = [math.log(row["d90"]) for row in rows if row["d90"] is not None]
    if not found:
        return {"found": 0}
    centre = math.exp(statistics.median(found))
    bounded = [row for row in rows if row["d90_low"] is not None and row["d90_high"] is not None]
    holds = [row["d90_low"] <= centre <= row["d90_high"] for row in bounded]
    widths = [math.log(row["d90_high"] / row["d90_low"]) / 2 for row in bounded]
    return {
        "found": len(found),
        "median_d90": centre,
        "spread": math.exp(statistics.stdev(found)) if len(found) > 1 else None,
        "lowest": math.exp(min(found)),
        "highest": math.exp(max(found)),
        "intervals": len(bounded),
        "intervals_with_the_median": sum(holds),
        "median_half_width": math.exp(statistics.median(widths)),
    }


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("outputs/repeat"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("words", nargs="*", help="key=value for intdim sweep")
    options = parser.parse_args()
    rows = []
    print(
        f"{'seed':>4s} {'status':14s} {'d90':>7s} {'90 % interval':>16s} {'isotonic':>9s} {'runs':>5s} {'baseline':>9s}"
    )
    for seed in range(options.seeds):
        verdict = sweep(seed, options.out, options.words)
        row = {"seed": seed} | {key: verdict[key] for key in KEPT}
        rows.append(row)
        d90, isotonic = ("-" if row[key] is None else f"{row[key]:.0f}" for key in ("d90", "isotonic_d90"))
        edges = " to ".join("?" if row[key] is None else f"{row[key]:.0f}" for key in ("d90_low", "d90_high"))
        print(
            f"{seed:4d} {row['status']:14s} {d90:>7s} {edges:>16s} {isotonic:>9s} {row['runs']:5d} "
            f"{row['baseline_mean']:9.3f}",
            flush=True,
        )
    found = summary(rows)
    if found["found"]:
        spread = f", seeds differ by {found['spread']:.2f}" if found["spread"] else ""
        print(
            f"found by {found['found']} of {len(rows)}: median {found['median_d90']:.0f}, "
            f"from {found['lowest']:.0f} to {found['highest']:.0f}"
        )
        print(
            f"{found['intervals_with_the_median']} of {found['intervals']} intervals hold the median; "
            f"half an interval is a factor of {found['median_half_width']:.2f}{spread}"
        )
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "python": sys.version.split()[0]}
    write_json(options.results, {"words": options.words, "machine": machine, "summary": found, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
