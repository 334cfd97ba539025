"""How long theta_0 + P z and P^T g take on a CUDA device, and what share of its bandwidth they reach.

    python scripts/bench_gpu_products.py --D 109483778 --d 1000,65536

First every projection is compared with its product on the CPU, at small sizes with its definition, each in a process of
its own and all at once, which also fills Triton's cache. One that is wrong gets no times, and the exit status is 1.
``queued`` is the device's time for a call in a queue of calls, ``alone`` the time of one call with Python and
launches around it. Shares are of the bandwidth of copying D floats in the same run: theta_0 + P z reads theta_0 and
writes theta, P^T g reads g (its floor is half a copy in float32). ``copies`` is the time in such copies. Weights and
theta_0 are float32, bf16 from float32 theta_0, or both bf16; bars are of float32. Writes
scripts/results/gpu-products.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from card import Bar, alone, machine, queued, show
from torch import Tensor

from intdim.durable import write_json
from intdim.kernels.reference import DEFINITIONS
from intdim.projections import make_projection

RESULTS = Path(__file__).parent / "results" / "gpu-products.json"
PROJECTIONS = "one_hot,orthogonal,fastfood,kronecker,sparse"
SMALL = ((63, 7), (1000, 63), (1025, 513), (2049, 64))  # D, d, for the definitions
GATE = {torch.float32: 1e-5, torch.bfloat16: 5e-3}  # relative; theta has as much of P z as of theta_0
LARGEST_SPARSE = 1000  # d

# The bars, for float32. Shares of the copy's bandwidth at a small and a large d, and multiples of a copy.
WRITE_SHARE = {"one_hot": (0.95, 0.95), "orthogonal": (0.85, 0.70), "fastfood": (0.48, 0.48)}
READ_SHARE = {"one_hot": 0.75, "orthogonal": 0.42, "fastfood": 0.20}
MOST_COPIES = {"kronecker": 6.0, "sparse": 4.0}
SMALL_D = 4096  # from here on d is large


@dataclass(frozen=True)
class Form:
    """The dtypes of theta (and g) and of theta_0."""

    name: str
    theta: torch.dtype
    base: torch.dtype


FORMS = (
    Form("float32", torch.float32, torch.float32),
    Form("bf16 from float32", torch.bfloat16, torch.float32),
    Form("bf16", torch.bfloat16, torch.bfloat16),
)


def affordable(name: str, d: int) -> bool:
    """Return whether a projection is measured at d."""
    return name != "sparse" or d <= LARGEST_SPARSE


def vectors(D: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return z, theta_0 and g on the CPU: theta_0 and g standard normal, z so that P z is about as large."""
    rng = torch.Generator().manual_seed(D + d)
    z = torch.randn(d, generator=rng) * (D / d) ** 0.5
    theta_0 = torch.randn(D, generator=rng)
    return z, theta_0, theta_0.roll(D // 2)


def off(value: Tensor, right: Tensor) -> float:
    """Return the relative distance of a result from the right one, in float64 on the device of the result."""
    right = right.to(value.device).double()
    return float((value.double() - right).norm() / right.norm())


def faults(name: str, D: int, dimensions: list[int], device: torch.device) -> list[str]:
    """Return what is wrong with a projection, one line each."""
    found = []
    for rows, columns in SMALL:
        dense = DEFINITIONS[name](rows, columns, 0).double()
        z, theta_0, g = vectors(rows, columns)
        written = theta_0 + dense @ z.double()
        found += differing(name, device, (z, theta_0, g), written, lambda g, P=dense: P.t() @ g.double())
    for d in dimensions:
        if affordable(name, d):
            right, written = make_projection(name, D, d, 0, "cpu"), torch.empty(D)
            z, theta_0, g = vectors(D, d)
            right.write(z, theta_0, written)
            found += differing(name, device, (z, theta_0, g), written, lambda g, P=right: P.read(g.float()))
    return found


def differing(
    name: str,
    device: torch.device,
    inputs: tuple[Tensor, Tensor, Tensor],
    written: Tensor,
    read: Callable[[Tensor], Tensor],
) -> list[str]:
    """Return where the products of z, theta_0 and g differ from the right ones, ``written`` and ``read(g)``."""
    z, theta_0, g = (value.to(device) for value in inputs)
    D, d = g.numel(), z.numel()
    P, errors = make_projection(name, D, d, 0, str(device)), []
    for form in FORMS:
        out = torch.empty(D, dtype=form.theta, device=device)
        P.write(z, theta_0.to(form.base), out)
        errors.append(("theta", form, off(out, written), GATE[form.theta]))
    for form in FORMS[0], FORMS[2]:
        rounded = g.to(form.theta)
        errors.append(("P^T g", form, off(P.read(rounded), read(rounded.cpu())), GATE[torch.float32]))
    return [
        f"{name}: {what} at D={D}, d={d}, {form.name}, is off by {error:.1e}"
        for what, form, error, gate in errors
        if not error < gate
    ]


def check_all(names: list[str], options: argparse.Namespace) -> dict[str, str]:
    """Check each projection in a fresh process, all at once; return by name what is wrong."""
    started = {}
    for name in names:
        command = [sys.executable, __file__, "--check", name, "--D", str(options.D), "--d", options.d]
        started[name] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = {}
    for name, process in started.items():
        said = process.communicate()[0].strip()
        if process.returncode:
            found[name] = said or f"{name}: its check ended with status {process.returncode}"
    return found


def measure(
    names: list[str], D: int, dimensions: list[int], device: torch.device
) -> tuple[float, list[dict[str, Any]]]:
    """Return the seconds of a copy of D floats, and a row for each projection, d and form."""
    theta_0, g = (torch.randn(D, device=device) for _ in range(2))
    out = torch.empty(D, device=device)
    copy = queued(lambda: out.copy_(theta_0), 20)
    per_byte = copy / (8 * D)
    rows = []
    for d in dimensions:
        z = torch.randn(d, device=device)
        for name in names:
            if not affordable(name, d):
                continue
            P = make_projection(name, D, d, 0, str(device))
            for form in FORMS:
                base, theta, gradient = theta_0.to(form.base), out.to(form.theta), g.to(form.theta)
                write, read = lambda P=P, b=base, t=theta, z=z: P.write(z, b, t), lambda P=P, g=gradient: P.read(g)
                times = {"write": queued(write), "write_alone": alone(write)}
                times |= {"read": queued(read), "read_alone": alone(read)}
                moved = D * (form.base.itemsize + form.theta.itemsize), D * form.theta.itemsize
                rows.append(
                    {"projection": name, "d": d, "form": form.name, "engine": P.engine, "seconds": times}
                    | {"write_share": moved[0] * per_byte / times["write"]}
                    | {"read_share": moved[1] * per_byte / times["read"]}
                    | {"write_copies": times["write"] / copy, "read_copies": times["read"] / copy}
                    | {"state_bytes_per_weight": P.state_bytes / D}
                )
                print(line(rows[-1]), flush=True)
            del P, base, theta, gradient, write, read
            torch.cuda.empty_cache()
    return copy, rows


def line(row: dict[str, Any]) -> str:
    """Return a row of the table."""
    ms = {name: 1e3 * value for name, value in row["seconds"].items()}
    return (
        f"{row['projection']:10s} {row['d']:6d} {row['form']:17s} {ms['write']:8.3f} {ms['write_alone']:8.3f} "
        f"{row['write_share']:6.1%} {row['write_copies']:7.2f}   {ms['read']:8.3f} {ms['read_alone']:8.3f} "
        f"{row['read_share']:6.1%} {row['read_copies']:7.2f}"
    )


def bars(rows: list[dict[str, Any]]) -> list[Bar]:
    """Return the bars of the projections in ``rows``."""
    made = []
    for row in rows:
        name, d = row["projection"], row["d"]
        where = f"{name}, d={d}"
        if row["form"] != FORMS[0].name:
            continue
        if name in WRITE_SHARE:
            share = WRITE_SHARE[name][d > SMALL_D]
            made.append(Bar(f"{where}: theta_0 + P z, of a copy's bandwidth", row["write_share"], share, True))
            made.append(Bar(f"{where}: P^T g, of its floor", row["read_share"], READ_SHARE[name], True))
        if name in MOST_COPIES:
            made.append(Bar(f"{where}: theta_0 + P z, in copies", row["write_copies"], MOST_COPIES[name]))
            made.append(Bar(f"{where}: P^T g, in copies", row["read_copies"], MOST_COPIES[name]))
    return made


def main() -> int:
    """Check, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--D", type=int, default=109_483_778)
    parser.add_argument("--d", default="1000,65536", help="one or several, with commas")
    parser.add_argument("--projections", default=PROJECTIONS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--check", help=argparse.SUPPRESS)
    options = parser.parse_args()

    device, dimensions = torch.device("cuda"), [int(d) for d in options.d.split(",")]
    if options.check:
        wrong = faults(options.check, options.D, dimensions, device)
        print("\n".join(wrong))
        return bool(wrong)
    names = options.projections.split(",")
    wrong = check_all(names, options)
    for name, said in wrong.items():
        print(f"No figures for {name}, it is wrong:\n{said}", file=sys.stderr)
    names = [name for name in names if name not in wrong]
    if not names:
        return 1

    facts = machine()
    print(f"{facts['card']}, D={options.D}; theta_0 + P z | P^T g: ms queued, ms alone, share, copies")
    copy, rows = measure(names, options.D, dimensions, device)
    print(f"copy of D floats: {1e3 * copy:.3f} ms, {8 * options.D / copy / 1e12:.2f} TB/s")
    judged = show(bars(rows))
    record = {"D": options.D, "copy_seconds": copy, "rows": rows, "bars": judged, "wrong": wrong, "machine": facts}
    write_json(options.out, record)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
