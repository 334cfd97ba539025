"""A training step on a CUDA device: full fine-tuning and a subspace, launched one by one, captured, and compiled.

    python scripts/bench_gpu_steps.py

A model is a BERT of a given shape with random weights, attention by SDPA, dropout as usual, d=1000. A step is forward
and backward, P^T g, clipping, AdamW, the weights from z. Full fine-tuning has float32 weights, bf16 autocast and fused
AdamW; a subspace has bf16 weights, written from theta_0 in float32 or bf16. ``captured`` is one CUDA graph,
``compiled`` the model through ``torch.compile`` first. Contenders take turns, several steps each. MFU counts 6
operations for a token and a weight outside the embeddings, as a share of what the card's data sheet names for bf16.
Peak memory is that of a fresh process. Before anything is timed, the subspace is compared with its dense matrix and
captured steps with launched ones, on small models; a form that is wrong gets no times, and the exit status is 1. Writes
scripts/results/gpu-steps.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from bench_step import faults as definition_faults
from card import Bar, bf16_flops, judge, machine, show
from gpu_steps import BASE, FORMS, SHAPES, SMALL, SMALLEST, WARM, Form, Launched, batch, make

from intdim.durable import write_json
from intdim.run.gpu import own_stream

RESULTS = Path(__file__).parent / "results" / "gpu-steps.json"
ROUNDS, STEPS = 5, 5  # steps of a round
THREADS = 2  # of the processor, for batches: more would only wait for each other
GATE, COMPILED_GATE = 1e-2, 0.1  # relative, of the way that some steps make; what is compiled rounds elsewhere

TIMED = {BASE: list(FORMS), SMALL: ["full", "full, captured", "subspace", "subspace, captured"]}

# The bars: a step's time as a share of another's, and peak memory as a share of that of full fine-tuning.
TIME_BARS = (
    (BASE, "subspace, captured", "full", 0.45),
    (BASE, "subspace, compiled, captured", "full", 0.33),
    (BASE, "subspace, captured", "full, captured", 0.90),
    (SMALL, "subspace, captured", "full", 0.17),
)
MEMORY_BARS = (
    ("subspace", 0.65),
    ("subspace, captured", 0.65),
    ("subspace, bf16 theta_0", 0.57),
    ("subspace, bf16 theta_0, captured", 0.57),
)


def fault(name: str, options: argparse.Namespace) -> str:
    """Return what is wrong with a form: a subspace has to agree with its dense matrix, as ``bench_step.py`` compares
    them; what is captured or compiled has to train to where launched steps do."""
    form, shape, device = FORMS[name], SHAPES[SMALLEST], torch.device("cuda")
    if name == "subspace":
        return "; ".join(definition_faults([options.projection], "did", device))
    if not form.captured:
        return ""
    plain = Launched(Form(full=form.full, base=form.base), shape, 0.0, options.d, options.projection, device)
    start, taught = plain.position(), batch(shape)
    other = make(name, shape, options, dropout=0.0)
    for _ in range(WARM + 3):
        plain(taught)
        other(taught)

    moved = plain.position() - start
    error = float((other.position() - start - moved).norm() / moved.norm())
    gate = COMPILED_GATE if form.compiled else GATE
    return "" if error < gate else f"{name}: after {WARM + 3} steps what is trained is off by {error:.1e}"


def alone(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the peak of the device's memory after some steps, and what is wrong; meant for a fresh process."""
    shape = SHAPES[BASE]
    taught = batch(shape)
    kept = make(name, shape, options)
    for _ in range(WARM + 1):
        kept(taught)
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated()
    del kept
    return {"peak_bytes": peak, "fault": fault(name, options)}


def all_alone(names: list[str], words: list[str]) -> dict[str, dict[str, Any]]:
    """Return what ``alone`` says of each contender, each in a process of its own, all at once."""
    started = {}
    for name in names:
        command = [sys.executable, __file__, *words, "--alone", name]
        started[name] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found = {}
    for name, process in started.items():
        said, errors = process.communicate()
        last = errors.strip().splitlines()[-3:] or [f"ended with status {process.returncode}"]
        broken = {"fault": f"{name}: {' | '.join(last)}"}
        found[name] = json.loads(said.splitlines()[-1]) if process.returncode == 0 else broken
    return found


def measure(label: str, names: list[str], options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return a row for each contender of a shape: seconds of a step in each round, of the first steps, MFU."""
    shape = SHAPES[label]
    taught = batch(shape)
    steps: dict[str, Launched] = {}
    rows: dict[str, dict[str, Any]] = {}
    body = 0
    for name in names:
        begun = time.perf_counter()
        steps[name] = make(name, shape, options)
        for _ in range(WARM):
            steps[name](taught)
        torch.cuda.synchronize()
        rows[name] = {"first_seconds": time.perf_counter() - begun, "round_seconds": []}
        body = sum(weight.numel() for key, weight in steps[name].model.named_parameters() if "embeddings" not in key)

    for _ in range(ROUNDS):
        for name, step in steps.items():
            torch.cuda.synchronize()
            begun = time.perf_counter()
            for _ in range(STEPS):
                step(taught)
            torch.cuda.synchronize()
            rows[name]["round_seconds"].append((time.perf_counter() - begun) / STEPS)

    flops = bf16_flops()
    for row in rows.values():
        row["step_seconds"] = statistics.median(row["round_seconds"])
        row["mfu"] = 6 * body * shape.rows * shape.length / row["step_seconds"] / flops if flops else None
    return rows


def bars(times: dict[str, dict[str, dict[str, Any]]], known: dict[str, dict[str, Any]]) -> list[Bar]:
    """Return the bars of the contenders that were measured."""
    made = []
    for label, name, other, limit in TIME_BARS:
        rows = times.get(label, {})
        if name in rows and other in rows:
            ratio = rows[name]["step_seconds"] / rows[other]["step_seconds"]
            made.append(Bar(f"{label}: {name}, of {other}", ratio, limit))
    whole = known.get("full", {}).get("peak_bytes")
    for name, limit in MEMORY_BARS:
        peak = known.get(name, {}).get("peak_bytes")
        if whole and peak:
            made.append(Bar(f"{BASE}: peak memory of {name}, of full", peak / whole, limit))
    return made


def table(label: str, rows: dict[str, dict[str, Any]], known: dict[str, dict[str, Any]]) -> None:
    """Print the rows of a shape."""
    print(f"{label}: ms, of the launched full step, MFU, MiB at the peak, seconds until the first steps were done")
    whole = rows["full"]["step_seconds"] if "full" in rows else float("nan")
    for name, row in rows.items():
        mfu = f"{row['mfu']:6.1%}" if row["mfu"] is not None else "     -"
        peak = known[name].get("peak_bytes") if label == BASE else None
        memory = f"{peak / 2**20:6.0f}" if peak else "     -"
        ms, ratio = 1e3 * row["step_seconds"], row["step_seconds"] / whole
        print(f"  {name:34s} {ms:7.2f} {ratio:6.3f} {mfu} {memory} {row['first_seconds']:6.1f}", flush=True)


def main() -> int:
    """Check, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projection", default="one_hot")
    parser.add_argument("--d", type=int, default=1000)
    parser.add_argument("--forms", default=";".join(FORMS), help="with semicolons")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args()

    torch.set_num_threads(THREADS)
    if options.alone:
        with own_stream(torch.device("cuda")):
            print(json.dumps(alone(options.alone, options)))
        return 0
    names = options.forms.split(";")
    facts = machine()
    print(f"{facts['card']}, {options.projection}, d={options.d}")
    known = all_alone(names, ["--projection", options.projection, "--d", str(options.d)])
    wrong = [row["fault"] for row in known.values() if row["fault"]]
    print("".join(f"No times: {fault}\n" for fault in wrong), file=sys.stderr, end="")

    right, times = [name for name in names if not known[name]["fault"]], {}
    for label in (BASE, SMALL):
        with own_stream(torch.device("cuda")):
            times[label] = measure(label, [name for name in right if name in TIMED[label]], options)
        table(label, times[label], known)
        judged = judge(bars(times, known))
        record = {"projection": options.projection, "d": options.d, "steps": times, "alone": known, "bars": judged}
        write_json(options.out, record | {"machine": facts})  # each time: the other shape may take too long
    show(bars(times, known))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
