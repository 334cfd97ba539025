"""``intdim bound [RUN]``: a certificate for a finished run, or the best that a search over d finds."""

from __future__ import annotations

import re

from omegaconf import DictConfig

from intdim.cli.certificates import show
from intdim.cli.compose import cells
from intdim.cli.overrides import with_run
from intdim.cli.slots import make_launcher
from intdim.cli.view import make_view
from intdim.config import Checked, cell_request, runtime_request
from intdim.errors import UserError
from intdim.request import BoundRequest

CODEBOOKS = ("uniform", "kmeans")
LEVELS = 1 << 12
SEARCHED = (
    "model",
    "task",
    "projection",
    "subspace",
    "search",
    "train",
    "experiment",
    "seed",
    "dimensions",
    "max_runs",
)


def main(arguments: list[str]) -> int:
    """Compose the configuration and look for certificates; return the exit status."""
    words = with_run(arguments)
    refuse_search(words)
    return cells("bound", words, certify)


def refuse_search(words: list[str]) -> None:
    """Raise ``UserError`` for keys that a finished run has decided: they would be ignored in silence."""
    if not any(word.startswith("run=") and word != "run=" for word in words):
        return
    foreign = [word for word in words if re.split(r"[.=]", word)[0] in SEARCHED]
    if foreign:
        raise UserError(
            f"{', '.join(foreign)} together with a run, which has decided that already",
            "codebook, levels, delta, finetune_steps, out, device and launch",
            "Omit the run's name to search, or make another run with `intdim train`.",
        )


def certify(made: list[DictConfig]) -> int:
    """Print the certificate of each run or cell."""
    check = Checked(made[0])
    asked = bound_request(check)
    dimensions = _integers(check, "dimensions", 1) if check.given("dimensions") else ()
    max_runs = check.whole("max_runs", 1)
    check.done()

    names = [Checked(cfg).text("run") for cfg in made]
    requests = [] if all(names) else [cell_request(cfg) for cfg in made]
    runtime = runtime_request(made)
    if any(cell.subspace.method == "full" for cell in requests):
        raise UserError(
            "subspace=full has no z that could be coded", "subspace=did or subspace=said", "Choose a subspace."
        )
    if any(names) and not all(names):
        raise UserError("a grid in which some cells name a run and some do not", "a run for each cell, or none", "")
    from intdim.drivers.bound import SearchRequest, certify_cells, certify_run
    from intdim.ledger.finished import find_run

    view = make_view(runtime.out)
    runs = [find_run(name, runtime.out) for name in names if name]
    with view:
        launcher = make_launcher(made, runtime)
        if runs:
            bounds, found = [certify_run(run, asked, runtime, view, launcher) for run in runs], []
        else:
            search = SearchRequest(dimensions, max_runs)
            bounds, found = [], certify_cells(requests, asked, search, runtime, view, launcher)

    for bound in bounds:
        show(bound)
    for one in found:
        show(one.best, one.tried, one.table)
    count = len(bounds) + len(found)
    if count > 1:
        print(f"Each of these {count} holds on its own; all of them at once, or the best of them, need delta/{count}.")
    return 0


def bound_request(check: Checked) -> BoundRequest:
    """Return the typed request; faults are collected in ``check``."""
    kinds = check.texts("codebook")
    if not kinds or set(kinds) - set(CODEBOOKS):
        check.fault(f"codebook={', '.join(kinds)}", f"codebook is a list of {', '.join(CODEBOOKS)}")
    levels = _integers(check, "levels", 2)
    if levels and max(levels) > LEVELS:
        check.fault(f"levels={max(levels)}", f"levels are at most {LEVELS}")
    return BoundRequest(
        delta=check.real("delta", 0.0, 1.0, open_low=True, open_high=True),
        levels=levels,
        codebooks=tuple(dict.fromkeys(kinds)),
        finetune_steps=check.whole("finetune_steps", 0),
    )


def _integers(check: Checked, key: str, low: int) -> tuple[int, ...]:
    numbers = check.reals(key)
    if any(number != int(number) or number < low for number in numbers):
        check.fault(
            f"{key}={', '.join(f'{number:g}' for number in numbers)}", f"{key} must be integers of at least {low}"
        )
        return ()
    return tuple(sorted(int(number) for number in numbers))
