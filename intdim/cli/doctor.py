"""``intdim doctor``: versions, device, the projections' dot test and speed, cache and offline state."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from intdim import __version__
from intdim.cli.compose import cells
from intdim.config import DEVICES, Checked
from intdim.errors import UserError
from intdim.fingerprint import cache_folder

PACKAGES = ("torch", "transformers", "datasets", "hydra-core", "omegaconf", "numpy", "pandas", "scipy", "safetensors")
DOT_LIMIT = 1e-12  # relative, in float64
SLOWEST = 4e7  # D x d above which dense is left out of the timing


def main(arguments: list[str]) -> int:
    """Compose the configuration and print the findings; status 1 if a projection fails its dot test."""
    return cells("doctor", arguments, look)


def look(made: list[DictConfig]) -> int:
    """Print what this installation and machine are."""
    check = Checked(made[0])
    device, D, d = check.choice("device", DEVICES), check.whole("D", 1), check.whole("d", 1)
    check.done()
    import torch

    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise UserError("device=cuda, but torch sees no CUDA device", "device=auto or device=cpu", "Use device=cpu.")
    if d > D:
        raise UserError(f"d={d} exceeds D={D}", "1 <= d <= D", "Lower d.")
    chosen = "cuda" if cuda and device != "cpu" else "cpu"
    console = Console(highlight=False)
    console.print(_about(chosen))
    rows = [projection_row(name, D, d, chosen) for name in _names()]
    table = Table(title_justify="left")
    table.add_column("projection", no_wrap=True)
    table.add_column("dot test", no_wrap=True)
    for heading in ("ns per weight, P z and P^T g", "bytes per weight kept", "computed by"):
        table.add_column(heading)
    table.title = f"projections at D={D:,}, d={d:,} on {chosen}, {torch.get_num_threads()} threads"
    for row in rows:
        verdict = "ok" if row["dot"] <= DOT_LIMIT else "FAILS"
        speed = "-" if row["nanoseconds"] is None else f"{row['nanoseconds']:.1f}"
        state = "-" if row["state"] is None else f"{row['state']:.2f}"
        table.add_row(row["name"], f"{verdict} ({row['dot']:.1e})", speed, state, row["engine"])
    console.print(table)
    return 0 if all(row["dot"] <= DOT_LIMIT for row in rows) else 1


def projection_row(name: str, D: int, d: int, device: str) -> dict[str, Any]:
    """Return the relative error of the dot test <P x, g> = <x, P^T g> in float64, and the cost of the two products."""
    import torch

    from intdim.projections import make_projection

    chooser = torch.Generator().manual_seed(0)
    small_D, small_d = min(D, 5000), min(d, 300, D)
    P = make_projection(name, D=small_D, d=small_d, seed=1, device=device)
    x = torch.randn(small_d, generator=chooser, dtype=torch.float64).to(device)
    g = torch.randn(small_D, generator=chooser, dtype=torch.float64).to(device)
    left, right = P.matvec(x), P.rmatvec(g)
    scale = float(left.norm() * g.norm())
    dot = abs(float(left @ g) - float(x @ right)) / scale
    if name == "dense" and D * d > SLOWEST:
        return {"name": name, "dot": dot, "nanoseconds": None, "state": None, "engine": P.engine}
    P = make_projection(name, D=D, d=d, seed=1, device=device)
    z = torch.randn(d, generator=chooser).to(device)
    weights = torch.randn(D, generator=chooser).to(device)
    image, taken = torch.empty_like(weights), []
    for _ in range(8):
        start = time.perf_counter()
        P.matvec(z, out=image)
        P.rmatvec(weights)
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    taken_ns = 1e9 * min(taken) / D  # what the products cost, not what else runs here
    return {"name": name, "dot": dot, "nanoseconds": taken_ns, "state": P.state_bytes / D, "engine": P.engine}


def _about(device: str) -> Table:
    import torch

    table = Table(title=f"intdim {__version__}", show_header=False, title_justify="left")
    table.add_row("python", f"{platform.python_version()} on {platform.platform()}")
    table.add_row("packages", ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES))
    card = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine()
    table.add_row("device", f"{device}: {card}, {os.cpu_count()} cores")
    folder = cache_folder()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.exists() else 0
    table.add_row("cache", f"{folder} ({size / 2**20:.0f} MiB; INTDIM_CACHE chooses another)")
    offline = os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0", "false", "no", "off")
    table.add_row("hub", "offline (HF_HUB_OFFLINE)" if offline else "used when something is not cached")
    return table


def _names() -> list[str]:
    from intdim.projections import PROJECTIONS

    return list(PROJECTIONS)
