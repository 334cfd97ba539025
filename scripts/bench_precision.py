"""What weights of fewer bits do to scores and d90, with rounding to the nearest and stochastic rounding.

    nice python scripts/bench_precision.py --bits 4,5,6,7,8 --d 64,178,500,1400 --seeds 2 model=tiny

Weights are float32 whose mantissa is cut to so many bits whenever they are written, 7 being bf16; the arithmetic stays
float32. So a number here is about the weights alone, and small models stand for large ones: what counts is the update
of a weight, about s / sqrt(D), against the distance between the numbers around it. Forms, for each number of bits:

* ``nearest``: theta_0 + P z rounded to the nearest, theta_0 in float32;
* ``stochastic``: the same, rounded at random;
* ``grid``: theta_0 itself was rounded, as in a checkpoint of that precision; theta_0 + P z is exact;
* ``grid nearest`` and ``grid stochastic``: theta_0 was rounded, and theta_0 + P z is;
* ``update nearest`` and ``update stochastic``: theta_0 stays as good as it is, and the update of a weight is a multiple
  of the distance between the numbers around it, as if theta_0 were on the grid. Here the bits may be 0 or less, which
  is what a weight of a model with billions of them meets in bf16.

Beside them ``float32``. Every form and d has the same seeds (order of the data, head, P) and one step length. The
score is the mean of both halves of the evaluation split. d90 is where the line through the mean scores over log d first
reaches the bar of ``default-verdict.json`` (or ``--bar``). Of each run the agreement of the update that the forward
pass sees with the one that was meant is noted at the end. Runs found in the file of results are not repeated. Writes
scripts/results/precision.json.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import platform
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from intdim.cli.compose import cells
from intdim.config import cell_request, runtime_request
from intdim.drivers.cells import prepare_cells, single_run
from intdim.drivers.session import Session
from intdim.durable import read_json, write_json
from intdim.kernels.agreement import Agreement
from intdim.kernels.rounding import Rounding, random_halves, round_to_nearest
from intdim.launch import InProcess
from intdim.launch.worker import JOBS
from intdim.models.buffers import Still
from intdim.run import build
from intdim.run.seeding import seed_world
from intdim.run.trainable import SubspaceTrainable
from intdim.run.training import Run, train
from intdim.spec import RunSpec, Runtime, derive_seed
from intdim.subspace import Subspace
from intdim.tasks.stored import load_task

RESULTS = Path(__file__).parent / "results"
FORMS = ("nearest", "stochastic", "grid", "grid nearest", "grid stochastic")
HOW = ("nearest", "stochastic")


@dataclass(frozen=True)
class OfUpdates(Rounding):
    """Rounds updates to multiples of 2^-bits times the power of two below the weight; theta_0 is taken to be on the
    grid."""

    theta_0: Tensor = field(default_factory=lambda: torch.empty(0))

    def apply(self, values: Tensor, step: int, first: int = 0) -> None:
        before = self.theta_0[first : first + values.numel()]
        distance = torch.ldexp(torch.ones_like(before), torch.frexp(before).exponent - 1 - self.bits)
        steps = (values - before) / distance
        if self.stochastic:
            random = random_halves(self.key(step), first, values.numel()).float() * 2.0**-16
            steps = (steps + random).floor_()
        values.copy_(before + steps.round_() * distance)


def coarse(model: nn.Module, bits: int) -> None:
    """Round the weights of a model to the nearest, as a checkpoint of that precision has them."""
    with torch.no_grad():
        for weight in model.parameters():
            flat = weight.detach().clone().view(-1)
            round_to_nearest(flat, bits)
            weight.copy_(flat.view(weight.shape))


def make_run(spec: RunSpec, runtime: Runtime, form: str, bits: int, folder: Path) -> tuple[float, Agreement]:
    """Return the score of a run whose weights are of that form, and what its last forward pass saw."""
    data = load_task(Path(runtime.task_folder))
    objective = build.find_objective(spec.task.objective)
    model = build.theta_0(
        spec.model, Path(runtime.model_folder), objective.head(spec.task.label_names),
        head_seed=build.head_seed(spec.seed), pad_token_id=data.pad_id,
    )  # fmt: skip
    if form.startswith("grid"):
        coarse(model, bits)
    how = form.removeprefix("grid").strip()
    seed = derive_seed(spec.seed, "rounding")
    rounding = Rounding(bits, how == "stochastic", seed) if how in HOW else None
    where = spec.subspace
    subspace = Subspace(
        model, spec.d, where.projection, where.method, where.scope, where.groups,
        derive_seed(spec.seed, "projection"), where.exclude, rounding=rounding,
    )  # fmt: skip
    if form.startswith("update"):
        subspace.rounding = OfUpdates(bits, form.endswith("stochastic"), seed, subspace.theta_0)

    built = build.Built(model, SubspaceTrainable(subspace), build.fitting(data, model), Still(model))
    dropout = derive_seed(spec.seed, "dropout")
    run = Run(
        built, spec, device=torch.device("cpu"), folder=folder, report=lambda facts: None,
        reseed=lambda step: seed_world(derive_seed(dropout, step)), checkpoint_seconds=math.inf,
    )  # fmt: skip
    outcome = train(run)
    score = (outcome.select_score + outcome.eval_score) / 2
    return (score if math.isfinite(score) else data.chance), subspace.agreement()


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Make all runs that the file of results lacks; return their rows."""
    made: list[DictConfig] = []
    words = [f"out={options.folder}", "launch.threads=1", "device=cpu", *options.words]
    cells("train", words, lambda found: made.append(found[0]) or 0)
    request = cell_request(made[0])
    with Session(runtime_request(made), None, InProcess(JOBS)) as session:
        (prepared,) = prepare_cells(session, [request])
        runtime = session.pool.runtime_for(prepared)

    torch.set_num_threads(1)
    known = read_json(options.out) or {"words": options.words, "rows": []}
    if known["words"] != options.words:
        sys.exit(f"{options.out} holds runs of {known['words']}; name another file with --out")
    rows = known["rows"]
    wanted = [("float32", 23), *itertools.product(options.forms.split(","), options.bits)]
    wanted.sort(key=lambda form: options.bits.index(form[1]) if form[1] in options.bits else -1)
    for seed, (form, bits), d in itertools.product(range(options.seeds), wanted, options.d):
        key = {"form": form, "bits": bits, "d": d, "seed": seed, "step_length": options.length}
        if any(key.items() <= row.items() for row in rows):
            continue
        spec = single_run(replace(request, seed=seed), prepared, d, options.length, 0.0)
        with tempfile.TemporaryDirectory() as folder:
            score, agreement = make_run(spec, runtime, form, bits, Path(folder))
        rows.append(key | {"score": score} | asdict(agreement))
        save(options, rows, prepared.facts.D)
    return rows


def save(options: argparse.Namespace, rows: list[dict[str, Any]], D: int) -> None:
    """Write all rows so far, and what follows from them."""
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()}
    versions = {"python": sys.version.split()[0], "torch": torch.__version__}
    facts = {"words": options.words, "bar": options.bar, "D": D, "machine": machine, "versions": versions}
    write_json(options.out, facts | {"forms": summary(rows, options.bar), "rows": rows})


def summary(rows: list[dict[str, Any]], bar: float) -> list[dict[str, Any]]:
    """Return for each form and number of bits the mean scores by d, d90, and the agreement by d."""
    made = []
    for form, bits in dict.fromkeys((row["form"], row["bits"]) for row in rows):
        here = [row for row in rows if (row["form"], row["bits"]) == (form, bits)]
        found: dict[str, Any] = {"form": form, "bits": bits, "d": sorted({row["d"] for row in here})}
        for name in ("score", "cosine", "kept", "moved"):
            found[name] = [statistics.fmean(row[name] for row in here if row["d"] == d) for d in found["d"]]
        made.append(found | {"d90": crossing(found["d"], found["score"], bar)})
    return made


def crossing(dimensions: list[int], scores: list[float], bar: float) -> float | None:
    """Return where the line through the scores over log d first reaches the bar; None if it is not within them."""
    for low, high in itertools.pairwise(range(len(scores))):
        if scores[low] < bar <= scores[high]:
            share = (bar - scores[low]) / (scores[high] - scores[low])
            return dimensions[low] * (dimensions[high] / dimensions[low]) ** share
    return None


def show(found: dict[str, Any]) -> str:
    """Return a line of the table: the form, scores, d90 and the smallest agreement."""
    scores = " ".join(f"{score:.3f}" for score in found["score"])
    d90 = "    –" if found["d90"] is None else f"{found['d90']:5.0f}"
    agreement = " ".join(f"{min(found[name]):6.3f}" for name in ("cosine", "kept", "moved"))
    return f"{found['form']:16s} {found['bits']:2d}  {scores}  d90 {d90}   {agreement}"


def main() -> int:
    """Read the arguments, measure, print; further words go to ``intdim train``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    whole = lambda text: [int(word) for word in text.split(",")]  # noqa: E731
    parser.add_argument("--bits", type=whole, default=[4, 5, 6, 7, 8])
    parser.add_argument("--d", type=whole, default=[64, 178, 500, 1400])
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--length", type=float, default=9.0)
    parser.add_argument("--bar", type=float, default=(read_json(RESULTS / "default-verdict.json") or {})["threshold"])
    parser.add_argument("--folder", type=Path, default=Path("outputs") / "precision")
    parser.add_argument("--out", type=Path, default=RESULTS / "precision.json")
    parser.add_argument("words", nargs="*", help="key=value for intdim train")
    options = parser.parse_args()

    rows = measure(options)
    print(f"form           bits  score at d = {', '.join(map(str, options.d))}; least cosine, kept and moved")
    for found in sorted(summary(rows, options.bar), key=lambda found: (-found["bits"], found["form"])):
        print(show(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
