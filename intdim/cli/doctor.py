"""``intdim doctor``: versions, device, the projections' dot test and speed, cache and offline state."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from dataclasses import dataclass

from omegaconf import DictConfig
from rich.table import Table

from intdim import __version__
from intdim.caches import cache_folder
from intdim.cli import terminal
from intdim.cli.compose import cells
from intdim.config import DEVICES, Checked
from intdim.errors import UserError
from intdim.spec import PROJECTIONS

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
    console = terminal.console()
    console.print(_about(chosen))
    findings = [examine(name, D, d, chosen) for name in PROJECTIONS]
    console.print(_table(findings, D, d, chosen))
    return 0 if all(one.passes for one in findings) else 1


@dataclass(frozen=True)
class Finding:
    """What was found of one projection.

    Attributes:
        name: of the projection.
        dot_error: relative error of the dot test <P x, g> = <x, P^T g> in float64.
        nanoseconds: both products per weight; None where they would take too long.
        bytes_kept: per weight.
        engine: what computes the products.
    """

    name: str
    dot_error: float
    nanoseconds: float | None
    bytes_kept: float | None
    engine: str

    @property
    def passes(self) -> bool:
        """True where the products are adjoint to each other."""
        return self.dot_error <= DOT_LIMIT


def examine(name: str, D: int, d: int, device: str) -> Finding:
    """Make the dot test of a projection, and time its products."""
    import torch

    from intdim.projections import make_projection

    rng = torch.Generator().manual_seed(0)
    small_D, small_d = min(D, 5000), min(d, 300, D)
    P = make_projection(name, D=small_D, d=small_d, seed=1, device=device)
    x = torch.randn(small_d, generator=rng, dtype=torch.float64).to(device)
    g = torch.randn(small_D, generator=rng, dtype=torch.float64).to(device)
    left, right = P.matvec(x), P.rmatvec(g)
    dot_error = abs(float(left @ g) - float(x @ right)) / float(left.norm() * g.norm())
    if name == "dense" and D * d > SLOWEST:
        return Finding(name, dot_error, None, None, P.engine)

    P = make_projection(name, D=D, d=d, seed=1, device=device)
    z = torch.randn(d, generator=rng).to(device)
    weights = torch.randn(D, generator=rng).to(device)
    image, taken = torch.empty_like(weights), []
    for _ in range(8):
        start = time.perf_counter()
        P.matvec(z, out=image)
        P.rmatvec(weights)
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    fastest = min(taken)  # what the products cost, not what else runs here
    return Finding(name, dot_error, 1e9 * fastest / D, P.state_bytes / D, P.engine)


def _table(findings: list[Finding], D: int, d: int, device: str) -> Table:
    import torch

    title = f"projections at D={D:,}, d={d:,} on {device}, {torch.get_num_threads()} threads"
    table = Table(title=title, title_justify="left")
    table.add_column("projection", no_wrap=True)
    table.add_column("dot test", no_wrap=True)
    for heading in ("ns per weight, P z and P^T g", "bytes per weight kept", "computed by"):
        table.add_column(heading)
    for one in findings:
        result = f"{'ok' if one.passes else 'FAILS'} ({one.dot_error:.1e})"
        speed = "-" if one.nanoseconds is None else f"{one.nanoseconds:.1f}"
        kept = "-" if one.bytes_kept is None else f"{one.bytes_kept:.2f}"
        table.add_row(one.name, result, speed, kept, one.engine)
    return table


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
