"""``intdim train``: one run at a given d, or full fine-tuning."""

from __future__ import annotations

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.cli.slots import make_launcher
from intdim.cli.view import make_view
from intdim.config import Checked, cell_request, runtime_request


def main(arguments: list[str]) -> int:
    """Compose the runs and make them one after another; return the exit status."""
    return cells("train", arguments, make)


def make(made: list[DictConfig]) -> int:
    """Make each run; of a list of step lengths or learning rates the middle one is taken."""
    wanted = []
    for cfg in made:
        check = Checked(cfg)
        d = check.whole("d", 1)
        check.done()
        wanted.append((cell_request(cfg), d))
    runtime = runtime_request(made)
    from intdim.drivers.train import train_one

    for cell, d in wanted:
        lengths, rates = sorted(cell.step_lengths), sorted(cell.learning_rates)
        length, rate = lengths[(len(lengths) - 1) // 2], rates[(len(rates) - 1) // 2]
        view = make_view(runtime.out)
        with view:
            result = train_one(cell, d, length, rate, runtime, view, make_launcher(made, runtime))
        scores = {name: result[name] for name in ("train_score", "select_score", "eval_score")}
        words = ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in scores.items())
        print(f"{result['status']}: d={result['d']} of D={result['D']}, {words} ({result['metric']})")
        if result["reason"]:
            print(result["reason"])
        print(f"{result['steps']} steps, {result['seconds']:.1f} s; written to {result['folder']}")
    return 0


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
