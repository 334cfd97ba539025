"""Cells, runs and verdicts in a few words, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from rich import box
from rich.table import Table

from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict
from intdim.report.words import HasAnswer, HasInterval, d90_cell, interval, whole
from intdim.spec import Facts, SweepSpec

if TYPE_CHECKING:
    from intdim.measurement.program import Measurement  # brings scipy, for which an error message need not wait


class Answer(HasAnswer, HasInterval, Protocol):
    """A verdict by one of the two kinds of threshold."""


def duration(seconds: float) -> str:
    """Return seconds as ``42 s``, ``12 min`` or ``3.4 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def answer(verdict: Answer, bounds: tuple[int, int]) -> str:
    """Return a verdict in one cell: ``1,230 [980, 1,560]``, ``≤ 8``, ``> 65,536`` or ``–`` with the status.

    Args:
        verdict: status, d90 and the ends of its interval.
        bounds: d_min and d_max of the search.
    """
    word, ends = d90_cell(verdict, bounds), interval(verdict)
    if verdict.status != "found":
        return f"{word} {verdict.status}"
    return f"{word} [{whole(ends[0])}, {whole(ends[1])}]" if ends else word


def verdict_answer(verdict: Verdict) -> str:
    """Return ``answer`` by the threshold that was asked for."""
    return answer(verdict, (verdict.d_min, verdict.d_max))


def cell_label(spec: SweepSpec) -> str:
    """Name a cell."""
    where = spec.subspace
    return f"{spec.model.name} · {spec.task.name} · {where.method} · {where.projection} · {where.scope}"


def outcome(result: RunResult) -> str:
    """Say how a run ended."""
    if result.failed:
        return f"failed, {result.reason}"
    return f"eval {result.eval_score:.4f}, train {result.train_score:.4f} in {result.seconds:.1f} s"


def data_lines(name: str, facts: Facts) -> list[str]:
    """Say what was read of a task: columns, classes, how much was cut, what was decided; then what is doubtful."""
    data = facts.data
    columns = " and ".join(data.text) or "?"
    labels = f"{len(data.classes)} classes" if data.classes else "real numbers"
    positive = f", {data.positive!r} is the positive class" if data.positive else ""
    lines = [
        f"{name}: text from {columns}, labels from {data.label or '?'} ({labels}{positive})",
        f"{name}: median {data.median_tokens} tokens, {100 * data.truncated:.1f} % of the texts are cut",
    ]
    lines += [f"{name}: {note}" for note in data.notes]
    return [*lines, *(f"warning: {name}: {warning}" for warning in data.warnings)]


def stage(measurement: Measurement | None) -> str:
    """Say what a cell is at."""
    if measurement is None:
        return "waiting"
    if measurement.baseline is None:
        return "baseline"
    return "search" if measurement.observed else "step lengths"  # the first points tune them


def so_far(measurement: Measurement | None) -> str:
    """Say what is known before the verdict: the bar, and the largest d below and the smallest above it."""
    if measurement is None or measurement.baseline is None:
        return ""
    bar = measurement.threshold(measurement.kind)
    scored = [(result.d, result.eval_score) for result in measurement.observed if result.eval_score is not None]
    below = [d for d, score in scored if score < bar]
    above = [d for d, score in scored if score >= bar]
    more = measurement.likely_more
    words = [f"{max(below, default='?')} < d90 < {min(above, default='?')}"] if below or above else []
    words.append(f"bar {bar:.3f}")
    if more:
        words.append(f"likely {more} more run{'s' * (more != 1)}")
    return "; ".join(words)


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """Return the closing table of a sweep; it fits a terminal of 80 columns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("cell", overflow="fold")
    table.add_column("d90 [90 %]", no_wrap=True)
    for name in ("threshold", "baseline", "runs"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in verdicts:
        table.add_row(
            f"{one.model} on {one.task}\n  {one.method}, {one.projection}\n  scope {one.scope}",
            verdict_answer(one),
            f"{one.threshold:.3f}",
            f"{one.baseline_mean:.3f} ± {one.baseline_std:.3f}",
            str(one.runs),
        )
    return table
