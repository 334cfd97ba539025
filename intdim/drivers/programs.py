"""Programs: what decides which runs are needed next, and makes none of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from intdim.errors import IntdimError
from intdim.ledger.results import RunResult
from intdim.spec import Prepared, RunSpec

T = TypeVar("T")
Program = Generator[list[RunSpec], list[RunResult], T]
"""Yields the runs it needs next, receives their results in that order, and returns its own result."""


@dataclass(frozen=True)
class Failure:
    """Why a program was stopped: a run that it needs cannot be made."""

    run: RunSpec
    error: IntdimError


@dataclass
class UnderWay(Generic[T]):
    """A program that is being driven.

    Attributes:
        program: the generator.
        prepared: the cell that its runs belong to.
        waiting: the runs it waits for; None: it has not begun.
        outcome: empty until it has ended; then what it returned, or why it was stopped.
    """

    program: Program[T]
    prepared: Prepared
    waiting: list[RunSpec] | None = None
    outcome: list[T | Failure] = field(default_factory=list)

    def can_step(self, results: Mapping[str, RunResult], broken: Mapping[str, IntdimError]) -> bool:
        """True where it has not ended, and waits for no run that may still come."""
        if self.outcome:
            return False
        wanted = [run.run_id for run in self.waiting or []]
        return any(run_id in broken for run_id in wanted) or all(run_id in results for run_id in wanted)

    def step(self, results: Mapping[str, RunResult], broken: Mapping[str, IntdimError]) -> list[RunSpec]:
        """Hand over the results it waits for; return the runs it needs next, none where it has ended.

        Args:
            results: results by run id.
            broken: by run id, why a run cannot be made; a program that waits for such a run is stopped.
        """
        for run in self.waiting or []:
            if run.run_id in broken:
                self.program.close()
                self.outcome.append(Failure(run, broken[run.run_id]))
                return []

        try:
            if self.waiting is None:
                self.waiting = next(self.program)
            else:
                self.waiting = self.program.send([results[run.run_id] for run in self.waiting])
        except StopIteration as ended:
            self.outcome.append(ended.value)
            return []
        return self.waiting


def advance(
    under_way: Sequence[UnderWay[T]],
    results: Mapping[str, RunResult],
    broken: Mapping[str, IntdimError],
    want: Callable[[RunSpec, Prepared], None],
) -> bool:
    """Hand complete batches back to their programs until each waits for a run; return whether all have ended.

    Args:
        under_way: the programs.
        results: results by run id; ``want`` may add to them.
        broken: by run id, why a run cannot be made; ``want`` may take a run out, which is then tried again.
        want: sees that a run is made.
    """
    moved = True
    while moved:
        moved = False
        for one in under_way:
            while one.can_step(results, broken):
                moved = True
                for run in one.step(results, broken):
                    want(run, one.prepared)
    return all(one.outcome for one in under_way)
