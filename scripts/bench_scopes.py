"""What the scope of P, and the gradient of the authors' code, do to scores and d90.

    nice python scripts/bench_scopes.py --d 64,256,1024,4096 --seeds 3 model=tiny

Five forms of P for the same model, task, loop and seeds (data order, head):

* ``global``, ``tensor``, ``tensor_turns``: scopes as they are;
* ``authors``: ``tensor`` with columns of the authors' lengths and their gradient, which multiplies the part of each
  tensor by 1 / 2^ceil(log2(weights)) too much, because the transform is normalised backwards and not forwards;
* ``all``: ``tensor`` as it was until ``stream_version`` 2: every tensor sees all coordinates and moves as far as any.

For each form and d the step length is looked for with the first seed, by the whole evaluation split, on a grid of
factors of 1.8: it starts at ``--length`` or at the best one of the d before, and goes on while the best is at an end.
The other seeds then get the best one and the better of its neighbours, and the better mean of these two counts. d90 is
where the line through the scores over log d first reaches 0.9 of the baseline's mean in ``default-verdict.json``, for
the mean over the seeds and for each seed. ``--forms`` and ``--d`` say what is measured now; rows of other forms and d
in the file of results are kept. Runs that ended are found in ``--folder`` and not repeated. Writes
scripts/results/scopes.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from intdim import subspace
from intdim.cli.compose import cells
from intdim.config import cell_request, runtime_request
from intdim.drivers.cells import prepare_cells, single_run
from intdim.drivers.session import Session
from intdim.durable import read_json, write_json
from intdim.kernels.flow import Gradient
from intdim.launch import InProcess
from intdim.launch.worker import JOBS
from intdim.projections import Projection, find_projection, make_stacked
from intdim.projections.stacked import Stacked

RESULTS = Path(__file__).parent / "results"
FACTOR = 1.8
SCOPES = {"global": "global", "tensor": "tensor", "tensor_turns": "tensor_turns", "authors": "tensor", "all": "tensor"}


class Authors(Stacked):
    """``tensor`` with the columns' lengths and the gradient of the authors' code; the forward product is right."""

    def __init__(self, kind: type[Projection], sizes: Sequence[int], d: int, seed: int, device: torch.device) -> None:
        super().__init__(kind, sizes, d, seed, device, "first")
        seen = self._lengths**-2
        self._lengths = torch.full_like(seen, 1 / math.sqrt(seen.mean().item()))  # of a root mean square of 1

    def _read(self, source: Gradient) -> Tensor:
        factors = torch.tensor([0.5 ** (size - 1).bit_length() for size in self.sizes])
        wrong = source.take(0, self.D) * factors.repeat_interleave(torch.tensor(self.sizes)).to(source.g.dtype)
        return super()._read(Gradient(wrong))


class Everything(Stacked):
    """Every piece sees all coordinates and moves as far as any other."""

    def __init__(self, kind: type[Projection], sizes: Sequence[int], d: int, seed: int, device: torch.device) -> None:
        super().__init__(kind, [max(d, size) for size in sizes], d, seed, device, "turns")  # windows of d, same keys
        self.D, self.sizes = sum(sizes), tuple(sizes)
        self.pieces = [kind(size, d, piece.seed, device) for size, piece in zip(sizes, self.pieces, strict=True)]


def stacking(form: str) -> Callable[..., Projection]:
    """Return what a subspace calls to make P of a scope other than ``global``."""
    kinds: dict[str, type[Authors | Everything]] = {"authors": Authors, "all": Everything}
    if form not in kinds:
        return make_stacked
    return lambda projection, sizes, d, seed, device, _: kinds[form](
        find_projection(projection), sizes, d, seed, device
    )


def measure(form: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Make the runs of one form; return a row for each d."""
    subspace.make_stacked = stacking(form)
    made: list[DictConfig] = []
    words = [f"out={options.folder / form}", f"subspace.scope={SCOPES[form]}", "launch.threads=1", *options.words]
    cells("train", words, lambda found: made.append(found[0]) or 0)
    request, rows = cell_request(made[0]), []
    with Session(runtime_request(made), None, InProcess(JOBS)) as session:
        (prepared,) = prepare_cells(session, [request])

        def run(d: int, length: float, seed: int) -> float:
            spec = single_run(dataclasses.replace(request, seed=seed), prepared, d, length, 0.0)
            (result,) = session.run([spec], prepared)
            score = (result.selection_score + result.score) / 2  # two halves of one size
            return score if math.isfinite(score) else prepared.facts.chance

        best = 0
        for d in options.d:
            scores, best = located(lambda length, seed, d=d: run(d, length, seed), best, options)
            by_seed = scores[length_at(best, options)]
            first = {f"{length:g}": found[0] for length, found in sorted(scores.items())}
            row = {"form": form, "d": d, "step_length": length_at(best, options), "mean": statistics.fmean(by_seed)}
            rows.append(row | {"scores": by_seed, "first_seed": first})
            means = " ".join(f"{score:.3f}" for score in by_seed)
            print(f"{form:13s} d={d:<6d} {row['mean']:.3f}  ({means})  s={row['step_length']:g}", flush=True)
    return rows


def located(
    run: Callable[[float, int], float], start: int, options: argparse.Namespace
) -> tuple[dict[float, list[float]], int]:
    """Return the scores by step length, one for each seed, and the place of the best length in the grid."""
    first: dict[int, float] = {}
    best = start
    while not {best - 1, best, best + 1} <= first.keys():
        for step in (best, best - 1, best + 1):
            if step not in first:
                first[step] = run(length_at(step, options), 0)
        best = max(first, key=lambda step: first[step])

    found = {length_at(step, options): [score] for step, score in first.items()}
    second = max((best - 1, best + 1), key=lambda step: first[step])
    for step in (best, second):
        found[length_at(step, options)] += [run(length_at(step, options), seed) for seed in range(1, options.seeds)]
    return found, max((best, second), key=lambda step: statistics.fmean(found[length_at(step, options)]))


def length_at(step: int, options: argparse.Namespace) -> float:
    """Return a length of the grid, to two digits."""
    return float(f"{options.length * FACTOR**step:.2g}")


def crossing(dimensions: list[int], scores: list[float], bar: float) -> float | None:
    """Return where the line through the scores over log d first reaches the bar; None if it never does."""
    if scores[0] >= bar:
        return float(dimensions[0])
    for low, high in zip(range(len(scores)), range(1, len(scores)), strict=False):
        if scores[high] >= bar:
            share = (bar - scores[low]) / (scores[high] - scores[low])
            return dimensions[low] * (dimensions[high] / dimensions[low]) ** share
    return None


def main() -> int:
    """Read the arguments; further words go to ``intdim train``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--d", type=lambda text: [int(word) for word in text.split(",")], default=[64, 256, 1024, 4096])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--length", type=float, default=5.6, help="the step length to begin with")
    parser.add_argument("--forms", default=",".join(SCOPES))
    parser.add_argument("--folder", type=Path, default=Path("outputs/scopes"))
    parser.add_argument("--results", type=Path, default=RESULTS / "scopes.json")
    parser.add_argument("words", nargs="*", help="key=value for intdim train")
    options = parser.parse_args()
    torch.set_num_threads(1)

    bar = 0.9 * (read_json(RESULTS / "default-verdict.json") or {})["baseline_mean"]
    rows = {(row["form"], row["d"]): row for row in (read_json(options.results) or {"rows": []})["rows"]}
    machine = {"processor": platform.machine(), "cores": os.cpu_count()}
    versions = {"python": sys.version.split()[0], "torch": torch.__version__}
    settings = {"words": options.words, "seeds": options.seeds, "bar": bar, "factor": FACTOR}
    for form in options.forms.split(","):
        rows |= {(form, row["d"]): row for row in measure(form, options)}
        ordered = sorted(rows.values(), key=lambda row: (list(SCOPES).index(row["form"]), row["d"]))
        d90 = [d90_row(one, ordered, bar) for one in dict.fromkeys(row["form"] for row in ordered)]
        record = settings | {"rows": ordered, "d90": d90, "machine": machine, "versions": versions}
        write_json(options.results, record)
    return 0


def d90_row(form: str, rows: list[dict[str, Any]], bar: float) -> dict[str, Any]:
    """Return d90 of a form by the means over the seeds, and by each seed."""
    mine = [row for row in rows if row["form"] == form]
    dimensions, by_seed = [row["d"] for row in mine], zip(*(row["scores"] for row in mine), strict=True)
    d90 = crossing(dimensions, [row["mean"] for row in mine], bar)
    return {"form": form, "d90": d90, "d90_of_seeds": [crossing(dimensions, list(scores), bar) for scores in by_seed]}


if __name__ == "__main__":
    sys.exit(main())
