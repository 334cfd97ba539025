"""What one run leaves behind: ``result.json`` and the answers behind its score, as types with one reader and writer."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from intdim import durable
from intdim.spec import CROSSED

ANSWERS_FILE = "eval.safetensors"


@dataclass(frozen=True)
class RunResult:
    """The content of ``result.json``, in the order of its fields.

    Attributes:
        run_id: hash of the run's spec.
        status: ``done``, or ``failed`` with a ``reason`` (a loss that is not finite, say); scores are then None.
        reason: why it failed, else empty.
        stopped: why it ended before its last step (``crossed``, ``converged``), else empty.
        d: trained numbers, the scales of SAID included; all weights for full fine-tuning.
        D: weights inside the subspace.
        method: ``did``, ``said`` or ``full``.
        projection: name of P, ``none`` for full fine-tuning.
        step_length: s = lr sqrt(d).
        learning_rate: of Adam.
        seed: of the run.
        train_score: metric on a fixed sample of the training examples, at the best step.
        eval_score: metric on the half of the evaluation split that the step was not chosen on.
        select_score: metric on the half that the best step was chosen on.
        eval_loss: mean loss on the half of ``eval_score``.
        metric: name of the score.
        steps: optimiser steps made.
        best_step: the step whose weights are kept.
        seconds: time spent, without waiting.
        peak_memory_bytes: at the peak, of the device (CUDA) or of the process (CPU).
    """

    run_id: str
    status: str
    reason: str
    stopped: str
    d: int
    D: int
    method: str
    projection: str
    step_length: float
    learning_rate: float
    seed: int
    train_score: float | None
    eval_score: float | None
    select_score: float | None
    eval_loss: float | None
    metric: str
    steps: int
    best_step: int
    seconds: float
    peak_memory_bytes: int

    @property
    def failed(self) -> bool:
        """True where the run ended without a score."""
        return self.status == "failed"

    @property
    def crossed(self) -> bool:
        """True where the run ended as soon as it had crossed the bar: its score is a lower bound."""
        return self.stopped == CROSSED

    @property
    def score(self) -> float:
        """The score; NaN where the run failed."""
        return math.nan if self.eval_score is None else self.eval_score

    @property
    def selection_score(self) -> float:
        """The score on the selection half; NaN where the run failed."""
        return math.nan if self.select_score is None else self.select_score


@dataclass(frozen=True)
class Answers:
    """What a run answered on the examples that its score is read on: ``predictions`` (N,) and ``labels`` (N,), by the
    weights at ``step``."""

    predictions: np.ndarray
    labels: np.ndarray
    step: int = 0

    def write(self, folder: Path, step: int) -> None:
        """Put the answers of the weights at ``step`` into a run's folder, whose name they carry."""
        facts = json.dumps({"step": step, "sha256": self._hash(folder.name, step)})
        # one entry: the library writes several in any order, and the same answers should be the same bytes
        data = save({"predictions": self.predictions, "labels": self.labels}, metadata={"answers": facts})
        durable.write_bytes(folder / ANSWERS_FILE, data)

    @classmethod
    def read(cls, folder: Path) -> Answers | None:
        """Return the answers in a run's folder; None where they were not kept or cannot be read."""
        try:
            return cls.of(durable.read_bytes(folder / ANSWERS_FILE), folder.name)
        except OSError:
            return None

    @classmethod
    def of(cls, data: bytes, run_id: str) -> Answers | None:
        """Return the answers in the bytes of a file; None where there are none, of another run, or changed ones."""
        try:
            kept = load(data)
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            facts = json.loads(header["__metadata__"]["answers"])
            found = cls(kept["predictions"], kept["labels"], int(facts["step"]))
        except (KeyError, ValueError, TypeError, RecursionError, SafetensorError):
            return None
        alike = found.predictions.shape == found.labels.shape and found.labels.ndim == 1
        return found if alike and facts.get("sha256") == found._hash(run_id, found.step) else None

    def _hash(self, run_id: str, step: int) -> str:
        """Return the SHA-256 of the answers, their types, the step and the run."""
        made = hashlib.sha256(
            f"{run_id} {step} {self.predictions.dtype} {self.labels.dtype} {self.labels.shape}\n".encode()
        )
        for values in (self.predictions, self.labels):
            made.update(np.ascontiguousarray(values).tobytes())
        return made.hexdigest()
