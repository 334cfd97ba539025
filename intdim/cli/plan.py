"""``intdim plan``: what a sweep would run, from a few timed steps; trains nothing else and writes nothing to out."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from intdim.cli.compose import cells
from intdim.cli.slots import make_launcher
from intdim.cli.trajectory import along_trajectory
from intdim.cli.view import duration, make_view
from intdim.config import cell_request, refuse_full, runtime_request


def main(arguments: list[str]) -> int:
    """Compose the cells and print their plans; return the exit status."""
    return cells("plan", arguments, show)


def show(made: list[DictConfig]) -> int:
    """Print a table of what each cell would take."""
    requests = [cell_request(cfg) for cfg in made]
    runtime = runtime_request(made)
    refuse_full(requests)
    from intdim.drivers.plan import plan_cells

    view = make_view(runtime.out)
    with view:
        requests = along_trajectory(made, requests, runtime, view, train=False)
        plans = plan_cells(requests, runtime, view, make_launcher(made, runtime))
    for plan in plans:
        Console(highlight=False).print(_table(plan))
    total = sum(plan["seconds"] for plan in plans if not plan["known"])
    cells_left = sum(not plan["known"] for plan in plans)
    print(f"{cells_left} of {len(plans)} cells to measure, about {duration(total)} (less where cells share a baseline)")
    return 0


def _table(plan: dict[str, Any]) -> Table:
    table = Table("what", "value", title=f"{plan['model']} on {plan['task']}", show_header=False, title_justify="left")
    runs, memory = plan["runs"], plan["peak_memory_bytes"]
    seconds = {name: duration(value) for name, value in plan["run_seconds"].items()}
    steps = {name: f"{1e3 * value:.0f} ms" for name, value in plan["step_seconds"].items()}
    rows = {
        "subspace": f"{plan['method']}, {plan['projection']}, scope {plan['scope']}",
        "D": f"{plan['D']:,} parameters inside; groups: "
        + ", ".join(f"{m} {kind}" for kind, m in plan["groups"].items()),
        "search": f"d from {plan['d_min']:,} to {plan['d_max']:,}"
        + (f", m={plan['m']} scales in d" if plan["m"] else ""),
        "data": f"{plan['train_examples']:,} training, {plan['eval_examples']:,} evaluation examples, "
        f"majority class {plan['chance']:.3f}",
        "runs": f"{runs['baseline']} baseline + {runs['locating']} locating step lengths + at most {runs['search']}",
        "a run": f"{plan['steps_per_run']:,} steps; full {seconds['full']}, inside {seconds['inside']}",
        "a step": f"full {steps['full']}, inside {steps['inside']}",
        "memory": f"full {memory['full'] / 2**30:.2f} GiB, inside {memory['inside'] / 2**30:.2f} GiB a worker",
        "where": f"{plan['device']}, {_counted(plan['slots'], 'slot')} of {_counted(plan['threads'], 'thread')}",
        "time": "measured already" if plan["known"] else f"about {duration(plan['seconds'])}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
