"""``intdim fetch``: brings models and tasks to this machine, tokenises, and checks that they fit."""

from __future__ import annotations

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.cli.view import make_view
from intdim.cli.words import duration
from intdim.config import cell_request, runtime_request


def main(arguments: list[str]) -> int:
    """Compose the cells and fetch what they need; return the exit status."""
    return cells("fetch", arguments, bring)


def bring(made: list[DictConfig]) -> int:
    """Fetch each cell's model and task."""
    requests = [cell_request(cfg) for cfg in made]
    runtime = runtime_request(made)
    from intdim.drivers.fetch import fetch_cells

    view = make_view(runtime.out)
    with view:
        fetched = fetch_cells(requests, runtime, view)
    for request, one in zip(requests, fetched, strict=True):
        facts = one.facts
        print(f"{request.model.name} (D={facts.D:,}): {facts.model_folder}")
        print(
            f"{request.task.name} ({facts.train_examples:,} + {facts.eval_examples:,} examples): "
            f"{facts.task_folder} in {duration(one.seconds)}"
        )
    return 0
