"""Ways in which files are damaged, and a finished sweep of simulated runs to damage."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from intdim import durable
from intdim.drivers.sweep import run_cells
from intdim.drivers.view import Silent
from intdim.ledger.results import RunResult
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Verdict
from intdim.spec import RunSpec
from tests import cells

SEARCH = replace(
    cells.SEARCH, name="grid", grid_points=4, max_runs=4, seeds=1, resamples=50, d_min=64, d_max=8192
)  # few runs, quickly made
FEW = {"search": SEARCH, "step_lengths": (3.0,), "learning_rates": (3e-3,), "baseline_seeds": 2}


class Leaving(cells.Simulated):
    """Simulated runs that leave every file that a training leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.examples = 200

    def make(self, spec: RunSpec, ledger: Ledger) -> RunResult:
        folder = ledger.run_folder(spec.run_id)
        durable.write_json(folder / "environment.json", {"runtime": {"device": "cpu"}, "run": spec.run_id})
        (folder / "metrics.jsonl").write_text(json.dumps({"step": 60, "loss": 0.5, "of": spec.run_id}) + "\n")
        durable.write_text(folder / "log.txt", f"run {spec.run_id}\n")
        if spec.subspace.method != "full":
            z = np.random.default_rng(spec.seed).standard_normal(spec.d).astype(np.float32)
            durable.write_bytes(folder / "z.safetensors", save({"z": z}))
        return super().make(spec, ledger)


class Heard(Silent):
    """A view that keeps the lines it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


def sweep(out: Path, middle: float = 5.5, **changes: object) -> tuple[Verdict, list[str], int]:
    """Measure the cell in ``out``; return its verdict, the lines that were said, and how many runs were made."""
    world, view = Leaving(), Heard()
    world.middle = middle
    (verdict,) = run_cells([cells.cell(**(FEW | changes))], cells.runtime(out), view, world.launcher())
    return verdict, view.lines, len(world.made)


def flip(file: Path, other: Path) -> None:
    """Change one bit in the middle of what a file says: of a word or number in JSON, of a number in tensors."""
    data = bytearray(file.read_bytes())
    place = len(data) // 2
    if file.suffix in (".json", ".jsonl", ".csv", ".txt"):
        words = (at for at in (*range(place, len(data)), *range(place)) if chr(data[at]).isalnum())
        place = next(words, place)
    else:
        place = len(data) - 3
    data[place] ^= 1
    file.write_bytes(data)


def cut(file: Path, other: Path) -> None:
    """Keep the first half."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def as_folder(file: Path, other: Path) -> None:
    """Put a folder with something in it in the place of a file."""
    file.unlink()
    file.mkdir()
    (file / "in it").write_text("mine")


def as_link(file: Path, other: Path) -> None:
    """Put a link to the file of the same name elsewhere in its place."""
    file.unlink()
    file.symlink_to(other)


def as_dangling_link(file: Path, other: Path) -> None:
    """Put a link to nothing in its place."""
    file.unlink()
    file.symlink_to(file.with_name("nowhere"))


def as_pipe(file: Path, other: Path) -> None:
    """Put a pipe in its place, which nobody writes to."""
    file.unlink()
    os.mkfifo(file)


def unreadable(file: Path, other: Path) -> None:
    """Take all rights away."""
    file.chmod(0)


WAYS: dict[str, Callable[[Path, Path], object]] = {
    "missing": lambda file, other: file.unlink(),
    "empty": lambda file, other: file.write_bytes(b""),
    "cut": cut,
    "a flipped bit": flip,
    "of another": lambda file, other: shutil.copyfile(other, file),
    "no UTF-8": lambda file, other: file.write_bytes(b"\xff\xfe" + file.read_bytes()),
    "a folder": as_folder,
    "a link to another": as_link,
    "a dangling link": as_dangling_link,
    "a pipe": as_pipe,
}
if os.geteuid():
    WAYS["unreadable"] = unreadable
