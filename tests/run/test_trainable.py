"""What is trained in a run: the coordinates of a subspace, or all weights."""

from __future__ import annotations

from dataclasses import replace

import torch

from intdim.run.training import train
from tests.run.test_training import FULL, KINDS, checkpoint, data, make  # noqa: F401


def test_excluded_weights_stay_frozen_in_full_fine_tuning(checkpoint, data, tmp_path):  # noqa: F811
    run = make(
        checkpoint, data, tmp_path, replace(KINDS["full"], subspace=replace(FULL, exclude=("bert.embeddings.*",)))
    )
    before = run.model.bert.embeddings.word_embeddings.weight.clone()
    train(run)
    assert torch.equal(run.model.bert.embeddings.word_embeddings.weight, before)


def test_weight_decay_is_for_matrices_of_full_fine_tuning_alone(checkpoint, data, tmp_path):  # noqa: F811
    inside, full = (make(checkpoint, data, tmp_path / kind, KINDS[kind]) for kind in ("said", "full"))
    assert {group["weight_decay"] for group in inside.optimiser.inner.param_groups} == {0.0}
    decayed = [group for group in full.optimiser.inner.param_groups if group["weight_decay"]]
    assert all(weight.ndim > 1 for group in decayed for weight in group["params"])


def test_both_kinds_say_what_they_count(checkpoint, data, tmp_path):  # noqa: F811
    inside, full = (make(checkpoint, data, tmp_path / kind, KINDS[kind]).trainable for kind in ("said", "full"))
    assert full.d == full.D == inside.D == sum(weight.numel() for weight in full.tensors().values())
    assert inside.d == 1000 == sum(tensor.numel() for tensor in inside.tensors().values())
    assert set(inside.tensors()) == {"z", "scales"}
