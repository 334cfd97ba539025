"""Models and tasks brought to this machine, so that later runs need no network."""

from __future__ import annotations

import time
from dataclasses import dataclass

from intdim.drivers.cells import prepare_cell
from intdim.drivers.session import Session
from intdim.drivers.view import View
from intdim.launch import Launcher
from intdim.request import CellRequest, RuntimeRequest
from intdim.spec import Facts


@dataclass(frozen=True)
class Fetched:
    """What preparing a cell found, and how long it took."""

    facts: Facts
    seconds: float


def fetch_cells(
    cells: list[CellRequest], runtime: RuntimeRequest, view: View | None = None, launcher: Launcher | None = None
) -> list[Fetched]:
    """Fetch the model and the task of each cell and prepare them; references of the hub are resolved again.

    Raises:
        UserError: a model or a task cannot be had, or they do not fit each other.
    """
    fetched = []
    with Session(runtime, view, launcher) as session:
        for cell in cells:
            begun = time.monotonic()
            session.view.note(f"fetching {cell.model.name} and {cell.task.name}")
            prepared = prepare_cell(session, cell)
            fetched.append(Fetched(prepared.facts, time.monotonic() - begun))
    return fetched
