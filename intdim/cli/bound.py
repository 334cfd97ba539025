"""``intdim bound [RUN]``: a certificate for a finished run, or the best that a search over d finds."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Table

from intdim.cli.compose import cells
from intdim.cli.overrides import with_run
from intdim.cli.slots import make_launcher
from intdim.cli.view import make_view
from intdim.coding import seed_origin
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
FORMS = {"occam_binomial": "binomial tail", "occam_kl": "kl", "occam_hoeffding": "Hoeffding", "catoni": "Catoni"}


def main(arguments: list[str]) -> int:
    """Compose the configuration and look for certificates; return the exit status."""
    words = with_run(arguments)
    refuse_search(words)
    return cells("bound", words, certify)


def refuse_search(words: list[str]) -> None:
    """Raise ``UserError`` for keys that a finished run has decided: they would be passed over in silence."""
    if not any(word.startswith("run=") and word != "run=" for word in words):
        return
    foreign = [word for word in words if re.split(r"[.=]", word)[0] in SEARCHED]
    if foreign:
        raise UserError(
            f"{', '.join(foreign)} beside a run, which is what it is",
            "codebook, levels, delta, finetune_steps, out, device and launch",
            "Leave the run's name away to search, or make another run with `intdim train`.",
        )


def certify(made: list[DictConfig]) -> int:
    """Print the certificate of each run or cell."""
    check = Checked(made[0])
    asked = bound_request(check)
    dimensions, max_runs = (
        _wholes(check, "dimensions", 1) if check.given("dimensions") else (),
        check.whole("max_runs", 1),
    )
    check.done()
    named = [Checked(cfg).text("run") for cfg in made]
    requests = [] if all(named) else [cell_request(cfg) for cfg in made]
    runtime = runtime_request(made)
    if any(cell.subspace.method == "full" for cell in requests):
        raise UserError(
            "subspace=full has no z that could be coded", "subspace=did or subspace=said", "Choose a subspace."
        )
    if any(named) and not all(named):
        raise UserError("a grid over runs and no run", "a run for each cell, or none", "")
    from intdim.drivers.bound import SearchRequest, certify_cells, certify_run
    from intdim.ledger.finished import find_run

    view, found = make_view(runtime.out), []
    runs = [find_run(name, runtime.out) for name in named if name]
    with view:
        launcher = make_launcher(made, runtime)
        if runs:
            found = [certify_run(run, asked, runtime, view, launcher) for run in runs]
        else:
            found = certify_cells(requests, asked, SearchRequest(dimensions, max_runs), runtime, view, launcher)
    for certificate in found:
        show(certificate)
    if len(found) > 1:
        count = len(found)
        print(f"Each of these {count} holds on its own; all of them at once, or the best of them, need delta/{count}.")
    return 0


def bound_request(check: Checked) -> BoundRequest:
    """Return the typed request; faults are collected in ``check``."""
    kinds = check.texts("codebook")
    if not kinds or set(kinds) - set(CODEBOOKS):
        check.fault(f"codebook={', '.join(kinds)}", f"codebook is a list of {', '.join(CODEBOOKS)}")
    levels = _wholes(check, "levels", 2)
    if levels and max(levels) > LEVELS:
        check.fault(f"levels={max(levels)}", f"levels are at most {LEVELS}")
    return BoundRequest(
        delta=check.real("delta", 0.0, 1.0, open_low=True, open_high=True),
        levels=levels,
        codebooks=tuple(dict.fromkeys(kinds)),
        finetune_steps=check.whole("finetune_steps", 0),
    )


def _wholes(check: Checked, key: str, low: int) -> tuple[int, ...]:
    numbers = check.reals(key)
    if any(number != int(number) or number < low for number in numbers):
        check.fault(f"{key}={', '.join(f'{number:g}' for number in numbers)}", f"{key} are whole numbers from {low} on")
        return ()
    return tuple(sorted(int(number) for number in numbers))


def show(one: dict[str, Any]) -> None:
    """Print a certificate, what it was chosen from, and what it rests on."""
    console = Console(highlight=False)
    print(f"{one['model']} · {one['task']} · {one['method']} · {one['projection']} · {one['scope']}")
    if len(one.get("tried", ())) > 1:
        console.print(_table(one["tried"]))
    print("\n".join(statement(one)))
    print(f"  written to {one['folder']}" + (f"; all that was tried: {one['table']}" if "table" in one else ""))


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("d", "seed", "s", "bits", "per number", "train error", "quantised", "certificate"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            f"{row['d']:,}",
            "" if (origin := seed_origin(row["seed"], row["d"])) is None else str(origin),
            f"{row['step_length']:g}",
            f"{row['bits']:,}",
            f"{row['bits_per_coordinate']:.2f}",
            f"{row['train_error_unquantised']:.4f}",
            f"{row['train_error']:.4f}",
            f"{row['certificate']:.4f}",
        )
    return table


def statement(one: dict[str, Any]) -> list[str]:
    """Return what a certificate says, in lines: the bound, the majority class, the bits, the checks, the premises."""
    majority = min(one["majority_error_train"], one["majority_error_eval"])
    sure = f"{100 * (1 - one['delta']):g} %"
    lines = []
    if one["certificate"] >= 1.0:
        lines.append("This run has no certificate: the bound is 1, which says nothing.")
    else:
        lines.append(
            f"With {sure} confidence over the draw of {one['n']:,} training examples, the error of the coded model "
            f"(d={one['d']:,}) is at most {one['certificate']:.4f}."
        )
    both = (
        f"{one['majority_error_train']:.4f} on the training, {one['majority_error_eval']:.4f} on the evaluation split"
    )
    if one["beats_majority"]:
        lines.append(f"That is better than always answering the majority class ({both}).")
    else:
        lines.append(f"That does NOT beat always answering the majority class ({both}).")
        lines.append(_shortfall(one, majority))
    lines.append(
        "  forms: "
        + ", ".join(
            f"{name} {one[key]:.4f}" + (" (the certificate)" * (key == one["form"])) for key, name in FORMS.items()
        )
    )
    spent = ", ".join(f"{name} {value:.0f}" for name, value in one["account"].items() if value >= 0.5)
    lines.append(f"  message: {one['bits']:,} bits ({spent})")
    lines.append(f"  quantisation: {one['quantisation']}; {one['candidates']} ways were tried")
    lines.append("  the choice of d, seed, projection and codebook is in those bits: the search is paid for")
    lines.append(
        f"  training error {one['train_error']:.4f} quantised, {one['train_error_unquantised']:.4f} before; on "
        f"{one['eval_examples']:,} held-out examples {one['eval_error']:.4f}"
        + (", which also chose the step: a little too low" if one.get("selection") == "same" else "")
    )
    gap = "–" if one["relative_gap"] is None else f"{one['relative_gap']:.3f}"
    lines.append(f"  relative gap of the coded model {gap}; sqrt(d / n) is {one['trend']:.3f}, a trend and no bound")
    lines.append(
        "  it rests on: training examples drawn independently; a model and a task chosen before they were seen;"
    )
    lines.append(f"  {_origin(one)}")
    return lines


def _shortfall(one: dict[str, Any], majority: float) -> str:
    """Say in numbers why: how many bits the training error leaves room for."""
    if one["train_error"] >= majority:
        return f"  its training error of {one['train_error']:.4f} is itself not below {majority:.4f}"
    from intdim.bounds import occam_binomial

    low, high = 0, one["bits"]
    while high - low > 1:
        middle = (low + high) // 2
        fits = occam_binomial(one["train_error"], middle, one["n"], one["delta"]) < majority
        low, high = (middle, high) if fits else (low, middle)
    return f"  at its training error a message could have at most {low:,} bits; it has {one['bits']:,}"


def _origin(one: dict[str, Any]) -> str:
    """Say whether theta_0 may have seen the training sample and, for a built-in task, what independence is worth."""
    inner = one["task_source"] == "builtin"
    if one["model_source"] == "random":
        known = "theta_0 was drawn at random: it has seen nothing"
    elif one["model_source"] == "builtin":
        known = "theta_0 was pre-trained on docstrings, "
        known += "from which this task's texts were withheld" if inner else "which may be among the training examples"
    elif one["model_source"] == "local":
        known = "theta_0 must not have seen the training examples, which only you can know"
    else:
        known = "theta_0 MAY have seen the training examples: what a public model was pre-trained on is not known here"
    return known + ("; docstrings of one module are alike, so independence is an idealisation here" * inner)
