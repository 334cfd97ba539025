"""``intdim plan``: what a sweep would run, from a few timed steps; trains nothing else and writes nothing to out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.table import Table

from intdim.cli import terminal
from intdim.cli.compose import cells
from intdim.cli.slots import make_launcher
from intdim.cli.trajectory import along_trajectory
from intdim.cli.view import make_view
from intdim.cli.words import data_lines, duration
from intdim.config import cell_request, refuse_full, runtime_request
from intdim.report.words import count
from intdim.spec import TaskSpec

if TYPE_CHECKING:
    from intdim.drivers.plan import Plan  # brings scipy, for which an error message need not wait


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
        terminal.console().print(plan_table(plan))
        for line in data_lines(plan.spec.task.name, plan.facts):
            print(line)
    left = [plan for plan in plans if not plan.known]
    about = duration(sum(plan.seconds for plan in left))
    print(f"{len(left)} of {len(plans)} cells to measure, about {about} (less where cells share a baseline)")
    return 0


def floor_word(task: TaskSpec) -> str:
    """Name the answer that does not look at the text."""
    return "majority class" if task.label_names else "constant answer"


def plan_table(plan: Plan) -> Table:
    """Return a plan as a table."""
    from intdim.drivers.plan import run_seconds

    spec, facts, runs, full, inside = plan.spec, plan.facts, plan.runs, plan.full, plan.inside
    where, m = spec.subspace, facts.scales(spec.subspace)
    rows = {
        "subspace": f"{where.method}, {where.projection}, scope {where.scope}",
        "D": f"{facts.D:,} parameters inside; groups: "
        + ", ".join(f"{number} {kind}" for kind, number in facts.groups.items()),
        "search": f"d from {spec.search.d_min:,} to {spec.search.d_max:,}" + (f", m={m} scales in d" if m else ""),
        "data": f"{facts.train_examples:,} training, {facts.eval_examples:,} evaluation examples, "
        f"{floor_word(spec.task)} {facts.chance:.3f}",
        "runs": f"{runs.baseline} baseline + {runs.locating} tuning step lengths + at most {runs.search}",
        "a run": f"{full.total_steps:,} steps; full {duration(run_seconds(full))}, "
        f"inside {duration(run_seconds(inside))}",
        "a step": f"full {1e3 * full.step_seconds:.0f} ms, inside {1e3 * inside.step_seconds:.0f} ms",
        "memory": f"full {full.peak_memory_bytes / 2**30:.2f} GiB, "
        f"inside {inside.peak_memory_bytes / 2**30:.2f} GiB a worker",
        "where": f"{plan.device}, {count(plan.slots, 'slot')} of {count(plan.threads, 'thread')}",
        "time": "measured already" if plan.known else f"about {duration(plan.seconds)}",
    }
    title = f"{spec.model.name} on {spec.task.name}"
    table = Table("what", "value", title=title, show_header=False, title_justify="left")
    for name, value in rows.items():
        table.add_row(name, value)
    return table
