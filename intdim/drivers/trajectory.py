"""Models pre-trained here, and the cells over their checkpoints: d90 against updates, and against size.

A trajectory has several sizes of one kind of model, each pre-trained from random weights by ``intdim pretrain`` in a
process of its own. A sweep is made for the weights of one size before the first update, at checkpoints and at the end,
and for the final weights of the other sizes. The models lie in ``out/pretrain``. A cell's model is named
``NAME-SIZE@UPDATES``: reports read the updates from there, so that they need nothing but the verdicts.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intdim.durable import read_json, write_json
from intdim.errors import Interrupted, RunFailed, UserError
from intdim.ledger.store import Ledger
from intdim.request import CellRequest, RuntimeRequest
from intdim.spec import to_dict

if TYPE_CHECKING:
    from intdim.drivers.sweep import View  # brings scipy, which is not needed to see that a request makes no sense

WEIGHTS = "model.safetensors"
NOTE_EVERY = 60.0  # seconds between lines about a pre-training
# A driver that is killed leaves no pre-training behind (Linux), which the next one would meet in the same folder.
CHILD = """
import ctypes, signal, sys
control = getattr(ctypes.CDLL(None), "prctl", None)
if control:
    control(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
from intdim.cli.main import main
main(sys.argv[1:])
"""
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
    def whole(self) -> bool:
        """True where the folder holds configuration and weights."""
        return all((self.folder / file).is_file() for file in ("config.json", WEIGHTS))


@dataclass(frozen=True)
class Pretraining:
    """One call of ``intdim pretrain``: where it writes, how many updates it takes, its settings."""

    folder: Path
    steps: int
    settings: dict[str, Any]

    @property
    def label(self) -> str:
        """How it is called in messages."""
        return self.folder.name

    @property
    def final(self) -> Path:
        """The folder that is there when it has ended."""
        return self.folder / "final"


def pretrainings(request: TrajectoryRequest, out: Path) -> list[Pretraining]:
    """Return the pre-trainings of a trajectory, the largest first, and one that ends before it begins.

    The weights before the first update are what ``intdim pretrain`` stores after one step of no length: drawn from the
    same seed, with the same tokenizer, and stored in the same way as the checkpoints they are compared with.
    """
    made = []
    for size in sorted(request.sizes, key=lambda size: -size.layers * size.hidden_size**2):
        settings = {
            "model.vocab_size": request.vocab_size,
            "model.hidden_size": size.hidden_size,
            "model.intermediate_size": 4 * size.hidden_size,
            "model.layers": size.layers,
            "model.heads": size.heads,
            "model.max_positions": request.window,
            "window": request.window,
            "steps": request.steps,
            "batch_size": request.batch_size,
            "learning_rate": request.learning_rate,
            "checkpoint_every": request.steps,
            "store": "float16",
            "seed": request.seed,
        }
        folder = out / "pretrain" / f"{request.name}-{size.name}"
        if size.name == request.along:
            every = math.gcd(request.steps, *request.checkpoints)
            made.append(Pretraining(folder, request.steps, settings | {"checkpoint_every": every}))
            nothing = settings | {"steps": 1, "checkpoint_every": 1, "learning_rate": NOTHING}
            made.append(Pretraining(folder.with_name(f"{folder.name}-untrained"), 1, nothing))
        else:
            made.append(Pretraining(folder, request.steps, settings))
    return made


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
        UserError: a model's folder is not whole.
    """
    models = made_models(request, out)
    for model in models:
        if not model.whole:
            raise UserError(
                f"{model.folder} holds no whole model ({WEIGHTS} and config.json are needed)",
                "the folder as pre-training left it",
                f"Remove {model.folder.parent} and give the command again: it pre-trains that model anew.",
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


def pretrain_models(request: TrajectoryRequest, cells: list[CellRequest], runtime: RuntimeRequest, view: View) -> None:
    """Pre-train what is missing, several models side by side; return when all are there.

    ``out/pretrain/<name>.json`` says what the trajectory is and which cells belong to it.

    Raises:
        UserError: ``out`` holds another trajectory of this name, or pre-training says that the request makes no sense.
        RunFailed: a pre-training failed.
        Interrupted: Ctrl-C; the states of those under way are kept.
    """
    out = Path(runtime.out)
    ledger = Ledger(out)
    ledger.check()
    _check_record(request, out)
    waiting = [one for one in pretrainings(request, out) if not one.final.is_dir()]
    ledger.open()
    tasks = sorted({cell.task.name for cell in cells})
    planned = [[model.name, task] for model in made_models(request, out) for task in tasks]
    with ledger.disk():
        write_json(out / "pretrain" / f"{request.name}.json", {"trajectory": to_dict(request), "cells": planned})
    if waiting:
        view.event("note", text=f"pre-training {', '.join(one.label for one in waiting)}")
    slots = runtime.slots or os.cpu_count() or 1
    flying: list[tuple[Pretraining, subprocess.Popen[bytes]]] = []
    noted = time.monotonic()
    try:
        while waiting or flying:
            while waiting and len(flying) < slots:
                one = waiting.pop(0)
                flying.append((one, _start(one, runtime.device)))
            time.sleep(0.2)
            for one, process in flying:
                if process.poll() is not None and process.returncode != 0:
                    raise _error(one, process.returncode)
                if process.poll() == 0:
                    view.event("note", text=f"{one.label}: pre-trained, {one.steps:,} updates{_last(one)}")
            flying = [(one, process) for one, process in flying if process.poll() is None]
            if flying and time.monotonic() - noted > NOTE_EVERY:
                noted = time.monotonic()
                view.event("note", text="; ".join(f"{one.label}{_last(one)}" for one, _ in flying))
    except KeyboardInterrupt:
        raise Interrupted("interrupted; pre-training goes on from its last state") from None
    finally:
        for _, process in flying:
            process.terminate()
        for _, process in flying:
            process.wait()


def _check_record(request: TrajectoryRequest, out: Path) -> None:
    file = out / "pretrain" / f"{request.name}.json"
    try:
        known = read_json(file)
    except (json.JSONDecodeError, UnicodeDecodeError):
        known = {}
    if known is None:
        return
    theirs = known.get("trajectory") if isinstance(known, dict) else None
    mine = to_dict(request)
    if theirs != mine:
        theirs = theirs if isinstance(theirs, dict) else {}
        differ = [key for key in mine if theirs.get(key) != mine[key]]
        raise UserError(
            f"{out} holds another trajectory named {request.name!r}; it differs in {', '.join(differ)}",
            "one trajectory of a name in one out",
            "Choose another out, or give the settings it was made with.",
        )


def _start(one: Pretraining, device: str) -> subprocess.Popen[bytes]:
    words = {"out": one.folder, **one.settings, "threads": 1, "device": device}
    command = [sys.executable, "-c", CHILD, "pretrain", *(f"{key}={value}" for key, value in words.items())]
    one.folder.parent.mkdir(parents=True, exist_ok=True)
    with _log(one).open("ab") as log:
        environment = os.environ | {"INTDIM_DEBUG": "0"}
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)


def _log(one: Pretraining) -> Path:
    return one.folder.with_name(f"{one.folder.name}.log")


def _last(one: Pretraining) -> str:
    """Return where a pre-training is, in words: its step and the loss there."""
    try:
        line = json.loads((one.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        return f" at {line['step']:,} of {one.steps:,}, masked-word loss {line['masked_loss']:.2f}"
    except (OSError, ValueError, KeyError, IndexError):
        return ""


def _error(one: Pretraining, status: int) -> Exception:
    """Turn the end of a pre-training that failed into the error it was."""
    said = _log(one).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
    if status == UserError.exit_status:
        parts = [*said, "", "", ""][:3]
        return UserError(f"pre-training of {one.label}: {parts[0]}", parts[1], parts[2])
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return RunFailed(f"the pre-training of {one.label} {how}: {' '.join(said[-1:])[:200]}. Kept: {_log(one)}")
