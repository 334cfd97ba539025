"""What drivers report while they work: one method for each kind of event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from intdim.launch.jobs import RunProgress
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict
from intdim.spec import Prepared, RunSpec, SweepSpec

if TYPE_CHECKING:
    from intdim.measurement.program import Measurement  # brings scipy, which not every command needs


class View(Protocol):
    """Receives progress events."""

    def note(self, text: str) -> None:
        """Something worth a line."""
        ...

    def cells(self, specs: Sequence[SweepSpec], known: Mapping[str, Verdict]) -> None:
        """The cells of a command, in order, and by sweep id the verdicts that exist already."""
        ...

    def prepared(self, cells: Sequence[Prepared]) -> None:
        """The models and tasks of cells that are to be measured, as they were found."""
        ...

    def cell_progress(self, cell: SweepSpec, measurement: Measurement) -> None:
        """A cell has received results and asks for its next runs."""
        ...

    def verdict(self, cell: SweepSpec, verdict: Verdict) -> None:
        """A cell has its verdict, which is on disk."""
        ...

    def run_known(self, spec: RunSpec, result: RunResult) -> None:
        """A run was found in the ledger."""
        ...

    def run_started(self, spec: RunSpec) -> None:
        """A slot has begun a run."""
        ...

    def run_progress(self, spec: RunSpec, progress: RunProgress) -> None:
        """A run has taken steps."""
        ...

    def run_done(self, spec: RunSpec, result: RunResult) -> None:
        """A run has ended with a result, which may be that it failed (a loss that is not finite, say)."""
        ...

    def run_failed(self, spec: RunSpec, message: str) -> None:
        """A run broke and has no result."""
        ...


class Silent:
    """A view that shows nothing."""

    def note(self, text: str) -> None: ...

    def cells(self, specs: Sequence[SweepSpec], known: Mapping[str, Verdict]) -> None: ...

    def prepared(self, cells: Sequence[Prepared]) -> None: ...

    def cell_progress(self, cell: SweepSpec, measurement: Measurement) -> None: ...

    def verdict(self, cell: SweepSpec, verdict: Verdict) -> None: ...

    def run_known(self, spec: RunSpec, result: RunResult) -> None: ...

    def run_started(self, spec: RunSpec) -> None: ...

    def run_progress(self, spec: RunSpec, progress: RunProgress) -> None: ...

    def run_done(self, spec: RunSpec, result: RunResult) -> None: ...

    def run_failed(self, spec: RunSpec, message: str) -> None: ...
