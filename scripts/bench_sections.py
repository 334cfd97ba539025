"""What splitting P into sections costs: the same runs with whole blocks and with many sections.

    python scripts/bench_sections.py --d 64,256,1024 --seeds 12 --step-length 10 model=tiny

Above d = 4096 the blocks of fastfood and orthogonal serve sections of the coordinates, and kronecker's second factor is
narrow from d = 257 on (intdim/projections/README.md). A small model cannot use such a d, so the limits are lowered
instead: 16 coordinates a section (4, 16 and 64 sections for these d), and kronecker's factors 4 wide and in parts of 16
columns, against the same kinds without limits. Both variants use the same seeds (data order, initial head), so
differences are paired. Prints for each kind and d both mean scores on the evaluation half, their mean difference with
its standard error, and what these are worth as factors of d, by the mean slope of the scores of whole blocks in log d.
Runs that ended are found in ``--folder`` and not repeated. Writes scripts/results/sections.json.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.config import cell_request, runtime_request
from intdim.drivers.train import train_one
from intdim.durable import read_json, write_json
from intdim.launch import InProcess
from intdim.launch.worker import JOBS
from intdim.projections import PROJECTIONS, find_projection

RESULTS = Path(__file__).parent / "results" / "sections.json"
VARIANTS = ("whole", "dealt")


def limits(variant: str, coordinates: int) -> dict[str, dict[str, int]]:
    """Return the limits of each kind in a variant, as attributes of its class."""
    if variant == "whole":
        stacked, factors = {"largest_block": 1 << 40}, {"side": 1 << 20, "columns": 1 << 20}
    else:
        stacked, factors = {"largest_block": coordinates}, {"side": 4, "columns": 16}
    return {"fastfood": stacked, "orthogonal": stacked, "kronecker": factors}


def train(variant: str, options: argparse.Namespace) -> None:
    """Make all runs of one variant in this process, with its classes in the place of ours, and write the scores."""
    for kind, limits_of_kind in limits(variant, options.coordinates).items():
        base = find_projection(kind)
        globals()[base.__name__] = type(base.__name__, (base,), limits_of_kind)
        PROJECTIONS[kind] = f"{__name__}:{base.__name__}"

    folder = Path(options.folder) / variant
    scores: dict[str, dict[str, list[float]]] = {}
    for kind in options.projections.split(","):
        for d in options.d.split(","):
            for seed in range(options.seeds):
                words = [f"projection={kind}", f"seed={seed}", f"out={folder}", "launch.threads=1", *options.words]
                made: list[DictConfig] = []
                cells("train", words, lambda found, made=made: made.append(found[0]) or 0)
                runtime = runtime_request(made)
                result = train_one(
                    cell_request(made[0]), int(d), options.step_length, 0.0, runtime, launcher=InProcess(JOBS)
                )
                scores.setdefault(kind, {}).setdefault(d, []).append(result.score)
    write_json(folder / "scores.json", scores)


def compare(whole: dict[str, list[float]], dealt: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Return a row for each d of one kind."""
    dimensions = sorted(whole, key=int)
    means = {d: statistics.fmean(whole[d]) for d in dimensions}
    span = math.log(int(dimensions[-1]) / int(dimensions[0]))
    slope = (means[dimensions[-1]] - means[dimensions[0]]) / span if span else 0.0  # of the score, per log d

    rows = []
    for d in dimensions:
        apart = [one - other for one, other in zip(dealt[d], whole[d], strict=True)]
        error = statistics.stdev(apart) / math.sqrt(len(apart))
        difference = statistics.fmean(apart)
        rows.append(
            {
                "d": int(d),
                "whole": means[d],
                "dealt": statistics.fmean(dealt[d]),
                "difference": difference,
                "standard_error": error,
                "as_factor_of_d": math.exp(difference / slope) if slope > 0 else None,
                "factor_of_one_error": math.exp(error / slope) if slope > 0 else None,
            }
        )
    return rows


def main() -> int:
    """Run both variants at the same time, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--d", default="64,256,1024", help="with commas")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--step-length", type=float, default=10.0)
    parser.add_argument(
        "--coordinates", type=int, default=16, help="the most coordinates of a section in the second variant"
    )
    parser.add_argument("--projections", default="orthogonal,fastfood,kronecker")
    parser.add_argument("--folder", default="outputs/sections")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help="key=value for intdim train")
    options = parser.parse_args()
    if options.variant:
        train(options.variant, options)
        return 0

    settings = os.environ | {"OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen([sys.executable, *sys.argv, "--variant", variant], env=settings) for variant in VARIANTS
    ]
    if max([process.wait() for process in started]):
        return 1

    whole, dealt = (read_json(Path(options.folder) / variant / "scores.json") or {} for variant in VARIANTS)
    tables = {kind: compare(whole[kind], dealt[kind]) for kind in whole}
    for kind, rows in tables.items():
        print(f"\n{kind:12s} {'whole':>7s} {'dealt':>7s} {'apart':>8s} {'error':>7s}   as a factor of d")
        for row in rows:
            factors = "-" if row["as_factor_of_d"] is None else f"x{row['as_factor_of_d']:.2f}"
            factors += "" if row["factor_of_one_error"] is None else f" (one error x{row['factor_of_one_error']:.2f})"
            print(
                f"d={row['d']:<10d} {row['whole']:7.4f} {row['dealt']:7.4f} {row['difference']:+8.4f} "
                f"{row['standard_error']:7.4f}   {factors}"
            )

    machine = {"processor": platform.machine(), "cores": os.cpu_count()}
    versions = {"python": sys.version.split()[0], "torch": torch.__version__}
    arguments = {"d": options.d, "seeds": options.seeds, "step_length": options.step_length, "words": options.words}
    written = {
        "arguments": arguments,
        "limits": {variant: limits(variant, options.coordinates) for variant in VARIANTS},
        "tables": tables,
        "scores": {"whole": whole, "dealt": dealt},
    }
    write_json(options.out, written | {"machine": machine, "versions": versions})
    return 0


if __name__ == "__main__":
    sys.exit(main())
