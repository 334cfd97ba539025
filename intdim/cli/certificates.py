"""What a certificate says, in words: the bound, what it was chosen from, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from intdim.cli import terminal
from intdim.coding import seed_origin
from intdim.ledger.certificate import Certificate

if TYPE_CHECKING:
    from intdim.drivers.certificates import Bound  # brings scipy, for which an error message need not wait

FORMS = {"occam_binomial": "binomial tail", "occam_kl": "kl", "occam_hoeffding": "Hoeffding", "catoni": "Catoni"}


def show(best: Bound, tried: Sequence[Bound] = (), table: Path | None = None) -> None:
    """Print a certificate, what it was chosen from, and where it was written."""
    one = best.certificate
    print(f"{one.model} · {one.task} · {one.method} · {one.projection} · {one.scope}")
    if len(tried) > 1:
        terminal.console().print(_table([bound.certificate for bound in tried]))
    print("\n".join(statement(one)))
    print(f"  written to {best.folder}" + (f"; all that was tried: {table}" if table else ""))


def _table(rows: Sequence[Certificate]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("d", "seed", "s", "bits", "per number", "train error", "quantised", "certificate"):
        table.add_column(name, justify="right")
    for row in rows:
        origin = seed_origin(row.seed, row.d)
        table.add_row(
            f"{row.d:,}",
            "" if origin is None else str(origin),
            f"{row.step_length:g}",
            f"{row.bits:,}",
            f"{row.bits_per_coordinate:.2f}",
            f"{row.train_error_unquantised:.4f}",
            f"{row.train_error:.4f}",
            f"{row.certificate:.4f}",
        )
    return table


def statement(one: Certificate) -> list[str]:
    """Return what a certificate says, in lines: the bound, the majority class, the bits, the checks, the premises."""
    return [
        _bound(one),
        *_majority(one),
        _forms(one),
        _message(one),
        f"  quantisation: {one.quantisation}; {one.candidates} ways were tried",
        "  the choice of d, seed, projection and codebook is in those bits: the search is paid for",
        _errors(one),
        _gap(one),
        "  it rests on: training examples drawn independently; a model and a task chosen before they were seen;",
        f"  {_origin(one)}",
    ]


def _bound(one: Certificate) -> str:
    if one.certificate >= 1.0:
        return "This run has no certificate: the bound is 1, which says nothing."
    return (
        f"With {100 * (1 - one.delta):g} % confidence over the draw of {one.n:,} training examples, the error of the "
        f"coded model (d={one.d:,}) is at most {one.certificate:.4f}."
    )


def _majority(one: Certificate) -> list[str]:
    """Compare with always answering the majority class."""
    both = f"{one.majority_error_train:.4f} on the training, {one.majority_error_eval:.4f} on the evaluation split"
    if one.beats_majority:
        return [f"That is better than always answering the majority class ({both})."]
    return [f"That does NOT beat always answering the majority class ({both}).", _shortfall(one)]


def _shortfall(one: Certificate) -> str:
    """Say in numbers why: how many bits the training error leaves room for."""
    majority = min(one.majority_error_train, one.majority_error_eval)
    if one.train_error >= majority:
        return f"  its training error of {one.train_error:.4f} is itself not below {majority:.4f}"

    from intdim.bounds import occam_binomial

    low, high = 0, one.bits
    while high - low > 1:
        middle = (low + high) // 2
        fits = occam_binomial(one.train_error, middle, one.n, one.delta) < majority
        low, high = (middle, high) if fits else (low, middle)
    return f"  at its training error a message could have at most {low:,} bits; it has {one.bits:,}"


def _forms(one: Certificate) -> str:
    values = {
        "occam_binomial": one.occam_binomial,
        "occam_kl": one.occam_kl,
        "occam_hoeffding": one.occam_hoeffding,
        "catoni": one.catoni,
    }
    chosen = " (the certificate)"
    return "  forms: " + ", ".join(
        f"{FORMS[key]} {value:.4f}{chosen if key == one.form else ''}" for key, value in values.items()
    )


def _message(one: Certificate) -> str:
    spent = ", ".join(f"{name} {value:.0f}" for name, value in one.account.items() if value >= 0.5)
    return f"  message: {one.bits:,} bits ({spent})"


def _errors(one: Certificate) -> str:
    text = (
        f"  training error {one.train_error:.4f} quantised, {one.train_error_unquantised:.4f} before; on "
        f"{one.eval_examples:,} held-out examples {one.eval_error:.4f}"
    )
    return text + (", which also chose the step: a little too low" if one.selection == "same" else "")


def _gap(one: Certificate) -> str:
    gap = "–" if one.relative_gap is None else f"{one.relative_gap:.3f}"
    return f"  relative gap of the coded model {gap}; sqrt(d / n) is {one.trend:.3f}, a trend and no bound"


def _origin(one: Certificate) -> str:
    """Say whether theta_0 may have seen the training sample and, for a built-in task, what independence is worth."""
    builtin_task = one.task_source == "builtin"
    if one.model_source == "random":
        known = "theta_0 was drawn at random: it has seen nothing"
    elif one.model_source == "builtin":
        known = "theta_0 was pre-trained on docstrings, "
        known += (
            "from which this task's texts were withheld" if builtin_task else "which may be among the training examples"
        )
    elif one.model_source == "local":
        known = "theta_0 must not have seen the training examples, which only you can know"
    else:
        known = "theta_0 MAY have seen the training examples: what a public model was pre-trained on is not known here"
    return known + ("; docstrings of one module are alike, so independence is an idealisation here" * builtin_task)
