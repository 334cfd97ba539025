"""How long P z and P^T g take, as multiples of copying D floats in the same run.

    python scripts/bench_projections.py --D 22713986 --d 1000 --threads 2

First every projection is compared with its definition and passes the dot test, in float64; if one fails, no times are
printed and the exit status is 1. Then each repeat times a copy of D floats and both products of every contender at
every d in ``--d``, one after the other, so that other load on the machine affects all alike. Contenders are the
projections and ``butterfly``: a padded Fastfood with one addition and one subtraction per stage over the whole array,
the usual implementation, for comparison. ``bandwidth`` is that of theta_0 + P z, which reads theta_0 and writes theta,
as a share of the copy's. Peak memory is that of a fresh process that makes P and both products. Writes
scripts/results/projections.json with machine, versions and load. If the quartiles of a row are far apart, the machine
was busy, and the row is not comparable. ``bench_gpu_products.py`` is for CUDA devices.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from intdim.durable import write_json
from intdim.kernels.reference import DEFINITIONS, fwht
from intdim.projections import PROJECTIONS, make_projection

RESULTS = Path(__file__).parent / "results" / "projections.json"
GATE = 1e-12  # relative, float64
GATE_SIZES = ((1, 1), (63, 7), (1000, 63), (1025, 513), (2049, 64))
DENSE_LIMIT = 4 * 10**7  # D d above which dense is too slow for a benchmark
BUTTERFLY = "butterfly"


class Butterfly:
    """H G Pi H B on one block, padded to a power of two, by butterflies over the whole array."""

    def __init__(self, D: int, d: int, seed: int) -> None:
        self.D, self.d, self.size = D, d, 1 << (D - 1).bit_length()
        rng = torch.Generator().manual_seed(seed)
        self.signs = (torch.randint(0, 2, (self.size,), generator=rng) * 2 - 1).float()
        self.order = torch.randperm(self.size, generator=rng)
        self.gaussians = torch.randn(self.size, generator=rng)
        self.scale = 1 / math.sqrt(self.size * D)

    def write(self, z: Tensor, theta_0: Tensor, out: Tensor) -> None:
        """Write theta_0 + P z to ``out``."""
        self.matvec(z, out)
        out += theta_0

    @property
    def state_bytes(self) -> int:
        """Two tables of float32 and one of int64."""
        return 16 * self.size

    def matvec(self, z: Tensor, out: Tensor) -> None:
        """Write P z to ``out``."""
        padded = z.new_zeros(self.size)
        padded[: self.d] = z * self.scale
        moved = fwht(padded * self.signs.to(z.dtype))[self.order] * self.gaussians.to(z.dtype)
        out.copy_(fwht(moved)[: self.D])

    def rmatvec(self, g: Tensor) -> Tensor:
        """Return P^T g."""
        padded = g.new_zeros(self.size)
        padded[: self.D] = g
        moved = fwht(padded) * self.gaussians.to(g.dtype)
        back = torch.empty_like(moved)
        back[self.order] = moved
        return (fwht(back) * self.signs.to(g.dtype))[: self.d] * self.scale


def make(name: str, D: int, d: int) -> Any:
    """Return a contender with ``matvec(z, out)``, ``rmatvec(g)``, ``write(z, theta_0, out)`` and ``state_bytes``."""
    return Butterfly(D, d, 0) if name == BUTTERFLY else make_projection(name, D, d)


def vectors(D: int, d: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return z, shape ``(d,)``, and g, shape ``(D,)``, both standard normal."""
    rng = torch.Generator().manual_seed(D + d)
    return tuple(torch.randn(size, generator=rng, dtype=dtype) for size in (d, D))  # type: ignore[return-value]


def faults(names: list[str], D: int, d: int) -> list[str]:
    """Return what is wrong: products that differ from the definition, or a dot test that fails at ``(D, d)``."""
    found = []
    for name in names:
        for rows, columns in GATE_SIZES:
            z, g = vectors(rows, columns, torch.float64)
            P = make(name, rows, columns)
            image = torch.empty(rows, dtype=torch.float64)
            P.matvec(z, out=image)
            if name != BUTTERFLY:
                definition = DEFINITIONS[name](rows, columns, 0)
                expected = (definition @ z, definition.t() @ g)
                for product, value, right in zip(("P z", "P^T g"), (image, P.rmatvec(g)), expected, strict=True):
                    error = float((value - right).norm() / right.norm())
                    if not error < GATE:
                        found.append(f"{name}: {product} at D={rows}, d={columns} is off by {error:.1e}")
            found += dot_fault(name, P, z, g, image)
        if affordable(name, D, d):
            z, g = vectors(D, d, torch.float64)
            P, image = make(name, D, d), torch.empty_like(g)
            P.matvec(z, out=image)
            found += dot_fault(name, P, z, g, image)
    return found


def dot_fault(name: str, P: Any, z: Tensor, g: Tensor, image: Tensor) -> list[str]:
    """Return a message if <P z, g> differs from <z, P^T g>."""
    error = abs(float(image @ g) - float(z @ P.rmatvec(g))) / float(image.norm() * g.norm())
    return [] if error < GATE else [f"{name}: dot test at D={g.numel()}, d={z.numel()} is off by {error:.1e}"]


def seconds(action: Callable[[], object]) -> float:
    """Return the duration of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure(names: list[str], D: int, dimensions: list[int], repeats: int) -> list[dict[str, Any]]:
    """Return for each d the copy and a row per contender: seconds as quartiles, multiples of the copy, state."""
    inputs = {d: vectors(D, d, torch.float32) for d in dimensions}
    out = torch.empty(D)
    made = {(d, name): make(name, D, d) for d in dimensions for name in names if affordable(name, D, d)}
    taken: dict[tuple[int, str], list[tuple[float, float, float]]] = {key: [] for key in made}
    copies: dict[int, list[float]] = {d: [] for d in dimensions}

    for repeat in range(repeats + 1):
        for (d, name), P in made.items():
            z, g = inputs[d]
            copy = seconds(lambda g=g: out.copy_(g))
            forth = seconds(lambda P=P, z=z: P.matvec(z, out=out))
            back = seconds(lambda P=P, g=g: P.rmatvec(g))
            moved = seconds(lambda P=P, z=z, g=g: P.write(z, g, out))
            if repeat:  # the first one warms up
                copies[d].append(copy)
                taken[d, name].append((forth, back, moved))

    tables = []
    for d in dimensions:
        copy, rows = statistics.median(copies[d]), {}
        for name in (name for other, name in made if other == d):
            times = taken[d, name]
            both, write = quartiles([forth + back for forth, back, _ in times]), quartiles([row[2] for row in times])
            rows[name] = {
                "matvec_seconds": quartiles([row[0] for row in times]),
                "rmatvec_seconds": quartiles([row[1] for row in times]),
                "write_seconds": write,
                "write_of_copy_bandwidth": copy / write[1],
                "both_seconds": both,
                "both_in_copies": both[1] / copy,
                "both_ns_per_weight": 1e9 * both[1] / D,
                "state_bytes_per_weight": made[d, name].state_bytes / D,
                "engine": getattr(made[d, name], "engine", "torch"),
            }
        tables.append({"D": D, "d": d, "copy_seconds": quartiles(copies[d]), "projections": rows})
    return tables


def affordable(name: str, D: int, d: int) -> bool:
    """Return whether a contender is fast enough for a benchmark; only ``dense`` may be too slow."""
    return name != "dense" or D * d <= DENSE_LIMIT


def flatness(tables: list[dict[str, Any]]) -> dict[str, float]:
    """Return the time at the most expensive d over that at the cheapest, for contenders measured at every d."""
    times = [{name: row["both_seconds"][1] for name, row in table["projections"].items()} for table in tables]
    every = set(times[0]).intersection(*times)
    return {
        name: max(time[name] for time in times) / min(time[name] for time in times)
        for name in times[0]
        if name in every
    }


def quartiles(values: list[float]) -> list[float]:
    """Return lower quartile, median, upper quartile."""
    return values * 3 if len(values) == 1 else statistics.quantiles(values, n=4, method="inclusive")


def peak_bytes(name: str, D: int, d: int) -> int:
    """Return the peak memory of this process after P and both products; meant for a fresh process."""
    z, g = torch.ones(d), torch.ones(D)
    P, out = make(name, D, d), torch.empty_like(g)
    P.matvec(z, out=out)
    P.rmatvec(g)
    status = Path("/proc/self/status")
    if status.exists():  # not getrusage: on Linux a new process inherits the peak of the one that started it
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def fresh_peak(name: str, D: int, d: int, threads: int) -> int:
    """Return ``peak_bytes`` of a new interpreter."""
    command = [sys.executable, __file__, "--peak", name, "--D", str(D), "--d", str(d)]
    command += ["--threads", str(threads)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def machine(device: torch.device) -> dict[str, Any]:
    """Return a description of the machine."""
    facts: dict[str, Any] = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    facts |= {"system": platform.system(), "load": os.getloadavg()[0], "device": str(device)}
    if device.type == "cuda":
        facts["card"] = torch.cuda.get_device_name(device)
    return facts | {"python": sys.version.split()[0], "torch": str(torch.__version__)}


def main() -> int:
    """Check, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--D", type=int, default=22_713_986)
    parser.add_argument("--d", default="1000", help="one or several, with commas")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--projections", default=",".join([*PROJECTIONS, BUTTERFLY]))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    dimensions = [int(d) for d in options.d.split(",")]
    if options.peak:
        print(peak_bytes(options.peak, options.D, dimensions[0]))
        return 0
    names = options.projections.split(",")
    wrong = faults(names, options.D, dimensions[0])
    if wrong:
        print("\n".join(["No figures: the products are wrong.", *wrong]), file=sys.stderr)
        return 1

    facts = machine(torch.device("cpu"))
    tables = measure(names, options.D, dimensions, options.repeats)
    for table in tables:
        low, copy, high = (1e3 * value for value in table["copy_seconds"])
        print(
            f"D={options.D} d={table['d']}, {options.threads} threads: "
            f"copy of D floats {copy:.1f} ms ({low:.1f} to {high:.1f})"
        )
        print(
            f"{'':16s} {'copies':>7s} {'quartiles':>15s} {'ns/weight':>10s} {'bandwidth':>10s} {'state B/w':>10s} "
            f"{'peak MiB':>9s}"
        )
        for name, row in table["projections"].items():
            row["peak_bytes"] = fresh_peak(name, options.D, table["d"], options.threads)
            edges = " to ".join(f"{1e3 * value / copy:.1f}" for value in row["both_seconds"][::2])
            print(
                f"{name:16s} {row['both_in_copies']:7.1f} {edges:>15s} {row['both_ns_per_weight']:10.2f} "
                f"{row['write_of_copy_bandwidth']:10.0%} {row['state_bytes_per_weight']:10.2f} "
                f"{row['peak_bytes'] / 2**20:9.0f}",
                flush=True,
            )

    flat = flatness(tables)
    if len(tables) > 1:
        words = ", ".join(f"{name} {ratio:.2f}" for name, ratio in flat.items())
        print(f"d={min(dimensions)} to {max(dimensions)}, most expensive over cheapest: {words}")
    arguments = {"D": options.D, "d": dimensions, "threads": options.threads, "repeats": options.repeats}
    write_json(options.out, {"arguments": arguments, "machine": facts, "tables": tables, "flatness": flat})
    return 0


if __name__ == "__main__":
    sys.exit(main())
