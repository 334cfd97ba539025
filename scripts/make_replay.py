"""A table of real runs over d, the step length s and the seed, from which whole sweeps can be replayed.

    python scripts/make_replay.py --name default model=tiny
    python scripts/make_replay.py --name default --d 8,64,512 --lengths 3,10,30 --seeds 2 --more 0 model=tiny

Makes a run for every d, s and seed, then further seeds at the best lengths of each d (by the mean of both halves over
the seeds so far), and full fine-tuning at every rate, with further seeds at the best one. As in a sweep, the runs of
one d and one seed share their projection, head and order of examples whatever their s. Runs are found in ``out=`` and
not repeated, so that the same command resumes; rows of a table that is there already are kept if they are runs of the
same cell, by their run_id.

Writes scripts/results/replay-NAME.csv, a row per run, d = 0 being full fine-tuning: the step chosen on the selection
half with the scores of both halves there (``select_score``, ``eval_score``), and the step chosen on the other half
with both scores there (``swapped_step``, ``swapped_select_score``, ``swapped_eval_score``), so that choosing on one
half and scoring on the other can be replayed in both directions. A run that failed has no scores.
replay-NAME.json says what the runs are: words, versions, D, chance and size of both halves. ``scripts/bench_replay.py``
reads both.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import importlib.metadata
import io
import json
import math
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.config import cell_request, runtime_request
from intdim.drivers.cells import prepare_cells, single_run
from intdim.drivers.session import Session
from intdim.durable import write_json, write_text
from intdim.errors import UserError
from intdim.ledger.results import RunResult
from intdim.ledger.store import Ledger
from intdim.request import CellRequest
from intdim.spec import TRAINING_VERSION, Prepared, RunSpec, SubspaceSpec, stream_version, to_dict
from intdim.tasks.metrics import majority_score
from intdim.tasks.stored import load_task

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("intdim", "torch", "transformers", "tokenizers", "numpy")
CHOSEN = ("best_step", "select_score", "eval_score")
SWAPPED = ("swapped_step", "swapped_select_score", "swapped_eval_score")
HOW = ("out=", "launch.", "device=", "offline=")  # words that change no number
COLUMNS = ("d", "step_length", "learning_rate", "seed", *CHOSEN, *SWAPPED, "steps", "seconds", "run_id")
Place = tuple[int, float]  # d and s; d = 0: full fine-tuning, with its rate
Row = dict[str, Any]


class Table:
    """The runs so far, and what makes further ones."""

    def __init__(self, session: Session, cell: CellRequest, prepared: Prepared) -> None:
        self.session, self.cell, self.prepared = session, cell, prepared
        self.rows: dict[tuple[int, float, int], Row] = {}

    def spec(self, d: int, value: float, seed: int) -> RunSpec:
        """The run of one place and seed; a ``d`` larger than D raises."""
        none = SubspaceSpec("full", "none", "none", "none", self.cell.subspace.exclude)
        cell = dataclasses.replace(self.cell, seed=seed, subspace=self.cell.subspace if d else none)
        return single_run(cell, self.prepared, d, value, value, self.session.pool.run_threads)

    def run(self, places: list[Place], seeds: range) -> None:
        """Make the runs of these places with these seeds."""
        keys = [(d, value, seed) for seed in seeds for d, value in places]
        results = self.session.run([self.spec(*key) for key in keys], self.prepared)
        for key, result in zip(keys, results, strict=True):
            self.rows[key] = row_of(*key, result, self.session.ledger)

    def read(self, path: Path) -> None:
        """Take the rows of an earlier table that are the runs of this cell, by their names."""
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if path.exists() else []:
            key = int(row["d"]), float(row["step_length"] or row["learning_rate"]), int(row["seed"])
            if row["run_id"] == self.spec(*key).run_id:
                self.rows[key] = {
                    name: (float(row[name]) if row[name] else None) if name.endswith("_score") else row[name]
                    for name in COLUMNS
                }

    def mean(self, place: Place) -> float:
        """The mean of both halves over the seeds of one place, a failed run counting as chance."""
        chance = self.prepared.facts.chance
        here = [row for key, row in self.rows.items() if key[:2] == place]
        return statistics.fmean(
            chance if row["eval_score"] is None else (row["select_score"] + row["eval_score"]) / 2 for row in here
        )

    def best(self, places: list[Place], count: int) -> list[Place]:
        """The places with the best means."""
        return sorted(places, key=self.mean, reverse=True)[:count]

    def write(self, path: Path) -> None:
        """Write every run so far as CSV, in order of d, length or rate, and seed."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for key in sorted(self.rows):
            row = self.rows[key]
            writer.writerow(
                {
                    name: f"{v:.6f}" if name.endswith("_score") and (v := row[name]) is not None else row[name]
                    for name in COLUMNS
                }
            )
        write_text(path, text.getvalue())


def row_of(d: int, value: float, seed: int, result: RunResult, ledger: Ledger) -> Row:
    """The row of one run: the step chosen on either half, with the scores of both halves there."""
    row: Row = dict.fromkeys(COLUMNS)
    row |= {"d": d, "step_length": value if d else None, "learning_rate": None if d else value, "seed": seed}
    row |= {"steps": result.steps, "seconds": result.seconds, "run_id": result.run_id}
    if result.failed:
        return row

    found = evaluations(ledger.run_folder(result.run_id) / "metrics.jsonl")
    step, other = (max(sorted(found), key=lambda step: found[step][half]) for half in (0, 1))  # the first on a tie
    assert (step, other) == (result.best_step, result.other_step), result.run_id
    assert [found[step][1], found[other][0]] == result.half_scores, result.run_id
    return row | dict(zip(CHOSEN + SWAPPED, (step, *found[step], other, *found[other]), strict=True))


def evaluations(file: Path) -> dict[int, tuple[float, float]]:
    """Return the scores of both halves at every evaluation of a run, by step."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line["step"]: (line["select_score"], line["eval_score"]) for line in lines if "eval_score" in line}


def halves(prepared: Prepared) -> dict[str, Any]:
    """Return size and chance of both halves of the evaluation split and of the whole."""
    data = load_task(Path(prepared.facts.task_folder))
    labels = data.evaluation.labels
    parts = {"select": labels[data.select_half], "eval": labels[data.score_half], "whole": labels}
    found = {}
    for name, part in parts.items():
        chance, error = majority_score(prepared.task.metric, data.train.labels.numpy(), part.numpy())
        found[name] = {"examples": len(part), "chance": chance, "chance_se": error}
    return found


def make(made: list[DictConfig], options: argparse.Namespace) -> int:
    """Make all runs; write the table after each round, so that what is there can be used."""
    cell, csv_file = cell_request(made[0]), RESULTS / f"replay-{options.name}.csv"
    grid = [(int(d), length) for d in numbers(options.d) for length in numbers(options.lengths)]
    rates = [(0, rate) for rate in numbers(options.rates)]
    with Session(runtime_request(made)) as session:
        (prepared,) = prepare_cells(session, [cell])
        table = Table(session, cell, prepared)

        table.read(csv_file)
        table.run(rates, range(options.seeds))
        table.run(table.best(rates, 1), range(options.full_seeds))
        table.write(csv_file)
        for seed in range(options.seeds):
            table.run(grid, range(seed, seed + 1))
            table.write(csv_file)
            print(f"seed {seed}: {len(table.rows)} runs", flush=True)

        chosen = [
            place
            for d in sorted({d for d, _ in grid} & set(numbers(options.refine or options.d)))
            for place in table.best([place for place in grid if place[0] == d], options.best)
        ]
        for seed in range(options.seeds, options.seeds + options.more):
            table.run(chosen, range(seed, seed + 1))
            table.write(csv_file)
            print(f"seed {seed}: {len(table.rows)} runs", flush=True)
        device = session.pool.device

    write_json(RESULTS / f"replay-{options.name}.json", described(table, options) | {"device": device})
    show(table, sorted({d for d, _ in grid}), numbers(options.lengths))
    return 0


def described(table: Table, options: argparse.Namespace) -> dict[str, Any]:
    """What the runs of a table are."""
    facts, task = table.prepared.facts, table.prepared.task
    words = [word for word in options.words if not word.startswith(HOW)]
    settings = {"model": table.prepared.model.name, "task": task.name, "metric": task.metric, "words": words}
    settings |= {"D": facts.D, "train_examples": facts.train_examples, "halves": halves(table.prepared)}
    settings |= {"subspace": to_dict(table.cell.subspace), "train": to_dict(table.cell.train)}
    settings |= {"stream_version": stream_version(table.cell.subspace.projection), "training_version": TRAINING_VERSION}
    settings["runs"] = len(table.rows)
    settings["seconds"] = round(sum(float(row["seconds"]) for row in table.rows.values()), 1)
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "python": sys.version.split()[0]}
    return settings | {"versions": versions, "machine": machine}


def show(table: Table, dimensions: list[int], lengths: list[float]) -> None:
    """Print the mean score by d and s, the best one marked."""
    for _, rate in sorted(key[:2] for key in table.rows if key[0] == 0 and key[2] == 0):
        print(f"full fine-tuning at {rate:g}: {table.mean((0, rate)):.4f}")
    print(f"{'d':>8s} " + " ".join(f"s={s:<6g}" for s in lengths))
    for d in dimensions:
        means = {s: table.mean((d, s)) for s in lengths}
        top = max(means.values())
        print(f"{d:8d} " + " ".join(f"{value:.3f}{'*' if value == top else ' '}  " for value in means.values()))


def numbers(text: str) -> list[float]:
    """Return the numbers of a comma-separated list, in order of size and each once."""
    found = sorted({float(word) for word in text.split(",")})
    assert all(math.isfinite(value) and value > 0 for value in found)
    return found


def main() -> int:
    """Read the arguments; further words go to ``intdim train``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="of the files in scripts/results")
    parser.add_argument("--d", default="8,32,90,150,225,340,510,1000,4096,65536")
    parser.add_argument("--lengths", default="1,1.8,3.2,5.6,10,18,32,56")
    parser.add_argument("--seeds", type=int, default=3, help="of every d and s, and of every rate")
    parser.add_argument("--more", type=int, default=5, help="further seeds at the best lengths of each d")
    parser.add_argument("--best", type=int, default=3, help="how many lengths get them")
    parser.add_argument("--refine", default="", help="the d that get further seeds; all unless given")
    parser.add_argument("--rates", default="5e-4,1.5e-3,4.5e-3", help="of full fine-tuning")
    parser.add_argument("--full-seeds", type=int, default=16, help="of the best rate")
    parser.add_argument("words", nargs="*", help="key=value for intdim train")
    options = parser.parse_args()
    try:
        return cells("train", options.words, lambda made: make(made, options))
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
