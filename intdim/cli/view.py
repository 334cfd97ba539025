"""What one sees while cells are measured: a live table on a terminal, plain lines otherwise."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table

from intdim.cli import terminal
from intdim.cli.words import (
    answer,
    cell_label,
    data_lines,
    duration,
    outcome,
    run_label,
    so_far,
    stage,
    verdict_answer,
    verdict_table,
)
from intdim.errors import command
from intdim.launch.jobs import RunProgress
from intdim.ledger.overview import gone_runs
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict
from intdim.spec import Prepared, RunSpec, SweepSpec

if TYPE_CHECKING:
    from intdim.measurement.program import Measurement  # brings scipy, for which an error message need not wait

MOST_CELLS = 12  # that the live table lists in full
PLAIN_WIDTH = 120  # of tables that go to a file or a pipe


class Lines:
    """A view (``drivers.view.View``) that prints one plain line for each thing that happened."""

    def __init__(self, out: str) -> None:
        self.out, self.begun = out, time.monotonic()
        self.console = terminal.console()
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            self.console.width = PLAIN_WIDTH

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def note(self, text: str) -> None:
        """Print a line with the time since the start."""
        print(f"[{time.monotonic() - self.begun:6.1f}s] {text}", flush=True)

    def cells(self, specs: Sequence[SweepSpec], known: Mapping[str, Verdict]) -> None:
        """Print a line for each cell."""
        for spec in specs:
            verdict = known.get(spec.sweep_id)
            said = f"known, {verdict_answer(verdict)}{self.removed(verdict)}" if verdict else "to measure"
            self.note(f"{cell_label(spec)}: {said}")

    def removed(self, verdict: Verdict) -> str:
        """Say how many runs that a verdict stands on are gone, "" where none is."""
        named = {*verdict.run_ids, *verdict.baseline_run_ids, *verdict.other_run_ids}
        gone = len(gone_runs(Path(self.out), named))
        return f"; {gone} of its {len(named)} runs were removed" if gone else ""

    def prepared(self, cells: Sequence[Prepared]) -> None:
        """Print what was read of each task, once."""
        for line in dict.fromkeys(line for one in cells for line in data_lines(one.task.name, one.facts)):
            self.note(line)

    def cell_progress(self, cell: SweepSpec, measurement: Measurement) -> None:
        """Print nothing: its runs have lines."""

    def verdict(self, cell: SweepSpec, verdict: Verdict) -> None:
        """Print the answer."""
        self.note(f"{cell_label(cell)}: {verdict_answer(verdict)}")

    def run_known(self, spec: RunSpec, result: RunResult) -> None:
        """Print nothing."""

    def run_started(self, spec: RunSpec) -> None:
        """Print nothing."""

    def run_progress(self, spec: RunSpec, progress: RunProgress) -> None:
        """Print nothing."""

    def run_done(self, spec: RunSpec, result: RunResult) -> None:
        """Print how it ended."""
        self.note(f"{run_label(spec)}: {outcome(result)}")

    def run_failed(self, spec: RunSpec, message: str) -> None:
        """Print why."""
        self.note(f"{run_label(spec)} failed: {message}")

    def close(self, verdicts: Sequence[Verdict]) -> None:
        """Print the table of verdicts and where the files are."""
        self.console.print(verdict_table(verdicts))
        for one in verdicts:
            named = f"{one.model} on {one.task}: " if len(verdicts) > 1 else ""
            print(named + one.message)
            for warning in one.warnings:
                print(f"  warning: {warning}")
            shown = answer(one.other, (one.d_min, one.d_max))
            print(f"  by the {one.other.threshold_kind} threshold ({one.other.threshold:.3f}): {shown}")
            print(f"  written to {Path(self.out) / 'sweeps' / one.sweep_id}")
        print(f"Tables, plots and a page of all sweeps: {command('report', f'out={self.out}')}")


class Hushed(Lines):
    """A view that prints nothing."""

    def note(self, text: str) -> None:
        """Print nothing."""


class Screen(Lines):
    """A live table: each cell with its stage, runs and answer so far; each run under way with its step."""

    def __init__(self, out: str) -> None:
        super().__init__(out)
        self.specs: dict[str, SweepSpec] = {}
        self.measurements: dict[str, Measurement] = {}
        self.answers: dict[str, str] = {}
        self.running: dict[str, tuple[RunSpec, RunProgress | None]] = {}
        self.seconds: list[float] = []  # of the runs that have ended
        self.live = Live(self.table(), console=self.console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Screen:
        self.live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.__exit__(kind, error, trace)

    def note(self, text: str) -> None:
        """Print above the table."""
        self.live.console.print(text, highlight=False)

    def cells(self, specs: Sequence[SweepSpec], known: Mapping[str, Verdict]) -> None:
        """List the cells."""
        self.specs = {spec.sweep_id: spec for spec in specs}
        self.answers = {sweep_id: verdict_answer(verdict) for sweep_id, verdict in known.items()}
        for sweep_id, verdict in known.items():
            gone = self.removed(verdict)
            if gone:
                self.note(f"{cell_label(self.specs[sweep_id])}: known{gone}")
        self.refresh()

    def cell_progress(self, cell: SweepSpec, measurement: Measurement) -> None:
        """Show the stage of the cell."""
        self.measurements[cell.sweep_id] = measurement
        self.refresh()

    def verdict(self, cell: SweepSpec, verdict: Verdict) -> None:
        """Show the answer of the cell."""
        self.answers[cell.sweep_id] = verdict_answer(verdict)
        self.refresh()

    def run_started(self, spec: RunSpec) -> None:
        """Add the run to the table."""
        self.running[spec.run_id] = (spec, None)
        self.refresh()

    def run_progress(self, spec: RunSpec, progress: RunProgress) -> None:
        """Show the step of the run."""
        self.running[spec.run_id] = (spec, progress)
        self.refresh()

    def run_done(self, spec: RunSpec, result: RunResult) -> None:
        """Take the run out of the table."""
        self.running.pop(spec.run_id, None)
        self.seconds.append(result.seconds)
        self.refresh()

    def run_failed(self, spec: RunSpec, message: str) -> None:
        """Take the run out of the table, and print why it failed above it."""
        super().run_failed(spec, message)
        self.running.pop(spec.run_id, None)
        self.refresh()

    def refresh(self) -> None:
        """Bring the table up to date."""
        self.live.update(self.table())

    def table(self) -> Table:
        """Return the table of this moment."""
        from intdim.measurement.program import expected_runs

        table = Table("cell", "stage", "runs", "d90", title="intdim sweep", title_justify="left")
        expected = {sweep_id: expected_runs(spec).total for sweep_id, spec in self.specs.items()}
        made = {one: len(self.measurements[one].results) if one in self.measurements else 0 for one in expected}
        unfinished = [sweep_id for sweep_id in expected if sweep_id not in self.answers]

        listed = list(expected)
        if len(listed) > MOST_CELLS:  # a table longer than the screen would hide what is under way
            listed = sorted(unfinished, key=lambda sweep_id: -made[sweep_id])[:MOST_CELLS]
        for sweep_id in listed:
            measurement, done = self.measurements.get(sweep_id), self.answers.get(sweep_id)
            label, runs = cell_label(self.specs[sweep_id]), f"{made[sweep_id]} of ~{expected[sweep_id]}"
            table.add_row(label, "done" if done else stage(measurement), runs, done or so_far(measurement))
        if len(listed) < len(expected):
            table.add_row(f"{len(self.answers)} of {len(expected)} cells are done", "", "", "")

        for spec, progress in self.running.values():
            step = "starting" if progress is None else f"step {progress.step}/{progress.steps}"
            loss = "" if progress is None or progress.loss is None else f"  loss {progress.loss:.3f}"
            table.add_row(f"  {run_label(spec)}", step + loss, "", "")
        if self.seconds:
            left = sum(max(1, expected[sweep_id] - made[sweep_id]) for sweep_id in unfinished)
            seconds = left * sum(self.seconds) / len(self.seconds) / max(1, len(self.running))
            table.caption = f"about {duration(seconds)} to go"
        return table


def make_view(out: str) -> Lines:
    """Return the live table on a terminal, plain lines otherwise."""
    shown = terminal.console()
    return Screen(out) if shown.is_terminal and not shown.is_dumb_terminal else Lines(out)
