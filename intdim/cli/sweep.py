"""``intdim sweep``: measures d90 for each cell."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.cli.slots import make_launcher
from intdim.cli.trajectory import along_trajectory
from intdim.cli.view import Lines, make_view
from intdim.config import cell_request, refuse_full, runtime_request, track_request
from intdim.errors import command
from intdim.launch import Launcher
from intdim.ledger.verdict import Verdict
from intdim.track.view import tracked


def main(arguments: list[str]) -> int:
    """Compose the cells, measure them together, draw their curves; return the exit status."""
    return cells("sweep", arguments, functools.partial(measure, typed=arguments))


def measure(made: list[DictConfig], typed: Sequence[str] = ()) -> int:
    """Measure cells that share one ``out``; ``typed`` are the words of the command, for the one that goes on."""
    view = make_view(runtime_request(made).out)
    verdicts = verdicts_of(made, view)
    view.close(verdicts)
    wanted = [verdict.next_max_runs for verdict in verdicts if verdict.next_max_runs]
    if wanted:
        kept = [word for word in typed if not word.startswith("search.max_runs=")]
        again = command("sweep", *kept, f"search.max_runs={max(wanted)}")
        print(f"More runs, from where these ended: {again}")
    return 0


def verdicts_of(made: list[DictConfig], view: Lines, launcher: Launcher | None = None) -> list[Verdict]:
    """Measure cells that share one ``out``, draw their curves, and return their verdicts in the same order;
    ``launcher`` holds slots to use in place of those that ``launch=`` names."""
    requests = [cell_request(cfg) for cfg in made]
    runtime, track = runtime_request(made), track_request(made)
    refuse_full(requests)

    with view, tracked(view, track, runtime.out) as watched:
        # brings scipy, which takes a second: something is to be seen by then
        from intdim.drivers.sweep import run_cells

        requests = along_trajectory(made, requests, runtime, view, train=True)
        verdicts = run_cells(requests, runtime, watched, launcher or make_launcher(made, runtime))

    from intdim.report import try_curve

    for verdict in verdicts:
        undrawn = try_curve(Path(runtime.out), verdict.sweep_id)
        if undrawn:
            view.note(undrawn)
    return verdicts
