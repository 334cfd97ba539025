"""A measured sweep of simulated runs, with curves, for trackers to be told of."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from intdim.drivers.sweep import run_cells
from intdim.drivers.view import View
from intdim.launch.jobs import RunProgress
from intdim.ledger.results import RunResult
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Verdict
from intdim.request import TrackRequest
from intdim.spec import RunSpec, SearchSpec, from_dict, to_dict
from tests import cells

SEARCH = SearchSpec("bisection", 8, 65_536, 5, 0.9, "absolute", 1, 2, 13, 0)
CURVE = [{"step": 30, "loss": 0.7, "rate": 0.1}, {"step": 60, "loss": 0.5, "rate": 0.0}, {"step": 60, "score": 0.8}]


def request(name: str = "tensorboard") -> TrackRequest:
    return TrackRequest(name, "intdim", False)


class Curved(cells.Simulated):
    """Simulated runs that report progress and leave a curve."""

    def run(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        self.report = report
        return super().run(payload, report)

    def make(self, spec: RunSpec, ledger: Ledger) -> RunResult:
        file = ledger.run_folder(spec.run_id) / "metrics.jsonl"
        for line in CURVE:
            with file.open("a") as made:
                made.write(json.dumps(line) + "\n")
            self.report(to_dict(RunProgress(line["step"], 60, line.get("loss"))))
        return super().make(spec, ledger)


def measured(out: Path, view: View | None = None, world: cells.Simulated | None = None) -> Verdict:
    """Measure a sweep of about a dozen runs, in a fraction of a second."""
    world = world or Curved()
    (verdict,) = run_cells([cells.cell(search=SEARCH)], cells.runtime(out), view, world.launcher())
    return verdict


def until(true: Any, seconds: float = 60.0) -> None:
    """Wait until something is true; fail when it does not become so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.02)


def read(kind: type, file: Path) -> Any:
    return from_dict(kind, json.loads(file.read_text(encoding="utf-8")))
