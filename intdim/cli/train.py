"""``intdim train``: one run at a given d, or full fine-tuning."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.cli.slots import make_launcher
from intdim.cli.view import Lines, make_view
from intdim.config import Checked, cell_request, runtime_request, track_request
from intdim.errors import UserError, command
from intdim.launch import Launcher
from intdim.ledger.results import RunResult
from intdim.ledger.store import Ledger
from intdim.track.view import tracked


def main(arguments: list[str]) -> int:
    """Compose the runs and make them one after another; return the exit status."""
    return cells("train", arguments, functools.partial(make, typed=arguments))


def make(made: list[DictConfig], typed: Sequence[str] = ()) -> int:
    """Make each run and say how it ended; ``typed`` are the words of the command."""
    for result in results_of(made, make_view, typed):
        show(result, runtime_request(made).out)
    return 0


def results_of(
    made: list[DictConfig],
    views: Callable[[str], Lines],
    typed: Sequence[str] = (),
    launcher: Launcher | None = None,
) -> Iterator[RunResult]:
    """Make each run, and yield how it ended; of a list of step lengths or learning rates the middle one is taken.

    Args:
        made: the configuration of each run.
        views: gives what shows a run, for the folder of the results.
        typed: the words of the command, for what is said.
        launcher: slots to use in place of those that ``launch=`` names.
    """
    wanted = []
    for cfg in made:
        check = Checked(cfg)
        d = check.whole("d", 1, none=0)
        check.done()
        cell = cell_request(cfg)
        if not d and cell.subspace.method != "full":
            raise UserError(
                "intdim train without d=",
                "d=N, the number of trained dimensions; or subspace=full",
                f"For example: {command('train', *(word for word in typed if not word.startswith('d=')), 'd=1000')}",
            )
        if d and cell.subspace.method == "full":
            kept = [word for word in typed if not word.startswith(("d=", "subspace="))]
            raise UserError(
                f"intdim train subspace=full d={d}: full fine-tuning trains all weights and takes no d",
                "subspace=full without d=; or another subspace with it",
                f"Write {command('train', *kept, 'subspace=full')}, or {command('train', *kept, f'd={d}')}",
            )
        wanted.append((cell, d))
    runtime, track = runtime_request(made), track_request(made)
    from intdim.drivers.train import train_one

    for cell, d in wanted:
        length, rate = _middle(cell.step_lengths), _middle(cell.learning_rates)
        with views(runtime.out) as view, tracked(view, track, runtime.out) as watched:
            slots = launcher or make_launcher(made, runtime)
            result = train_one(cell, d, length, rate, runtime, watched, slots)
        yield result


def show(result: RunResult, out: str) -> None:
    """Print how a run ended and where its files are."""
    scores = f"train score {_score(result.train_score)}, select score {_score(result.select_score)}"
    scores += f", eval score {_score(result.eval_score)} ({result.metric})"
    print(f"{result.status}: d={result.d} of D={result.D}, {scores}")
    if result.reason:
        print(result.reason)
    print(f"{result.steps} steps, {result.seconds:.1f} s; written to {Ledger(Path(out)).run_folder(result.run_id)}")


def _middle(values: tuple[float, ...]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
