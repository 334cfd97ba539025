"""``intdim sweep``: measures d90 for each cell."""

from __future__ import annotations

from pathlib import Path

from intdim.cli.compose import Cell, cells
from intdim.cli.view import make_view
from intdim.config import cell_request, runtime_request
from intdim.errors import UserError


def main(arguments: list[str]) -> int:
    """Compose the cells, measure them together, draw their curves; return the exit status."""
    return cells("sweep", arguments, measure)


def measure(made: list[Cell]) -> int:
    """Measure cells that share one ``out``."""
    requests = [cell_request(cfg, typed) for cfg, typed in made]
    runtimes = {runtime_request(cfg) for cfg, _ in made}
    if len(runtimes) > 1:
        raise UserError(
            "the cells of this grid differ in out, device, offline or launch",
            "one place and one device for a grid",
            "Give such keys one value.",
        )
    if any(request.subspace.method == "full" for request in requests):
        raise UserError(
            "subspace=full has no d to search",
            "subspace=did or subspace=said",
            "Use `intdim train subspace=full` for one run; a sweep makes its own baseline.",
        )
    from intdim.sweep import run_cells

    runtime = runtimes.pop()
    view = make_view(runtime.out)
    with view:
        verdicts = run_cells(requests, runtime, view)
    from intdim.report import write_curve

    for verdict in verdicts:
        write_curve(Path(runtime.out), verdict["sweep_id"])
    view.close(verdicts)
    return 0
