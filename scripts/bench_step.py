"""The cost of a training step inside a subspace, as a multiple of a step of full fine-tuning in the same process.

    python scripts/bench_step.py --batch 32 --length 48 --threads 2

The model is a BERT of the given shape with random weights (default: MiniLM-L6, 22.7 million weights with its head); the
cost of a step does not depend on their values. A step is that of ``intdim train``: forward and backward, the gradient
to z, clipping, AdamW, the weights from z. Full fine-tuning runs the same loop with AdamW on all weights, in the faster
of torch's two implementations. Contenders take turns, one step each, so that other load on the machine affects all
alike. First each subspace is checked against its dense matrix on a small model; if one is wrong, no times are printed
and the exit status is 1. ``--compile`` applies ``torch.compile`` to the model and reports the time of the first step;
compare with a run without it. A projection's name followed by ``/flat`` keeps the gradients of all weights in one
buffer in place of reducing each tensor's as soon as it is there. Writes scripts/results/step.json with machine,
versions and load.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from intdim.durable import write_json
from intdim.projections import tensors
from intdim.subspace import Subspace

RESULTS = Path(__file__).parent / "results" / "step.json"
PROJECTIONS = "one_hot,orthogonal,fastfood"
GATE = 1e-5  # relative, float32
CLIP = 1.0
PARTS = ("forward and backward", "gradient to z", "optimiser", "weights from z")


class Step:
    """A model, what is trainable in it and its optimiser. ``name`` is ``full``, ``full, fused`` or a projection,
    perhaps with ``/flat``."""

    def __init__(
        self,
        name: str,
        config: BertConfig,
        d: int,
        method: str,
        device: torch.device,
        precision: str,
        compiled: bool = False,
    ) -> None:
        self.name, self.device, self.precision = name, device, precision
        with torch.random.fork_rng():
            torch.manual_seed(0)
            made: Any = BertForSequenceClassification(config)
            self.model: Any = made.to(device)
        self.model.train()

        self.subspace = None if name.startswith("full") else subspace(self.model, d, name, method)
        self.trainable = list(self.model.parameters()) if self.subspace is None else self.subspace.parameters()
        fused = name == "full, fused"
        self.optimiser = torch.optim.AdamW(self.trainable, lr=1e-4, fused=fused, foreach=None if fused else True)
        if compiled:
            self.model = torch.compile(self.model)

    def run(self, tokens: Tensor, labels: Tensor) -> list[float]:
        """Make one step; return the seconds of its parts."""
        marks = [self.now()]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits = self.model(input_ids=tokens).logits
        nn.functional.cross_entropy(logits.float(), labels).backward()
        marks.append(self.now())
        if self.subspace is not None:
            self.subspace.read_grad()
        marks.append(self.now())
        nn.utils.clip_grad_norm_(self.trainable, CLIP)
        self.optimiser.step()
        self.optimiser.zero_grad()
        marks.append(self.now())
        if self.subspace is not None:
            self.subspace.write()
        marks.append(self.now())
        return [late - early for early, late in itertools.pairwise(marks)]

    def now(self) -> float:
        """Return the time after all work of the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def subspace(model: nn.Module, d: int, name: str, method: str) -> Subspace:
    """Return the subspace of a contender."""
    projection, _, form = name.partition("/")
    before = tensors.FEWEST_WEIGHTS, tensors.LARGEST_SHARE
    tensors.FEWEST_WEIGHTS, tensors.LARGEST_SHARE = 0, -1.0 if form == "flat" else 1.0
    try:
        return Subspace(model, d, projection, method=method)
    finally:
        tensors.FEWEST_WEIGHTS, tensors.LARGEST_SHARE = before


def shape(options: argparse.Namespace) -> BertConfig:
    """Return the configuration of the model."""
    return BertConfig(
        vocab_size=options.vocabulary,
        hidden_size=options.hidden,
        num_hidden_layers=options.layers,
        num_attention_heads=options.hidden // 32,
        intermediate_size=4 * options.hidden,
        max_position_embeddings=512,
    )


def batch(config: BertConfig, rows: int, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return random tokens, shape ``(rows, length)``, and labels."""
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randint(5, config.vocab_size, (rows, length), generator=rng)
    return tokens.to(device), torch.randint(0, 2, (rows,), generator=rng).to(device)


def faults(names: list[str], method: str, device: torch.device) -> list[str]:
    """Return what is wrong: z.grad that differs from P^T S g, or weights that differ from theta_0 + S P z."""
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=1, intermediate_size=64,
        max_position_embeddings=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    tokens, labels = batch(config, 4, 8, device)
    found = []
    for name in names:
        step = Step(name, config, 40, method, device, "float32")
        subspace = step.subspace
        assert subspace is not None
        P, theta_0 = subspace.projection.to_dense(), subspace.theta_0.double()
        with torch.no_grad():  # far enough for the rounding of theta not to matter
            subspace.z.add_(torch.randn(subspace.z.shape, generator=torch.Generator().manual_seed(2)).to(device))
            if subspace.scales is not None:
                subspace.scales.add_(0.3)
        subspace.write()

        scales = torch.ones_like(theta_0)
        if subspace.scales is not None:
            for number, start, stop in subspace._slices:
                scales[start:stop] = float(subspace.scales[number])
        expected = theta_0 + scales * (P @ subspace.z.detach().double())
        moved = (subspace.theta.double() - expected).norm() / (expected - theta_0).norm()

        logits = step.model(input_ids=tokens).logits
        loss = nn.functional.cross_entropy(logits, labels)
        weights = dict(step.model.named_parameters())
        inside = [weights[entry.name] for entry in subspace.table.entries]
        gradients = torch.autograd.grad(loss, inside, retain_graph=True)
        loss.backward()
        back = P.t() @ (scales * torch.cat([gradient.reshape(-1) for gradient in gradients]).double())
        subspace.read_grad()
        assert subspace.z.grad is not None
        read = (subspace.z.grad.double() - back).norm() / back.norm()
        found += [f"{name}: {what} is off by {error:.1e}" for what, error in (("theta", moved), ("z.grad", read))
                  if not error < GATE]  # fmt: skip
    return found


def measure(steps: list[Step], tokens: Tensor, labels: Tensor, repeats: int) -> dict[str, Any]:
    """Return a row per contender: seconds of a step as quartiles, of its parts as medians."""
    taken: dict[str, list[list[float]]] = {step.name: [] for step in steps}
    first: dict[str, float] = {}
    for repeat in range(repeats + 2):
        for step in steps:
            parts = step.run(tokens, labels)
            first.setdefault(step.name, sum(parts))
            if repeat > 1:  # the first two warm up
                taken[step.name].append(parts)
    rows = {}
    for name, runs in taken.items():
        totals = [sum(parts) for parts in runs]
        rows[name] = {
            "first_step_seconds": first[name],
            "step_seconds": statistics.quantiles(totals, n=4, method="inclusive") if len(totals) > 1 else totals * 3,
            "parts_seconds": dict(
                zip(PARTS, (statistics.median(column) for column in zip(*runs, strict=True)), strict=True)
            ),
        }
    return rows


def peak_bytes(step: Step, tokens: Tensor, labels: Tensor) -> int:
    """Return the peak memory of this process after three steps; meant for a fresh process."""
    for _ in range(3):
        step.run(tokens, labels)
    if step.device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def machine(device: torch.device) -> dict[str, Any]:
    """Return a description of the machine, by the function of ``bench_projections.py``."""
    spec = importlib.util.spec_from_file_location("bench_projections", Path(__file__).with_name("bench_projections.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.machine(device)


def main() -> int:
    """Check, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (
        ("batch", 32), ("length", 48), ("layers", 6), ("hidden", 384), ("vocabulary", 30522), ("d", 1000),
        ("threads", 2), ("repeats", 9),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--method", choices=("did", "said"), default="did")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--projections", default=PROJECTIONS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    config, device = shape(options), options.device
    tokens, labels = batch(config, options.batch, options.length, device)

    def made(name: str) -> Step:
        return Step(name, config, options.d, options.method, device, options.precision, options.compile)

    if options.peak:
        print(peak_bytes(made(options.peak), tokens, labels))
        return 0
    names = options.projections.split(",")
    wrong = faults(names, options.method, device)
    if wrong:
        print("\n".join(["No figures: the subspace is wrong.", *wrong]), file=sys.stderr)
        return 1

    facts = machine(device)
    rows = measure([made(name) for name in ("full", "full, fused", *names)], tokens, labels, options.repeats)
    full = min(rows[name]["step_seconds"][1] for name in ("full", "full, fused"))
    weights = sum(weight.numel() for weight in BertForSequenceClassification(config).parameters())
    print(
        f"{weights} weights, batch {options.batch} x {options.length}, {options.precision}, "
        f"{options.method}, d={options.d}, {options.threads} threads{', compiled' if options.compile else ''}"
    )
    print(f"{'':14s} {'of full':>8s} {'quartiles':>14s} {'ms':>8s}   {', '.join(PARTS)} (ms); peak MiB; first step (s)")
    shown: Callable[[float], str] = lambda value: f"{1e3 * value:.1f}"  # noqa: E731
    for name, row in rows.items():
        command = [sys.executable, __file__, "--peak", name, *sys.argv[1:]]
        row["peak_bytes"] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        low, middle, high = row["step_seconds"]
        row["of_full"] = middle / full
        parts = ", ".join(shown(value) for value in row["parts_seconds"].values())
        print(
            f"{name:14s} {middle / full:8.3f} {low / full:6.3f} to {high / full:5.3f} {shown(middle):>8s}   {parts}; "
            f"{row['peak_bytes'] / 2**20:.0f}; "
            f"{row['first_step_seconds']:.1f}",
            flush=True,
        )
    arguments = {
        key: str(value) if isinstance(value, (Path, torch.device)) else value for key, value in vars(options).items()
    }
    arguments.pop("peak")
    arguments.pop("out")
    write_json(options.out, {"arguments": arguments, "weights": weights, "machine": facts, "steps": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
