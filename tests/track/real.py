"""A finished ledger given to a real package, in a process of its own, off-line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict
from intdim.track.view import replay
from tests.track import ledgers


@dataclass
class Sent:
    """What was sent: the ledger, its verdict and one of its runs."""

    out: Path
    folder: Path
    verdict: Verdict
    run: RunResult


def sent(name: str, out: Path) -> Sent:
    """Skip where the package is missing; else replay a ledger to it twice, of which the second sends nothing."""
    pytest.importorskip(name, reason=f"the package {name} is not installed")
    verdict, said = ledgers.measured(out), []
    for _ in range(2):
        replay(ledgers.request(name), out, [verdict.sweep_id], said.append)
    assert said == [], (out / "track" / f"{name}.log").read_text()
    run = ledgers.read(RunResult, out / "runs" / verdict.run_ids[0] / "result.json")
    return Sent(out, out / "track" / name, verdict, run)


def run_ids(verdict: Verdict) -> set[str]:
    return {*verdict.run_ids, *verdict.baseline_run_ids, *verdict.other_run_ids}


def curve(name: str) -> list[tuple[int, float]]:
    """The values of the curve that every run has."""
    return [(line["step"], line[name]) for line in ledgers.CURVE if name in line]


def settings(made: Sent) -> dict:
    return json.loads((made.out / "runs" / made.run.run_id / "spec.json").read_text())
