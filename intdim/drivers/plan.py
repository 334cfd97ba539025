"""What a sweep would run, and about how long that takes: said from a few timed steps, before anything is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from intdim.drivers.sweep import Silent, View, fit_memory, resolve
from intdim.launch import Launcher
from intdim.launch.pool import workers
from intdim.ledger.store import Ledger
from intdim.measurement.program import Measurement, expected_runs
from intdim.request import CellRequest, RuntimeRequest
from intdim.spec import to_dict


def plan_cells(
    cells: list[CellRequest], runtime: RuntimeRequest, view: View | None = None, launcher: Launcher | None = None
) -> list[dict[str, Any]]:
    """Say what a sweep of each cell would run, from a few timed steps; nothing is written to ``out``."""
    shown = view or Silent()
    ledger = Ledger(Path(runtime.out))
    ledger.check()
    plans = []
    with workers(runtime, launcher) as pool:
        made = resolve(cells, pool, shown)
        pool.find_device()
        fit_memory(pool, made, shown)
        for spec, prepared in made:
            cell = Measurement(spec, prepared.facts)
            middle = round((spec.search.d_min * spec.search.d_max) ** 0.5)
            timed = {
                "full": cell.full_run(sorted(spec.learning_rates)[0], 0),
                "inside": cell.inside_run(middle, sorted(spec.step_lengths)[0], 0, "run"),
            }
            shown.event("note", text=f"timing {spec.model.name} on {spec.task.name}")
            setting = to_dict(pool.runtime_for(prepared))
            jobs = {
                name: ("time", {"spec": to_dict(run), "runtime": setting, "steps": 8}) for name, run in timed.items()
            }
            costs = pool.ask_all(jobs)
            runs = expected_runs(spec)
            seconds = {name: run_seconds(cost) for name, cost in costs.items()}
            inside = runs["locating"] + runs["search"]
            work = runs["baseline"] * seconds["full"] + inside * seconds["inside"]
            plans.append(
                {
                    "sweep_id": spec.sweep_id,
                    "model": spec.model.name,
                    "task": spec.task.name,
                    "projection": spec.subspace.projection,
                    "method": spec.subspace.method,
                    "scope": spec.subspace.scope,
                    "D": prepared.facts.D,
                    "groups": prepared.facts.groups,
                    "m": prepared.facts.scales(spec.subspace),
                    "d_min": spec.search.d_min,
                    "d_max": spec.search.d_max,
                    "train_examples": prepared.facts.train_examples,
                    "eval_examples": prepared.facts.eval_examples,
                    "chance": prepared.facts.chance,
                    "runs": runs,
                    "steps_per_run": costs["full"]["total_steps"],
                    "step_seconds": {name: cost["step_seconds"] for name, cost in costs.items()},
                    "run_seconds": seconds,
                    "peak_memory_bytes": {name: cost["peak_memory_bytes"] for name, cost in costs.items()},
                    "slots": pool.slots,
                    "threads": pool.threads,
                    "device": pool.device,
                    "seconds": work / pool.slots,
                    "known": ledger.verdict(spec.sweep_id) is not None,
                }
            )
    return plans


def run_seconds(cost: dict[str, Any]) -> float:
    """Return what a run takes by a timed job: building, steps, evaluations and the training score."""
    evaluations = (cost["evaluations"] + 1) * cost["evaluate_seconds"]
    return cost["start_seconds"] + cost["total_steps"] * cost["step_seconds"] + evaluations
