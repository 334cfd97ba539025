"""What things cost on a GPU: products and steps; from the records of ``make gpu``."""

from __future__ import annotations

from typing import Any

from quoted.base import DASH, prose, read, table, whole

FLOAT32, BF16 = "float32", "bf16 from float32"


def where() -> str:
    """Card, driver and versions."""
    facts = read("gpu")["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if name != "python")
    driver = f"driver {facts['driver']}, " if facts["driver"] else ""
    return prose(f"{facts['card']}, {driver}{versions}, Python {facts['versions']['python']}.")


def products() -> str:
    """Both products of each projection at each d, beside a copy."""
    rows = read("gpu-products")["rows"]
    lowered = {(row["projection"], row["d"]): row["seconds"] for row in rows if row["form"] == BF16}
    made = []
    for row in rows:
        if row["form"] != FLOAT32:
            continue
        times, half = row["seconds"], lowered[row["projection"], row["d"]]
        made.append(
            [f"`{row['projection']}`", whole(row["d"])]
            + [f"{1e3 * times['write']:.3f}", f"{row['write_share']:.0%}"]
            + [f"{1e3 * times['read']:.3f}", f"{row['read_share']:.0%}"]
            + [f"{1e3 * half[name]:.3f}" for name in ("write", "read")]
        )
    head = ["projection", "d", "θ₀ + P z, ms", "of the bandwidth of a copy", "Pᵀ g, ms", "of its floor"]
    return table([*head, "θ₀ + P z into bf16, ms", "Pᵀ g of bf16, ms"], made)


def products_where() -> str:
    """How many weights, and the copy."""
    record = read("gpu-products")
    speed = 8 * record["D"] / record["copy_seconds"] / 1e12
    copy = f"a copy of as many floats takes {1e3 * record['copy_seconds']:.3f} ms ({speed:.2f} TB/s)"
    return prose(f"{record['D'] / 1e6:.0f} million weights in float32; {copy}; times of calls in a queue.")


def steps() -> str:
    """A step in each form, at both shapes."""
    record = read("gpu-steps")
    (base, small), alone = record["steps"].values(), record["alone"]
    made = []
    for name in alone:
        made.append([name, *cells(base, name), share(base, name), peak(alone, name), *cells(small, name)])
    first, second = record["steps"]
    head = ["step of", f"{first}, ms", "of the launched full step", "MFU", "peak memory, MiB (of full)"]
    return table([*head, f"{second}, ms", "of the launched full step"], made)


def cells(rows: dict[str, Any], name: str) -> list[str]:
    """Return the milliseconds of a step, and their share of the launched full step's."""
    if name not in rows:
        return [DASH, DASH]
    seconds = rows[name]["step_seconds"]
    return [f"{1e3 * seconds:.2f}", f"{seconds / rows['full']['step_seconds']:.2f}" if "full" in rows else DASH]


def share(rows: dict[str, Any], name: str) -> str:
    """Return the MFU of a step."""
    found = rows.get(name, {}).get("mfu")
    return DASH if found is None else f"{found:.0%}"


def peak(alone: dict[str, Any], name: str) -> str:
    """Return the peak memory of a step, and its share of full fine-tuning's."""
    found, whole_one = (alone.get(one, {}).get("peak_bytes") for one in (name, "full"))
    if not found:
        return DASH
    return whole(found / 2**20) + (f" ({found / whole_one:.2f})" if whole_one else "")


def bars() -> str:
    """How many bars were met, and which were not."""
    judged = [bar for name in ("gpu-products", "gpu-steps") for bar in read(name)["bars"]]
    missed = [f"{bar['name']} ({bar['value']:.2f} for {bar['limit']:g})" for bar in judged if not bar["met"]]
    said = f"{len(judged) - len(missed)} of {len(judged)} bars are met"
    return prose(f"{said}; missed: {'; '.join(missed)}." if missed else f"{said}.")


BLOCKS = {
    "gpu-where": where,
    "gpu-products": products,
    "gpu-products-where": products_where,
    "gpu-steps": steps,
    "gpu-bars": bars,
}
