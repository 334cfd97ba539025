"""A finished run's model in memory: its z can be replaced by what a message decodes to, and the errors counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from intdim.artifacts.contents import read_state
from intdim.artifacts.rebuild import state_of
from intdim.coding import Message, decode, encode
from intdim.ledger.finished import FinishedRun
from intdim.run.build import build
from intdim.run.evaluation import predict
from intdim.run.objective import find_objective
from intdim.run.trainable import SubspaceTrainable
from intdim.spec import Runtime
from intdim.tasks.stored import Split, load_task

SCREEN = 512  # training examples on which candidates are compared before the best are scored on all
PRECISION = "float32"  # in which the decoded model is scored


class Scorer:
    """The model of a finished run, and the task that it is scored on.

    Attributes:
        run: the run; ``spec`` is its spec.
        model: on its device, with the numbers that were put into it last.
        subspace: the run's, through ``model``.
        data: the task as the model takes it; ``n`` are its training examples.
        still: the model's buffers, held still in training mode too.
        state: the run's own z and, for SAID, scales.
        sample: row numbers of the training examples on which candidates are compared first.
    """

    def __init__(self, run: FinishedRun, runtime: Runtime) -> None:
        self.run, self.spec = run, run.spec
        self.device = torch.device(runtime.device)
        self.objective = find_objective(run.spec.task.objective)

        spec = replace(run.spec, train=replace(run.spec.train, precision=PRECISION))
        built = build(spec, runtime, load_task(Path(runtime.task_folder)))
        assert isinstance(built.trainable, SubspaceTrainable)
        self.model, self.subspace, self.data = built.model, built.trainable.subspace, built.data
        self.still = built.still
        self.state = read_state(run)

        self.n = len(self.data.train.labels)
        rng = np.random.default_rng(self.n)
        self.sample = torch.from_numpy(np.sort(rng.permutation(self.n)[:SCREEN]))

    def place(self, state: dict[str, Tensor]) -> None:
        """Put z and, for SAID, scales into the model."""
        self.subspace.load_state_dict(state)
        self.subspace.write()

    def put(self, message: Message) -> None:
        """Put what a message says into the model, after a trip through its bytes: that is what is scored."""
        data, bits, _ = encode(message)
        decoded, read = decode(data)
        assert (decoded, read) == (message, bits)
        assert encode(decoded)[0] == data
        self.place(state_of(decoded))

    def errors(self, split: Split, index: Tensor) -> int:
        """Count the rows of ``index`` that the present weights get wrong."""
        predictions, _ = predict(
            self.model,
            split,
            index,
            objective=self.objective,
            pad_id=self.data.pad_id,
            batch_size=max(64, 2 * self.spec.train.batch_size),
            precision=PRECISION,
            device=self.device,
        )
        return int((predictions != split.labels[index]).sum())

    def train_error(self, index: Tensor | None = None) -> float:
        """Return the share of training examples (all, or those of ``index``) that the present weights get wrong."""
        rows = torch.arange(self.n) if index is None else index
        return self.errors(self.data.train, rows) / len(rows)
