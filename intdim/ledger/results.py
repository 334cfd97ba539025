"""What one run leaves behind: ``result.json`` and the answers behind its score, as types with one reader and writer."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from intdim import durable
from intdim.spec import CROSSED

ANSWERS_FILE = "eval.safetensors"
OTHER, KEPT = 0, 1  # halves of the evaluation split: answered by the step that the other half chose, or by the kept one
Metric = Callable[[np.ndarray, np.ndarray], float]  # of predictions and labels


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
        eval_score: the score of the run: each half of the evaluation split scores the step that the other half chose,
            and this is the mean of the two. With ``task.selection=same`` the whole split chooses and scores.
        select_score: the mean of the scores on the half that chose.
        eval_loss: the mean loss that belongs to ``eval_score``.
        half_scores: the two scores behind ``eval_score``: of ``best_step`` and of ``other_step``.
        metric: name of the score.
        steps: optimiser steps made.
        best_step: the step whose weights are kept, chosen on the selection half.
        other_step: the step chosen on the scoring half.
        seconds: time spent, without waiting.
        peak_memory_bytes: at the peak, of the device (CUDA) or of the process (CPU).
        update_cosine: cosine of the angle between S P z of the kept step and the update that the forward pass sees, in
            weights of the run's precision; None for full fine-tuning, and where z is zero.
        update_kept: length of the seen update along S P z, as a share of it.
        update_moved: share of the weights that should move and that the forward pass sees elsewhere than at z = 0.
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
    half_scores: list[float] | None
    metric: str
    steps: int
    best_step: int
    other_step: int
    seconds: float
    peak_memory_bytes: int
    update_cosine: float | None
    update_kept: float | None
    update_moved: float | None

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
        """The score on the halves that chose; NaN where the run failed."""
        return math.nan if self.select_score is None else self.select_score


@dataclass(frozen=True)
class Answers:
    """What a run answered on the examples that its score is read on.

    Attributes:
        predictions: (N,), in the order of the evaluation split.
        labels: (N,).
        half: (N,) of uint8, ``KEPT`` or ``OTHER``: which of the two steps answered.
        step: the step whose weights are kept.
        other_step: the other one.
    """

    predictions: np.ndarray
    labels: np.ndarray
    half: np.ndarray
    step: int = 0
    other_step: int = 0

    @property
    def halves(self) -> list[np.ndarray]:
        """The rows (of bool) of each half that has any: those of the kept step first."""
        return [rows for part in (KEPT, OTHER) if (rows := self.half == part).any()]

    @property
    def of_kept_step(self) -> np.ndarray:
        """The predictions of the weights that are kept: on the scoring half, or on the whole split where that chose."""
        return self.predictions[self.half == KEPT]

    def scores(self, metric: Metric) -> list[float]:
        """Return the score on each half."""
        return [float(metric(self.predictions[rows], self.labels[rows])) for rows in self.halves]

    def score(self, metric: Metric) -> float:
        """Return the score of the run: the mean over the halves."""
        return float(np.mean(self.scores(metric)))

    def write(self, folder: Path) -> None:
        """Put the answers into a run's folder, whose name they carry."""
        facts = json.dumps(
            {"step": self.step, "other_step": self.other_step, "sha256": self._hash(folder.name)}, sort_keys=True
        )
        # one entry: the library writes several in any order, and the same answers should be the same bytes
        data = save(
            {"predictions": self.predictions, "labels": self.labels, "half": self.half}, metadata={"answers": facts}
        )
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
            steps = int(facts["step"]), int(facts["other_step"])
            found = cls(kept["predictions"], kept["labels"], kept["half"], *steps)
        except (KeyError, ValueError, TypeError, RecursionError, SafetensorError):
            return None
        alike = found.predictions.shape == found.labels.shape == found.half.shape and found.labels.ndim == 1
        return found if alike and facts.get("sha256") == found._hash(run_id) else None

    def _hash(self, run_id: str) -> str:
        """Return the SHA-256 of the answers, their types, the steps and the run."""
        tensors = self.predictions, self.labels, self.half
        types = " ".join(str(one.dtype) for one in tensors)
        made = hashlib.sha256(f"{run_id} {self.step} {self.other_step} {types} {self.labels.shape}\n".encode())
        for values in tensors:
            made.update(np.ascontiguousarray(values).tobytes())
        return made.hexdigest()
