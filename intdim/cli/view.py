"""What one sees while cells are measured: a live table on a terminal, plain lines otherwise.

Events: ``cells`` (specs, known verdicts), ``progress`` (a cell asks for runs), ``run_started``, ``run_progress``,
``run_done``, ``run_known``, ``run_failed``, ``verdict``, ``note``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from intdim.report.words import d90_cell, interval, whole
from intdim.spec import RunSpec, SweepSpec

if TYPE_CHECKING:
    from intdim.measurement.program import (
        Measurement,  # brings scipy, for which a message about a misspelt key need not wait
    )

MOST_CELLS = 12  # that the live table lists in full
PLAIN_WIDTH = 120  # of tables that go to a file or a pipe


def duration(seconds: float) -> str:
    """Return seconds as ``42 s``, ``12 min`` or ``3.4 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def answer(verdict: dict[str, Any]) -> str:
    """Return a verdict in one cell: ``1,230 [980, 1,560]``, ``≤ 8``, ``> 65,536`` or ``–`` with the status."""
    word = d90_cell(verdict, (verdict["d_min"], verdict["d_max"]))
    ends = interval(verdict)
    if verdict["status"] == "found" and ends:
        return f"{word} [{whole(ends[0])}, {whole(ends[1])}]"
    return word if verdict["status"] == "found" else f"{word} {verdict['status']}"


def label(spec: SweepSpec) -> str:
    """Name a cell."""
    where = spec.subspace
    return f"{spec.model.name} · {spec.task.name} · {where.method} · {where.projection} · {where.scope}"


def run_label(spec: RunSpec) -> str:
    """Name a run in a few words."""
    if spec.subspace.method == "full":
        return f"{spec.model.name} {spec.task.name} full lr={spec.learning_rate:g}"
    return f"{spec.model.name} {spec.task.name} {spec.subspace.method} d={spec.d} s={spec.step_length:g}"


class Lines:
    """One plain line for each thing that happened."""

    def __init__(self, out: str) -> None:
        self.out, self.begun = out, time.monotonic()
        self.console = Console(highlight=False)
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            self.console.width = PLAIN_WIDTH

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def say(self, text: str) -> None:
        """Print a line with the time since the start."""
        print(f"[{time.monotonic() - self.begun:6.1f}s] {text}", flush=True)

    def event(self, kind: str, **facts: Any) -> None:
        """Print what is worth a line."""
        if kind == "note":
            self.say(facts["text"])
        elif kind == "cells":
            for spec in facts["specs"]:
                known = facts["known"].get(spec.sweep_id)
                self.say(f"{label(spec)}: " + (f"known, {answer(known)}" if known else "to measure"))
        elif kind == "run_done":
            self.say(f"{run_label(facts['spec'])}: {outcome(facts['result'])}")
        elif kind == "run_failed":
            self.say(f"{run_label(facts['spec'])} failed: {facts['message']}")
        elif kind == "verdict":
            self.say(f"{label(facts['cell'])}: {answer(facts['verdict'])}")

    def close(self, verdicts: list[dict[str, Any]]) -> None:
        """Print the table of verdicts and where the files are."""
        self.console.print(verdict_table(verdicts))
        for verdict in verdicts:
            print(verdict["message"])
            other = verdict["other"]
            shown = answer(verdict | other | {"other": None})
            print(f"  by the {other['threshold_kind']} bar ({other['threshold']:.3f}): {shown}")
            print(f"  written to {Path(self.out) / 'sweeps' / verdict['sweep_id']}")
        print(f"Tables, plots and a page of all sweeps: intdim report out={self.out}")


class Screen(Lines):
    """A live table: each cell with its stage, runs and answer so far; each run under way with its step."""

    def __init__(self, out: str) -> None:
        super().__init__(out)
        self.specs: dict[str, SweepSpec] = {}
        self.states: dict[str, Measurement] = {}
        self.answers: dict[str, str] = {}
        self.flying: dict[str, tuple[RunSpec, dict[str, Any]]] = {}
        self.seconds: list[float] = []
        self.live = Live(self.table(), console=self.console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Screen:
        self.live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """Print above the table."""
        self.live.console.print(text, highlight=False)

    def event(self, kind: str, **facts: Any) -> None:
        """Bring the table up to date."""
        if kind in ("note", "run_failed"):
            super().event(kind, **facts)
        if kind == "cells":
            self.specs = {spec.sweep_id: spec for spec in facts["specs"]}
            self.answers = {sweep_id: answer(known) for sweep_id, known in facts["known"].items() if known}
        elif kind == "progress":
            self.states[facts["cell"].sweep_id] = facts["measurement"]
        elif kind in ("run_started", "run_progress"):
            known = {key: value for key, value in facts.items() if key not in ("key", "spec")}
            self.flying[facts["key"]] = (facts["spec"], known)
        elif kind in ("run_done", "run_failed"):
            self.flying.pop(facts["key"], None)
            if kind == "run_done":
                self.seconds.append(facts["result"]["seconds"])
        elif kind == "verdict":
            self.answers[facts["cell"].sweep_id] = answer(facts["verdict"])
        self.live.update(self.table())

    def table(self) -> Table:
        """Return the table of this moment."""
        from intdim.measurement.program import expected_runs

        table = Table("cell", "stage", "runs", "d90", title="intdim sweep", title_justify="left")
        most = {sweep_id: sum(expected_runs(spec).values()) for sweep_id, spec in self.specs.items()}
        made = {sweep_id: len(self.states[sweep_id].results) if sweep_id in self.states else 0 for sweep_id in most}
        unfinished = [sweep_id for sweep_id in most if sweep_id not in self.answers]
        listed = list(most)
        if len(listed) > MOST_CELLS:  # a table longer than the screen would hide what is under way
            listed = sorted(unfinished, key=lambda sweep_id: -made[sweep_id])[:MOST_CELLS]
        for sweep_id in listed:
            state, done = self.states.get(sweep_id), self.answers.get(sweep_id)
            runs = f"{made[sweep_id]} of ~{most[sweep_id]}"
            table.add_row(label(self.specs[sweep_id]), "done" if done else stage(state), runs, done or so_far(state))
        if len(listed) < len(most):
            table.add_row(f"{len(self.answers)} of {len(most)} cells are done", "", "", "")
        for spec, known in self.flying.values():
            step = f"step {known['step']}/{known['steps']}" if "step" in known else "starting"
            loss = f"  loss {known['loss']:.3f}" if "loss" in known else ""
            table.add_row(f"  {run_label(spec)}", step + loss, "", "")
        if self.seconds:
            left = sum(max(1, most[sweep_id] - made[sweep_id]) for sweep_id in unfinished)
            seconds = left * sum(self.seconds) / len(self.seconds) / max(1, len(self.flying))
            table.caption = f"about {duration(seconds)} to go"
        return table


def stage(state: Measurement | None) -> str:
    """Say what a cell is at."""
    if state is None:
        return "waiting"
    if state.baseline is None:
        return "baseline"
    return "search" if state.told else "step lengths"


def so_far(state: Measurement | None) -> str:
    """Say what is known before the verdict: the bar, and the largest d below and the smallest above it."""
    if state is None or state.baseline is None:
        return ""
    bar = state.threshold(state.spec.search.threshold)
    scored = [(result["d"], result["eval_score"]) for result in state.told if result["eval_score"] is not None]
    below = [d for d, value in scored if value < bar]
    above = [d for d, value in scored if value >= bar]
    return f"bar {bar:.3f}; {max(below, default='?')} < d90 < {min(above, default='?')}"


def outcome(result: dict[str, Any]) -> str:
    """Say how a run ended."""
    if result["status"] == "failed":
        return f"failed, {result['reason']}"
    return f"eval {result['eval_score']:.4f}, train {result['train_score']:.4f} in {result['seconds']:.1f} s"


def verdict_table(verdicts: list[dict[str, Any]]) -> Table:
    """Return the closing table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("cell", overflow="fold")
    table.add_column("d90 [90 %]", overflow="fold")
    for name in ("bar", "baseline", "D", "runs"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in verdicts:
        table.add_row(
            f"{one['model']} on {one['task']}\n  {one['method']}, {one['projection']}, scope {one['scope']}",
            answer(one),
            f"{one['threshold']:.3f}",
            f"{one['baseline_mean']:.3f} ± {one['baseline_std']:.3f}",
            f"{one['D']:,}",
            str(one["runs"]),
        )
    return table


def make_view(out: str) -> Lines:
    """Return the live table on a terminal, plain lines otherwise."""
    return Screen(out) if Console().is_terminal else Lines(out)
