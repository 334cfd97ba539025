"""What one sees while cells are measured and nothing can be drawn: a plain line for each thing that happened."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from intdim.cli import plain, terminal
from intdim.cli.naming import Names
from intdim.cli.words import (
    answer,
    cell_label,
    data_lines,
    duration,
    outcome,
    so_far,
    stage,
    verdict_answer,
    verdict_table,
)
from intdim.errors import Interrupted, command
from intdim.launch.jobs import RunProgress
from intdim.ledger.overview import gone_runs
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict
from intdim.report.words import count
from intdim.spec import Prepared, RunSpec, SweepSpec

if TYPE_CHECKING:
    from intdim.measurement.program import Measurement  # brings scipy, for which an error message need not wait

MOST_CELLS = 12  # that are listed in full
PLAIN_WIDTH = 120  # of tables that go to a file or a pipe


class Lines:
    """A view (``drivers.view.View``) that prints one plain line for each thing that happened, and keeps what a summary
    needs."""

    def __init__(self, out: str) -> None:
        self.out, self.begun = out, time.monotonic()
        self.console = terminal.console()
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            self.console.width = PLAIN_WIDTH
        self.specs: dict[str, SweepSpec] = {}
        self.names = Names()
        self.measurements: dict[str, Measurement] = {}
        self.taken: dict[str, int] = {}  # runs that each measurement has
        self.answers: dict[str, str] = {}
        self.running: dict[str, tuple[RunSpec, RunProgress | None, float]] = {}  # spec, how far, since when
        self.seconds: list[float] = []  # of the runs that have ended
        self.had: set[str] = set()  # the runs that were found, or have ended

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Interrupted | KeyboardInterrupt) and self.specs:
            for line in self.summary():
                self.say(line)

    # -- what is printed ---------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Print a line; on a terminal it folds between words, indented."""
        print("\n".join(_folded(text)), flush=True)

    def note(self, text: str) -> None:
        """Print a line with the time since the start."""
        self.say(f"[{time.monotonic() - self.begun:6.1f}s] {text}")

    def summary(self) -> list[str]:
        """Return what an interrupted command has done, in lines."""
        done = f"{len(self.answers)} of {count(len(self.specs), 'cell')} done"
        ended, going = f"{count(len(self.seconds), 'run')} ended", f"{len(self.running)} under way"
        lines = [f"interrupted after {duration(time.monotonic() - self.begun)}: {done}, {ended}, {going}"]
        listed = [one for one in self.specs if one in self.answers or one in self.measurements]
        for sweep_id in listed[:MOST_CELLS]:
            name = self.names.line(self.specs[sweep_id])
            measurement = self.measurements.get(sweep_id)
            if sweep_id in self.answers or measurement is None:
                lines.append(f"  {name}: {self.answers[sweep_id]}")
                continue
            known = so_far(measurement)
            lines.append(f"  {name}: {stage(measurement)}, {self.runs_of(sweep_id)}{known and f'; {known}'}")
        if len(listed) > MOST_CELLS:
            lines.append(f"  and {len(listed) - MOST_CELLS} more; `{command('status', f'out={self.out}')}` lists all")
        return lines

    def runs_of(self, sweep_id: str) -> str:
        """Return how many runs a cell has and about how many it takes."""
        from intdim.measurement.program import expected_runs

        return f"{self.made(sweep_id)} of about {expected_runs(self.specs[sweep_id]).total} runs"

    def made(self, sweep_id: str) -> int:
        """Return how many runs a cell has. A measurement takes them in batches; of one cell alone each is counted as it
        comes, of several it is not known which one a run is for."""
        taken = self.taken.get(sweep_id, 0)
        return max(taken, len(self.had)) if len(self.specs) == 1 else taken

    def run_line(self, spec: RunSpec) -> str:
        """Return a run's short id, what it is for, and its seed."""
        return f"{plain.short(spec.run_id)} {self.names.run(spec)} seed {spec.seed}"

    def removed(self, verdict: Verdict) -> str:
        """Say how many runs that a verdict stands on are gone, "" where none is."""
        named = {*verdict.run_ids, *verdict.baseline_run_ids, *verdict.other_run_ids}
        gone = len(gone_runs(Path(self.out), named))
        return f"; {gone} of its {len(named)} runs were removed" if gone else ""

    # -- events ------------------------------------------------------------------------------------------------------

    def cells(self, specs: Sequence[SweepSpec], known: Mapping[str, Verdict]) -> None:
        """Print a line for each cell."""
        self.keep(specs, known)
        for spec in specs:
            verdict = known.get(spec.sweep_id)
            said = f"known, {verdict_answer(verdict)}{self.removed(verdict)}" if verdict else "to measure"
            self.note(f"{plain.short(spec.sweep_id)} {cell_label(spec)}: {said}")

    def keep(self, specs: Sequence[SweepSpec], known: Mapping[str, Verdict]) -> None:
        """Remember the cells and the verdicts that exist already."""
        self.specs, self.names = {spec.sweep_id: spec for spec in specs}, Names(specs)
        self.answers = {sweep_id: verdict_answer(verdict) for sweep_id, verdict in known.items()}

    def prepared(self, cells: Sequence[Prepared]) -> None:
        """Print what was read of each task, once."""
        for line in dict.fromkeys(line for one in cells for line in data_lines(one.task.name, one.facts)):
            self.note(line)

    def cell_progress(self, cell: SweepSpec, measurement: Measurement) -> None:
        """Print nothing: its runs have lines."""
        self.measurements[cell.sweep_id] = measurement
        self.taken[cell.sweep_id] = len(measurement.results)

    def verdict(self, cell: SweepSpec, verdict: Verdict) -> None:
        """Print the answer."""
        self.answers[cell.sweep_id] = verdict_answer(verdict)
        self.note(f"{plain.short(cell.sweep_id)} {cell_label(cell)}: {verdict_answer(verdict)}")

    def run_known(self, spec: RunSpec, result: RunResult) -> None:
        """Print nothing."""
        self.had.add(spec.run_id)

    def run_started(self, spec: RunSpec) -> None:
        """Print that the first runs begin: until one of them ends, there is nothing else to see."""
        self.running[spec.run_id] = (spec, None, time.monotonic())
        if not self.seconds:
            self.note(f"{self.run_line(spec)}: begun")

    def run_progress(self, spec: RunSpec, progress: RunProgress) -> None:
        """Print nothing."""
        since = self.running[spec.run_id][2] if spec.run_id in self.running else time.monotonic()
        self.running[spec.run_id] = (spec, progress, since)

    def run_done(self, spec: RunSpec, result: RunResult) -> None:
        """Print how it ended."""
        self.running.pop(spec.run_id, None)
        self.had.add(spec.run_id)
        self.seconds.append(result.seconds)
        self.note(f"{self.run_line(spec)}: {outcome(result)}")

    def run_failed(self, spec: RunSpec, message: str) -> None:
        """Print why."""
        self.running.pop(spec.run_id, None)
        self.note(f"{self.run_line(spec)} failed: {message}")

    def close(self, verdicts: Sequence[Verdict]) -> None:
        """Print the table of verdicts and where the files are."""
        self.console.print(verdict_table(verdicts))
        for one in verdicts:
            named = f"{one.model} on {one.task}: " if len(verdicts) > 1 else ""
            self.say(named + one.message)
            for warning in one.warnings:
                self.say(f"  warning: {warning}")
            shown = answer(one.other, (one.d_min, one.d_max))
            self.say(f"  by the {one.other.threshold_kind} threshold ({one.other.threshold:.3f}): {shown}")
            self.say(f"  written to {Path(self.out) / 'sweeps' / one.sweep_id}")
        self.say(f"Tables, plots and a page of all sweeps: {command('report', f'out={self.out}')}")


class Hushed(Lines):
    """A view that prints nothing."""

    def say(self, text: str) -> None:
        """Print nothing."""


def _folded(text: str) -> list[str]:
    """Return a text as lines that fit the terminal; what follows the first stands two blanks further in."""
    margin = len(text) - len(text.lstrip(" "))
    width = plain.width()
    if not width or len(text) <= width:
        return [text]
    first, *rest = plain.folded(text.strip(), margin, width)
    return [first, *plain.folded(" ".join(one.strip() for one in rest), margin + 2, width)] if rest else [first]
