"""What things cost: products, training steps, slots, instructions of the GPU kernels."""

from __future__ import annotations

import re
from typing import Any

from quoted.base import count, machine, prose, read, table, to, whole

BUTTERFLY = "a plain butterfly Fastfood, padded"


def products() -> str:
    """Both products as multiples of a copy."""
    (one,) = read("projections")["tables"]
    rows = sorted(one["projections"].items(), key=lambda item: item[1]["both_in_copies"])
    made = []
    for name, row in rows:
        copies, kept = row["both_in_copies"], row["state_bytes_per_weight"]
        label = BUTTERFLY if name == "butterfly" else f"`{name}`"
        digits = 0 if row["both_ns_per_weight"] > 20 else 2
        state = "0" if kept < 0.001 else f"{kept:.1f}"
        times = [f"{copies:,.{0 if copies > 20 else 1}f}", f"{row['both_ns_per_weight']:.{digits}f}"]
        made.append([label, *times, state, whole(row["peak_bytes"] / 2**20)])
    head = ["projection", "P z and Pᵀ g, in copies", "ns per weight", "bytes kept per weight"]
    return table([*head, "peak memory of a fresh process, MiB"], made)


def products_where() -> str:
    """Size, machine and the copy that is the unit."""
    record = read("projections")
    (one,) = record["tables"]
    return prose(
        f"{one['D'] / 1e6:.1f} million weights, d = {whole(one['d'])}, {machine(record)}.",
        f"Copying as many floats took {1e3 * one['copy_seconds'][1]:.1f} ms.",
    )


def products_by_d() -> str:
    """Nanoseconds a weight at each d."""
    record = read("projections-d")
    names = sorted(record["flatness"], key=lambda name: record["flatness"][name])
    made = []
    for name in names:
        times = [one["projections"][name]["both_ns_per_weight"] for one in record["tables"]]
        ratio = record["flatness"][name]
        written = f"{ratio:.2f}" if ratio < 10 else whole(ratio)
        made.append([f"`{name}`", *(f"{value:.2f}" for value in times), written])
    dimensions = [whole(one["d"]) for one in record["tables"]]
    return table(["projection", f"d = {dimensions[0]}", *dimensions[1:], "most expensive d / cheapest"], made)


def products_400m() -> str:
    """The same for 400 million weights."""
    first, second = read("projections-400m")["tables"]
    made = []
    for name, row in first["projections"].items():
        other = second["projections"][name]
        times = [f"{one['both_ns_per_weight']:.2f}" for one in (row, other)]
        peak = max(row["peak_bytes"], other["peak_bytes"]) / 2**30
        made.append([f"`{name}`", *times, f"{peak:.1f}"])
    names = [f"d = {whole(one['d'])}" for one in (first, second)]
    return table(["projection", *(f"ns per weight, {name}" for name in names), "peak memory, GiB"], made)


def products_compiled() -> str:
    """What C brings to sparse and kronecker, against the same products in torch."""
    compiled, plain = (read(f"products-{name}")["tables"] for name in ("compiled", "torch"))
    made = []
    for one, other in zip(compiled, plain, strict=True):
        for name, row in one["projections"].items():
            both = row, other["projections"][name]
            copies = [f"{each['both_in_copies']:.1f}" for each in both]
            kept = [f"{each['state_bytes_per_weight']:.1f}" for each in both]
            peaks = [whole(each["peak_bytes"] / 2**20) for each in both]
            made.append([f"`{name}`, d = {whole(one['d'])}", *(f"{c}, {torch}" for c, torch in (copies, kept, peaks))])
    head = ["in C, in torch", "P z and Pᵀ g, in copies", "bytes kept per weight"]
    return table([*head, "peak memory of a fresh process, MiB"], made)


def step_rows(name: str) -> list[list[str]]:
    """Return the rows of one file of ``bench_step.py``."""
    record = read(name)
    made = []
    for contender, row in record["steps"].items():
        parts = row["parts_seconds"]
        products_ms = 1e3 * (parts["gradient to z"] + parts["weights from z"])
        label = contender.replace("full", "full fine-tuning", 1) if contender.startswith("full") else f"`{contender}`"
        shown = "–" if contender.startswith("full") else f"{products_ms:.0f}"
        times = [f"{1e3 * row['step_seconds'][1]:,.0f}", f"{1e3 * parts['forward and backward']:,.0f}"]
        made.append([label, *times, f"{1e3 * parts['optimiser']:.0f}", shown, f"{row['of_full']:.2f}"])
    return made


def steps(name: str) -> str:
    """A whole training step against full fine-tuning."""
    head = ["step of", "ms", "forward and backward", "optimiser", "both products", "of full fine-tuning"]
    return table(head, step_rows(name))


def step_words() -> str:
    """The headline of the three files of ``bench_step.py``."""
    said = []
    for name, label in (("step", "float32"), ("step-bf16", "bf16 autocast, with AVX-512")):
        rows = read(name)["steps"]
        ratios = [f"`{one}` {row['of_full']:.2f}" for one, row in rows.items() if not one.startswith("full")]
        said.append(f"{', '.join(ratios)} ({label})")
    share = "A step inside a subspace, as a share of a step of full fine-tuning with fused AdamW:"
    return prose(share, f"{said[0]}; {said[1]}.")


def slots() -> str:
    """Runs a minute by slots."""
    made = []
    for row in read("slots")["rows"]:
        low, middle, high = sorted(row["runs_per_minute"])
        speed = f"{middle:.1f} ({low:.1f} to {high:.1f})"
        made.append([str(row["slots"]), str(row["threads"]), speed, whole(row["peak_bytes"] / 2**20)])
    return table(["slots", "threads of each", "runs a minute (three rounds)", "memory of a run, MiB"], made)


def slots_words() -> str:
    """What a second slot brings."""
    one, two = (sorted(row["runs_per_minute"])[1] for row in read("slots")["rows"])
    return prose(
        f"Two slots of one thread finish {two / one:.2f} times the runs of one slot with two threads,",
        "with the same scores.",
    )


def instructions() -> str:
    """Instructions a weight of the GPU kernels."""
    kernels: dict[str, dict[str, Any]] = read("gpu-instructions")["kernels"]
    made = []
    for name in [name for name in kernels if ", P z" in name]:
        forward, adjoint = kernels[name], kernels[name.replace("P z", "P^T g")]
        counted = [f"{one['instructions_per_weight']:g}" for one in (forward, adjoint)]
        fastest = 8 / forward["least_ns_per_weight"] / 1000
        spilled = f"{forward['spilled_bytes'] + adjoint['spilled_bytes']}"
        label = re.sub(r"^(\w+)", r"`\1`", name.replace(", P z", ""))
        made.append([label, *counted, spilled, f"{fastest:.1f}"])
    head = ["kernel", "instructions per weight, P z", "Pᵀ g", "bytes spilled"]
    return table([*head, "P z cannot exceed, TB/s on an H200"], made)


def headline_products() -> str:
    """The range of costs that documents quote."""
    (one,) = read("projections")["tables"]
    fast = {name: one["projections"][name] for name in ("one_hot", "orthogonal", "sparse", "fastfood", "kronecker")}
    copies = [row["both_in_copies"] for row in fast.values()]
    times = [row["both_ns_per_weight"] for row in fast.values()]
    flat = read("projections-d")["flatness"]
    steady = [ratio for ratio in flat.values() if ratio < 2]
    return prose(
        f"Both products of {count(len(fast))} projections take {to(times, 2)} ns per weight",
        f"({to(copies, 1)} copies of the weights).",
        f"From d = 16 to 65,536 the most expensive d costs at most {max(steady):.2f} times the cheapest,",
        "except for `dense` and `sparse`.",
    )


BLOCKS = {
    "products": products,
    "products-where": products_where,
    "products-by-d": products_by_d,
    "products-400m": products_400m,
    "products-compiled": products_compiled,
    "headline-products": headline_products,
    "steps": lambda: steps("step"),
    "steps-bf16": lambda: steps("step-bf16"),
    "steps-compiled": lambda: steps("step-compiled"),
    "step-words": step_words,
    "slots": slots,
    "slots-words": slots_words,
    "instructions": instructions,
}
