"""How long a run is, when it is evaluated, and which examples make each step."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import torch

from intdim.run.schedule import evaluation_steps, learning_rate, micro_batches, total_steps
from tests.run.test_training import FULL, TRAIN, data, spec_of  # noqa: F401


def test_rates():
    assert learning_rate(spec_of(d=100, length=5.0), 100) == 0.5
    assert learning_rate(spec_of(FULL, d=0, length=0.0, rate=1e-2), 10**6) == 1e-2


def test_steps_and_evaluations():
    assert total_steps(replace(TRAIN, epochs=2.5), 64) == (20, 8)
    assert total_steps(replace(TRAIN, max_steps=5), 64) == (5, 8)
    assert total_steps(replace(TRAIN, accumulation=3), 65) == (9, 3)
    assert evaluation_steps(TRAIN, 64) == [8, 16, 24]
    assert evaluation_steps(replace(TRAIN, epochs=1, evaluations=4), 64) == [2, 4, 6, 8]
    assert evaluation_steps(replace(TRAIN, max_steps=11), 64) == [8, 11]


def test_micro_batches_start_anywhere_and_cover_each_epoch(data):  # noqa: F811
    spec = spec_of(train_spec=replace(TRAIN, accumulation=3))
    steps = list(islice(micro_batches(data, spec, 0), 9))
    assert [len(rows) for rows in steps[:3]] == [3, 3, 2], "the last step of an epoch may be smaller"
    assert torch.cat([part for rows in steps[:3] for part in rows]).sort().values.tolist() == list(range(64))
    later = list(islice(micro_batches(data, spec, 4), 5))
    for first, second in zip(steps[4:], later, strict=True):
        assert [part.tolist() for part in first] == [part.tolist() for part in second]
