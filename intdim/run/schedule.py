"""How long a run is, when it is evaluated, and which examples make each step."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from intdim.spec import RunSpec, TrainSpec
from intdim.tasks import batches
from intdim.tasks.stored import TaskData


def total_steps(train: TrainSpec, examples: int) -> tuple[int, int]:
    """Return (optimiser steps of the whole run, optimiser steps of an epoch) for a number of training examples."""
    micro = math.ceil(examples / train.batch_size)
    per_epoch = math.ceil(micro / train.accumulation)
    return (train.max_steps or max(1, math.ceil(train.epochs * per_epoch))), per_epoch


def evaluation_steps(train: TrainSpec, examples: int) -> list[int]:
    """Return the steps after which the evaluation split is scored: each epoch, evenly in between, and the end."""
    total, per_epoch = total_steps(train, examples)
    epochs = set(range(per_epoch, total + 1, per_epoch))
    evenly = {math.ceil(total * k / train.evaluations) for k in range(1, train.evaluations + 1)}
    return sorted(epochs | evenly | {total})


def learning_rate(spec: RunSpec, d: int) -> float:
    """Return Adam's rate: the step length over sqrt(d) in a subspace (measurement: s = lr sqrt(d)), else the rate."""
    return spec.learning_rate if spec.subspace.method == "full" else spec.step_length / math.sqrt(d)


def micro_batches(data: TaskData, spec: RunSpec, start: int) -> Iterator[list[Tensor]]:
    """Yield the micro-batches (row numbers) of each optimiser step, from step ``start`` on, for ever."""
    epoch, step = 0, 0
    while True:
        order = batches.epoch(data.train, spec.train.batch_size, spec.seed, epoch)
        for first in range(0, len(order), spec.train.accumulation):
            if step >= start:
                yield order[first : first + spec.train.accumulation]
            step += 1
        epoch += 1
