"""How many runs k slots finish in the time that one slot takes for one.

    python scripts/bench_slots.py --slots 1,2 --runs 4 model=tiny task=docstrings-kind train.max_steps=150

For each k, a pool of k workers (cores / k threads each) makes the same short runs inside the subspace, each with
another seed. The first runs of a worker, in which it imports and compiles, are not timed with the others; ``start`` is
the time from the beginning until every worker has made one. Rounds take the values of k in turn, so that other load on
the machine affects all alike. Every k must give the same scores, otherwise no times are printed and the exit status is
1. Writes scripts/results/slots.json, on which the default of ``launch.slots=auto`` rests.

With device=cuda all workers share one GPU, and one pool is made: the largest, which then shrinks from one k to the
next. Scores may differ there by rounding; all runs must end well.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.config import Checked, cell_request, runtime_request
from intdim.drivers.cells import prepare_cells, single_run
from intdim.drivers.session import Session
from intdim.durable import write_json
from intdim.launch.jobs import RunJob
from intdim.launch.local import LocalSlots
from intdim.launch.pool import uses_cuda
from intdim.ledger.results import RunResult
from intdim.request import CellRequest, RuntimeRequest

RESULTS = Path(__file__).parent / "results" / "slots.json"


class Contender:
    """A pool of k slots that stays warm between rounds."""

    def __init__(self, cell: CellRequest, asked: RuntimeRequest, k: int, d: int) -> None:
        begun = time.monotonic()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.k, self.cell, self.d = k, cell, d
        self.session = Session(dataclasses.replace(asked, slots=k, threads=max(1, cores // k)))
        self.pool = self.session.pool
        self.prepared = prepare_cells(self.session, [cell])[0]
        self.session.find_device()
        self.rates: list[float] = []
        self.peak = 0
        self.run(10_000, k)
        self.start = time.monotonic() - begun
        self.run(10_000 + k, k)
        self.rates.clear()

    def shrink(self, k: int) -> None:
        """Go on with fewer slots."""
        launcher = self.pool.launcher
        assert isinstance(launcher, LocalSlots)
        self.k = self.pool.slots = k
        launcher.place(k, launcher.devices)
        self.rates, self.peak = [], 0

    @property
    def row(self) -> dict[str, Any]:
        """What was measured."""
        threads = self.pool.threads
        return {"slots": self.k, "threads": threads, "runs_per_minute": self.rates, "peak_bytes": self.peak}

    def run(self, first_seed: int, count: int) -> list[float]:
        """Make ``count`` runs, in a folder of their own; return their scores in the order of the seeds."""
        with tempfile.TemporaryDirectory() as folder:
            runtime = dataclasses.replace(self.pool.runtime_for(self.prepared), out=folder)
            jobs = []
            for number in range(first_seed, first_seed + count):
                cell = dataclasses.replace(self.cell, seed=number)
                spec = single_run(cell, self.prepared, self.d, cell.step_lengths[0], cell.learning_rates[0])
                jobs.append(RunJob(spec, runtime))
            begun = time.monotonic()
            answers = self.session.ask(jobs, RunResult)
            self.rates.append(60 * count / (time.monotonic() - begun))
        self.peak = max(self.peak, *(answer.peak_memory_bytes for answer in answers))
        if any(answer.failed for answer in answers):
            raise SystemExit("a run failed, so no times are printed")
        return [answer.score for answer in answers]


def in_turn(cell: CellRequest, asked: RuntimeRequest, d: int, options: argparse.Namespace) -> list[Contender]:
    """Return a contender for each k, measured in turn. Their scores must agree: exit status 1."""
    contenders = [Contender(cell, asked, k, d) for k in options.slots]
    for number in range(options.rounds):
        scores = [contender.run(number * options.runs, options.runs) for contender in contenders]
        if any(other != scores[0] for other in scores[1:]):
            raise SystemExit(f"the scores depend on the slots: {scores}")
    return contenders


def measure(made: list[DictConfig], options: argparse.Namespace) -> int:
    """Time all contenders; print and write the table."""
    check = Checked(made[0])
    d = check.whole("d", 1)
    check.done()
    cell, asked = cell_request(made[0]), runtime_request(made)
    rows: list[dict[str, Any]] = []
    if uses_cuda(asked.device):
        one = Contender(cell, asked, max(options.slots), d)
        for k in sorted(options.slots, reverse=True):
            one.shrink(k)
            for number in range(options.rounds):
                one.run(number * options.runs, options.runs)
            rows.insert(0, one.row | {"start_seconds": one.start if k == max(options.slots) else None})
        contenders = [one]
    else:
        contenders = in_turn(cell, asked, d, options)
        rows = [one.row | {"start_seconds": one.start} for one in contenders]

    base = statistics.median(rows[0]["runs_per_minute"])
    head = f"{'slots':>5s} {'threads':>7s} {'runs a minute':>14s} {'range':>14s} {'ratio':>6s} {'peak MiB a run':>15s}"
    print(f"{head} {'start s':>8s}")
    for row in rows:
        rates, start = row["runs_per_minute"], row["start_seconds"]
        middle, edges = statistics.median(rates), f"{min(rates):.1f} to {max(rates):.1f}"
        print(
            f"{row['slots']:5d} {row['threads']:7d} {middle:14.1f} {edges:>14s} {middle / base:6.2f} "
            f"{row['peak_bytes'] / 2**20:15.0f} {'' if start is None else f'{start:.1f}':>8s}"
        )
    for one in contenders:
        one.pool.close(drain=True)

    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "device": contenders[0].pool.device}
    versions = {"python": sys.version.split()[0], "torch": torch.__version__}
    facts = {"words": options.words, "d": d, "D": contenders[0].prepared.facts.D, "runs": options.runs}
    write_json(options.results, facts | {"rows": rows, "machine": machine, "versions": versions})
    return 0


def numbers(text: str) -> list[int]:
    """Return whole numbers that were written with commas."""
    return [int(number) for number in text.split(",")]


def main() -> int:
    """Read the arguments; further words go to ``intdim train``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=numbers, default=[1, 2], help="with commas")
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("words", nargs="*", help="key=value for intdim train")
    options = parser.parse_args()
    return cells("train", ["d=250", *options.words], lambda made: measure(made, options))


if __name__ == "__main__":
    sys.exit(main())
