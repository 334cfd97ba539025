"""What the scope of P, and the gradient of the authors' code, do to scores and d90.

    nice python scripts/bench_scopes.py --d 64,256,1024,4096 --seeds 3 model=tiny

Five forms of P for the same model, task, loop and seeds (data order, head):

* ``global``, ``tensor``, ``tensor_turns``: scopes as they are;
* ``authors``: ``tensor`` with columns of the authors' lengths and their gradient, which multiplies the part of each
  tensor by 1 / 2^ceil(log2(weights)) too much, because the transform is normalised backwards and not forwards;
* ``all``: ``tensor`` as it was until ``stream_version`` 2: every tensor sees all coordinates and moves as far as any.

For each form and d the step length is looked for with the first seed on a grid of factors of 1.8, starting at
``--length`` and moving on while the best is at an end; the other seeds then get the best length and the better one of
its neighbours. A score is the mean of two: that of one half of the evaluation split where the length was chosen on the
other half, and the reverse. d90 is where the line through the scores over log d first reaches 0.9 of the baseline's
mean in ``default-verdict.json``, for the mean over the seeds and for each seed. Runs that ended are found in
``--folder`` and not repeated. Writes scripts/results/scopes.json.
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
Halves = tuple[float, float]  # scores on the selection half and on the scoring half


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

        def run(d: int, length: float, seed: int) -> Halves:
            spec = single_run(dataclasses.replace(request, seed=seed), prepared, d, length, 0.0)
            (result,) = session.run([spec], prepared)
            halves = result.selection_score, result.score
            return halves if all(map(math.isfinite, halves)) else (prepared.facts.chance, prepared.facts.chance)

        for d in options.d:
            scores = located(lambda length, seed, d=d: run(d, length, seed), options)
            rows.append({"form": form, "d": d} | summary(scores, options.seeds))
            means = " ".join(f"{score:.3f}" for score in rows[-1]["scores"])
            print(f"{form:13s} d={d:<6d} {rows[-1]['mean']:.3f}  ({means})  s={rows[-1]['step_length']:g}", flush=True)
    return rows


def located(run: Callable[[float, int], Halves], options: argparse.Namespace) -> dict[float, list[Halves]]:
    """Return the scores by step length, one for each seed: all seeds at the best length and at its better neighbour."""
    first: dict[int, Halves] = {}
    steps, best = [-1, 0, 1], 0
    while any(step not in first for step in steps):
        for step in steps:
            if step not in first:
                first[step] = run(length_at(step, options), 0)
        best = max(first, key=lambda step: sum(first[step]))
        steps = [best - 1, best, best + 1]

    second = max((best - 1, best + 1), key=lambda step: sum(first[step]))
    found = {length_at(step, options): [scores] for step, scores in sorted(first.items())}
    for length in (length_at(best, options), length_at(second, options)):
        found[length] += [run(length, seed) for seed in range(1, options.seeds)]
    return found


def length_at(step: int, options: argparse.Namespace) -> float:
    """Return a length of the grid, to two digits."""
    return float(f"{options.length * FACTOR**step:.2g}")


def summary(scores: dict[float, list[Halves]], seeds: int) -> dict[str, Any]:
    """Return the scores of the seeds, each half scored at the length that was chosen on the other one."""
    whole = {length: halves for length, halves in scores.items() if len(halves) == seeds}
    chosen = [
        max(whole, key=lambda length, half=half: statistics.fmean(pair[half] for pair in whole[length]))
        for half in (0, 1)
    ]
    by_seed = [(whole[chosen[0]][seed][1] + whole[chosen[1]][seed][0]) / 2 for seed in range(seeds)]
    both = max(whole, key=lambda length: sum(map(sum, whole[length])))
    return {"step_length": both, "mean": statistics.fmean(by_seed), "scores": by_seed, "runs": scores}


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

    baseline = (read_json(RESULTS / "default-verdict.json") or {})["baseline_mean"]
    rows, summaries = [], []
    for form in options.forms.split(","):
        made = measure(form, options)
        rows += made
        d90s = [crossing(options.d, [row["mean"] for row in made], 0.9 * baseline)]
        d90s += [
            crossing(options.d, [row["scores"][seed] for row in made], 0.9 * baseline) for seed in range(options.seeds)
        ]
        summaries.append({"form": form, "d90": d90s[0], "d90_of_seeds": d90s[1:]})
        print(f"{form:13s} d90 {', '.join('-' if d90 is None else f'{d90:.0f}' for d90 in d90s)}", flush=True)

    machine = {"processor": platform.machine(), "cores": os.cpu_count()}
    versions = {"python": sys.version.split()[0], "torch": torch.__version__}
    settings = {"words": options.words, "seeds": options.seeds, "bar": 0.9 * baseline, "factor": FACTOR}
    write_json(options.results, settings | {"rows": rows, "d90": summaries, "machine": machine, "versions": versions})
    return 0


if __name__ == "__main__":
    sys.exit(main())
