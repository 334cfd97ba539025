"""What one sees while cells are measured: a live table on a terminal, plain lines otherwise."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from intdim.cli import plain, terminal
from intdim.cli.lines import MOST_CELLS, Hushed, Lines
from intdim.cli.words import duration, so_far, stage, verdict_answer
from intdim.launch.jobs import RunProgress
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict
from intdim.report.words import count
from intdim.spec import RunSpec, SweepSpec

if TYPE_CHECKING:
    from intdim.measurement.program import Measurement  # brings scipy, for which an error message need not wait

__all__ = ["Hushed", "Lines", "Screen", "make_view"]

MOST_RUNS = 8  # under way that are listed
AROUND = 44  # characters of a line that are neither the name of its cell nor what is known of its d90
MOST_LABEL = 24  # characters of a name that are kept before what is known is cut
LEAST = 12  # characters of what is known


class Screen(Lines):
    """A live table: each cell with its stage, runs and answer so far; each run under way with its seed and step. No
    line is wider than the terminal."""

    def __init__(self, out: str) -> None:
        super().__init__(out)
        self.doing = "starting a worker, reading models and tasks"
        # Stage and what is known of d90 of each cell; the table is drawn by another thread, which must not read
        # a measurement while it grows.
        self.states: dict[str, tuple[str, str]] = {}
        self.live = Live(console=self.console, refresh_per_second=4, transient=True, get_renderable=self.table)

    def __enter__(self) -> Screen:
        self.live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)

    def note(self, text: str) -> None:
        """Print above the table; until runs begin, it is also what is being done."""
        self.doing = text
        self.say(text)

    # -- events ------------------------------------------------------------------------------------------------------

    def cells(self, specs: Sequence[SweepSpec], known: Mapping[str, Verdict]) -> None:
        """List the cells."""
        self.keep(specs, known)
        for sweep_id, verdict in known.items():
            gone = self.removed(verdict)
            if gone:
                self.note(f"{self.names.line(self.specs[sweep_id])}: known{gone}")
        self.doing = "starting workers"
        self.refresh()

    def cell_progress(self, cell: SweepSpec, measurement: Measurement) -> None:
        """Show the stage of the cell."""
        super().cell_progress(cell, measurement)
        self.states[cell.sweep_id] = (stage(measurement), so_far(measurement))
        self.doing = "starting workers"
        self.refresh()

    def verdict(self, cell: SweepSpec, verdict: Verdict) -> None:
        """Show the answer of the cell."""
        self.answers[cell.sweep_id] = verdict_answer(verdict)
        self.refresh()

    def run_started(self, spec: RunSpec) -> None:
        """Add the run to the table."""
        self.running[spec.run_id] = (spec, None, time.monotonic())
        self.refresh()

    def run_progress(self, spec: RunSpec, progress: RunProgress) -> None:
        """Show the step of the run."""
        super().run_progress(spec, progress)
        self.refresh()

    def run_done(self, spec: RunSpec, result: RunResult) -> None:
        """Take the run out of the table."""
        self.running.pop(spec.run_id, None)
        self.had.add(spec.run_id)
        self.seconds.append(result.seconds)
        self.refresh()

    def run_failed(self, spec: RunSpec, message: str) -> None:
        """Take the run out of the table, and print why it failed above it."""
        super().run_failed(spec, message)
        self.refresh()

    def refresh(self) -> None:
        """Bring the table up to date."""
        self.live.refresh()

    # -- the table ---------------------------------------------------------------------------------------------------

    def table(self) -> Text:
        """Return the table of this moment."""
        width = self.console.width
        blocks = [self._head(), *self._cells(width), "", *self._runs(width)]
        lines = [plain.clipped(line, width) for line in blocks]
        return Text("\n".join(lines).rstrip("\n"), no_wrap=True, overflow="ellipsis", end="")

    def _head(self) -> str:
        """Return how far all is, in a line."""
        spent = duration(time.monotonic() - self.begun)
        words = ["intdim sweep", f"{spent} so far"]
        if self.specs:
            words.append(f"{len(self.answers)} of {count(len(self.specs), 'cell')} done")
        if self.seconds:
            words.append(f"{count(len(self.seconds), 'run')} ended")
            words.append(f"about {duration(self._left())} to go")
        elif not self.running:
            words.append(self.doing)
        return ", ".join(words)

    def _left(self) -> float:
        """Return about how many seconds are left, from the runs that have ended."""
        unfinished = [sweep_id for sweep_id in self.specs if sweep_id not in self.answers]
        left = sum(max(1, self._expected(sweep_id) - self.made(sweep_id)) for sweep_id in unfinished)
        return left * sum(self.seconds) / len(self.seconds) / max(1, len(self.running))

    def _expected(self, sweep_id: str) -> int:
        from intdim.measurement.program import expected_runs

        return expected_runs(self.specs[sweep_id]).total

    def _cells(self, width: int) -> list[str]:
        """Return a line for each cell; of a long grid the cells that are under way."""
        listed = list(self.specs)
        if not listed:
            return []
        if len(listed) > MOST_CELLS:  # a table longer than the screen would hide what is under way
            unfinished = [sweep_id for sweep_id in listed if sweep_id not in self.answers]
            listed = sorted(unfinished, key=lambda sweep_id: -self.made(sweep_id))[:MOST_CELLS]
        labels = [self.names.cell(self.specs[sweep_id]) for sweep_id in listed]
        room = width - AROUND - min(max(map(len, labels)), MOST_LABEL)
        rows = [self._cell(sweep_id, max(LEAST, room)) for sweep_id in listed]
        more = [f"and {len(self.specs) - len(listed)} more"] if len(listed) < len(self.specs) else []
        head = ("sweep", "cell", "stage", "runs", "d90")
        if not any(labels):  # of a single cell everything stands above the table
            head, rows = (head[0], *head[2:]), [[row[0], *row[2:]] for row in rows]
        return [self.names.shared, *plain.columns(head, rows, 1, limit=width), *more]

    def _cell(self, sweep_id: str, room: int) -> list[str]:
        """Return the cells of a line; what is known of d90 has ``room`` characters."""
        at, known = self.states.get(sweep_id, ("waiting", ""))
        done, label = self.answers.get(sweep_id), self.names.cell(self.specs[sweep_id])
        made = self.made(sweep_id)
        runs = (str(made) if made else "–") if done else f"{made}/~{self._expected(sweep_id)}"  # –: known before
        return [plain.short(sweep_id), label, "done" if done else at, runs, plain.clipped(done or known, room)]

    def _runs(self, width: int) -> list[str]:
        """Return a line for each run that is under way."""
        rows = []
        for spec, progress, since in list(self.running.values())[:MOST_RUNS]:
            step = f"starting, {time.monotonic() - since:.0f} s"
            loss = "" if progress is None or progress.loss is None else f"{progress.loss:.3f}"
            if progress is not None:
                step = f"step {progress.step}/{progress.steps}"
            rows.append([plain.short(spec.run_id), self.names.run(spec), str(spec.seed), step, loss])
        if not rows:
            return []
        more = [f"and {len(self.running) - MOST_RUNS} more"] if len(self.running) > MOST_RUNS else []
        return [*plain.columns(("run", "for", "seed", "step", "loss"), rows, 1, limit=width), *more]


def make_view(out: str) -> Lines:
    """Return the live table on a terminal, plain lines otherwise."""
    shown = terminal.console()
    return Screen(out) if shown.is_terminal and not shown.is_dumb_terminal else Lines(out)
