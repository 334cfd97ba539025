"""Real runs of a tiny model on a made-up task, for what is done with finished runs; a run takes about a second."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from intdim.drivers.train import train_one
from intdim.launch import InProcess
from intdim.launch.jobs import JOBS
from intdim.ledger.finished import FinishedRun, find_run
from intdim.request import CellRequest, ModelRequest, RuntimeRequest, TaskRequest
from intdim.spec import SubspaceSpec, TrainSpec
from tests import cells, tiny

TRAIN = TrainSpec(1, 30, 16, 1, 0.1, 1.0, 0.0, 0.9, 0.999, 1e-8, "float32", 1, 0)


def rows(count: int, seed: int) -> pd.DataFrame:
    """Texts whose first word tells the label; label 0 occurs more often."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < 0.4).astype(int)
    texts = [
        " ".join([f"w{5 + label}", *(f"w{word}" for word in rng.integers(7, tiny.VOCABULARY, 6))]) for label in labels
    ]
    return pd.DataFrame({"text": texts, "label": ["yes" if label else "no" for label in labels]})


def cell(folder: Path, **changes: Any) -> CellRequest:
    """Return a request whose model and data are made under ``folder``, if they are not there yet."""
    base, data = folder / "base", folder / "data"
    if not base.exists():
        tiny.save_tokenizer(tiny.save("bert", base), pad_token="<pad>")
        data.mkdir()
        rows(300, 1).to_csv(data / "train.csv", index=False)
        rows(120, 2).to_csv(data / "validation.csv", index=False)
    task = TaskRequest(
        name="made", source="local", reference="", config="", path=str(data), version=1, text=("text",), label="label",
        label_names=("no", "yes"), objective="classification", metric="accuracy", max_length=16, train_split="train",
        eval_split="validation", max_train=0, max_eval=0, selection="half",
    )  # fmt: skip
    made = {
        "model": ModelRequest("bert", "local", "", "main", str(base), False, 0, {}, False, False),
        "task": task,
        "subspace": SubspaceSpec("did", "one_hot", "global", "layer", ()),
        "train": TRAIN,
        "step_lengths": (3.0,),
    }
    return dataclasses.replace(cells.cell(), **(made | changes))


def launcher() -> InProcess:
    """Return a launcher that does the real work in this process."""
    return InProcess(JOBS)


def runtime(folder: Path) -> RuntimeRequest:
    """Return where the runs go."""
    return cells.runtime(folder / "out")


def make(folder: Path, d: int = 60, step_length: float = 3.0, **changes: Any) -> FinishedRun:
    """Make a run under ``folder``/out, or find it there."""
    result = train_one(cell(folder, **changes), d, step_length, 1e-3, runtime(folder), launcher=launcher())
    return find_run(result.run_id, str(folder / "out"))
