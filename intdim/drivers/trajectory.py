"""Models pre-trained here, and the cells over their checkpoints: d90 against updates, and against size.

A trajectory has several sizes of one kind of model, each pre-trained from random weights by a job of its own. A sweep
is made for the weights of one size before the first update, at checkpoints and at the end, and for the final weights of
the other sizes. The models lie in ``out/pretrain``. A cell's model is named ``NAME-SIZE@UPDATES``: reports read the
updates from there, so that they need nothing but the verdicts.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

from intdim.drivers.pretrain import pretrain_all
from intdim.drivers.session import Session
from intdim.drivers.view import View
from intdim.durable import read_json, write_json
from intdim.errors import UserError
from intdim.fingerprint import file_hash
from intdim.launch import Launcher
from intdim.launch.jobs import PretrainJob, PretrainProgress, PretrainSummary
from intdim.ledger import pretrained
from intdim.ledger.store import Ledger
from intdim.request import CellRequest, RuntimeRequest
from intdim.seals import room_for, shown
from intdim.spec import to_dict

WEIGHTS = "model.safetensors"
NOTE_EVERY = 60.0  # seconds between lines about pre-training
KEPT = "pre-training resumes from its last state"
NOTHING = 1e-30  # a learning rate by which no stored weight changes


@dataclass(frozen=True)
class Size:
    """One model: its name, width, layers and heads; the intermediate layers are four times as wide."""

    name: str
    hidden_size: int
    layers: int
    heads: int


@dataclass(frozen=True)
class TrajectoryRequest:
    """Which models, and what of them is measured: ``checkpoints`` (updates, below ``steps``) of the size ``along``."""

    name: str
    sizes: tuple[Size, ...]
    along: str
    checkpoints: tuple[int, ...]
    steps: int
    vocab_size: int
    window: int
    batch_size: int
    learning_rate: float
    seed: int


@dataclass(frozen=True)
class Model:
    """One model of a trajectory: what its cells call it, and its Hugging Face folder."""

    name: str
    folder: Path

    @property
    def complete(self) -> bool:
        """True where the folder holds configuration and weights."""
        return all((self.folder / file).is_file() for file in ("config.json", WEIGHTS))


def pretrainings(request: TrajectoryRequest, recipe: PretrainJob, out: Path) -> list[PretrainJob]:
    """Return the pre-trainings of a trajectory, the largest first, and one that ends before it begins.

    The weights before the first update are what pre-training stores after one step of no length: drawn from the same
    seed, with the same tokenizer, and stored in the same way as the checkpoints they are compared with.

    Args:
        request: the trajectory.
        recipe: what ``intdim pretrain`` does by default; the trajectory decides sizes, steps and the seed.
        out: the results folder.
    """
    made = []
    for size in sorted(request.sizes, key=lambda size: -size.layers * size.hidden_size**2):
        config = dataclasses.replace(
            recipe.config,
            vocab_size=request.vocab_size,
            hidden_size=size.hidden_size,
            intermediate_size=4 * size.hidden_size,
            layers=size.layers,
            heads=size.heads,
            max_positions=request.window,
            window=request.window,
            steps=request.steps,
            batch_size=request.batch_size,
            learning_rate=request.learning_rate,
            checkpoint_every=request.steps,
            seed=request.seed,
            threads=1,
        )
        folder = out / "pretrain" / f"{request.name}-{size.name}"
        if size.name == request.along:
            every = math.gcd(request.steps, *request.checkpoints)
            made.append((folder, dataclasses.replace(config, checkpoint_every=every)))
            nothing = dataclasses.replace(config, steps=1, checkpoint_every=1, learning_rate=NOTHING)
            made.append((folder.with_name(f"{folder.name}-untrained"), nothing))
        else:
            made.append((folder, config))
    return [dataclasses.replace(recipe, config=config, store="float16", out=str(folder)) for folder, config in made]


def made_models(request: TrajectoryRequest, out: Path) -> list[Model]:
    """Return the models that are measured: those of the size ``along`` by updates, then the others."""
    stem = f"{request.name}-{request.along}"
    folder = out / "pretrain" / stem
    models = [Model(f"{stem}@0", folder.with_name(f"{stem}-untrained") / "final")]
    models += [Model(f"{stem}@{step}", folder / f"step-{step}") for step in request.checkpoints]
    for size in sorted(request.sizes, key=lambda size: size.name != request.along):
        name = f"{request.name}-{size.name}"
        models.append(Model(f"{name}@{request.steps}", folder.with_name(name) / "final"))
    return models


def cells_along(request: TrajectoryRequest, cells: list[CellRequest], out: Path) -> list[CellRequest]:
    """Return each cell once for every model of the trajectory, which takes the place of the cell's own.

    Raises:
        UserError: a model's folder is incomplete.
    """
    models = made_models(request, out)
    for model in models:
        if not model.complete:
            raise UserError(
                f"{model.folder} holds no complete model ({WEIGHTS} and config.json are needed)",
                "the folder as pre-training left it",
                f"Remove {model.folder.parent} and repeat the command: it pre-trains that model again.",
            )
    made = []
    for cell in cells:
        for model in models:
            theirs = dataclasses.replace(
                cell.model,
                name=model.name,
                source="local",
                reference="",
                revision="main",
                path=str(model.folder.absolute()),
                random_init=False,
            )
            made.append(dataclasses.replace(cell, model=theirs))
    return made


def pretrain_models(
    request: TrajectoryRequest,
    recipe: PretrainJob,
    cells: list[CellRequest],
    runtime: RuntimeRequest,
    view: View,
    launcher: Launcher | None = None,
) -> list[Path]:
    """Pre-train what is missing, several models side by side; return the folders of all pre-trainings.

    ``out/pretrain/<name>.json`` says what the trajectory is and which cells belong to it.

    Raises:
        UserError: ``out`` holds another trajectory of this name, or pre-training says that the request makes no sense.
        RunFailed: a pre-training failed.
        Interrupted: Ctrl-C; the states of those under way are kept.
    """
    out = Path(runtime.out)
    ledger = Ledger(out, view.note)
    ledger.check()
    jobs = pretrainings(request, recipe, out)
    record = out / "pretrain" / f"{request.name}.json"
    damaged = _is_damaged(record, request, jobs)

    ledger.open()
    if damaged:
        ledger.set_aside([record], f"{shown(record)} is damaged, and written again: its models say what they are")
    tasks = sorted({cell.task.name for cell in cells})
    planned = [[model.name, task] for model in made_models(request, out) for task in tasks]
    with ledger.disk():
        room_for(record, out, ledger.tell)
        write_json(record, {"trajectory": to_dict(request), "cells": planned})

    for job in jobs:
        _set_damaged_aside(Path(job.out), [model.folder for model in made_models(request, out)], ledger)
    missing = [job for job in jobs if not (Path(job.out) / "final").is_dir()]
    if missing:
        labels = [Path(job.out).name for job in missing]
        view.note(f"pre-training {', '.join(labels)}")
        progress = Progress(labels, view)
        slots = dataclasses.replace(runtime, slots=runtime.slots or os.cpu_count() or 1, threads=1)
        with Session(slots, view, launcher, kept=KEPT) as session:
            names = [f"the pre-training of {label}" for label in labels]
            pretrain_all(session, missing, names=names, report=progress.report, done=progress.done)
    return [Path(job.out) for job in jobs]


class Progress:
    """Turns the progress of several pre-trainings into a line now and then."""

    def __init__(self, labels: list[str], view: View) -> None:
        self.labels, self.view = labels, view
        self.last: dict[int, PretrainProgress] = {}  # of those under way, by number
        self.noted = time.monotonic()

    def report(self, number: int, progress: PretrainProgress) -> None:
        """A pre-training has taken steps."""
        self.last[number] = progress
        if time.monotonic() - self.noted > NOTE_EVERY:
            self.noted = time.monotonic()
            self.view.note("; ".join(f"{self.labels[one]}{self.words(one)}" for one in sorted(self.last)))

    def done(self, number: int, summary: PretrainSummary) -> None:
        """A pre-training has ended."""
        self.view.note(f"{self.labels[number]}: pre-trained, {summary.steps:,} updates{self.words(number)}")
        self.last.pop(number, None)

    def words(self, number: int) -> str:
        """Return where a pre-training is: its step and the loss there."""
        if number not in self.last:
            return ""
        last = self.last[number]
        return f" at {last.step:,} of {last.steps:,}, masked-word loss {last.masked_loss:.2f}"


def _set_damaged_aside(folder: Path, measured: list[Path], ledger: Ledger) -> None:
    """Set a finished pre-training aside where one of its models that are measured is not what was written: a damaged
    model would be another model, and its d90 another number."""
    parts = [model.name for model in measured if model.parent == folder]
    if not (folder / "final").is_dir():
        return
    damage = pretrained.damage_of(folder, parts, file_hash)
    if damage is not None:
        with Ledger(folder, ledger.tell).claim(folder, patience=0):
            aside = [folder / part for part in pretrained.parts_of(folder)]
            ledger.set_aside(aside, f"{damage.parts[0]}: {folder.name} is pre-trained again")


def _is_damaged(file: Path, request: TrajectoryRequest, jobs: list[PretrainJob]) -> bool:
    """Return whether the record of a trajectory is damaged: the models that are there are those of this one all the
    same, whatever it says. Raise ``UserError`` where it is another trajectory's, as far as anything tells."""
    try:
        known = read_json(file)
    except (ValueError, OSError):
        known = {}
    if known is None:
        return False
    theirs = known.get("trajectory") if isinstance(known, dict) else None
    mine = to_dict(request)
    if theirs == mine:
        return False
    if _models_are_of(jobs):
        return True

    theirs = theirs if isinstance(theirs, dict) else {}
    differ = [key for key in mine if theirs.get(key) != mine[key]]
    raise UserError(
        f"{file.parent.parent} holds another trajectory named {request.name!r}; it differs in {', '.join(differ)}",
        "one trajectory of a name in one out",
        "Choose another out, or give the settings it was made with.",
    )


def _models_are_of(jobs: list[PretrainJob]) -> bool:
    """True where pre-trainings are there, and all of them are these."""
    found = []
    for job in jobs:
        file, wanted = Path(job.out) / pretrained.RECORD, to_dict(job.config)
        if not file.parent.exists():
            continue
        try:
            record = read_json(file)
        except (ValueError, OSError):
            return False
        config = record.get("config") if isinstance(record, dict) else None
        how = {name: wanted[name] for name in ("device", "threads")}  # not what it is
        found.append(isinstance(config, dict) and config | how == wanted)
    return bool(found) and all(found)
