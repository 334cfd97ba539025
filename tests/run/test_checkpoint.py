"""Tensors on disk, and the checkpoint of a training."""

from __future__ import annotations

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from intdim.run.checkpoint import Checkpoint, load_tensors, save_tensors


def test_tensors_and_their_facts_come_back(tmp_path):
    file = tmp_path / "t.safetensors"
    save_tensors(file, {"a": torch.arange(6).reshape(2, 3).T}, {"step": "7"})
    tensors, facts = load_tensors(file)
    assert tensors["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert facts == {"step": "7"}
    with pytest.raises(FileNotFoundError):
        load_tensors(tmp_path / "none.safetensors")
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(SafetensorError):
        load_tensors(file)


def test_a_training_goes_on_as_if_it_had_not_stopped(tmp_path):
    def step(weight, optimiser):
        (weight**2).sum().backward()
        optimiser.step()
        optimiser.zero_grad()

    weight = nn.Parameter(torch.ones(3))
    optimiser = torch.optim.AdamW([weight], lr=0.1)
    step(weight, optimiser)
    checkpoint = Checkpoint(tmp_path / "c.safetensors", 0.0)
    assert checkpoint.restore({"w": weight}, optimiser) is None
    checkpoint.save({"w": weight}, optimiser, {"step": 1})
    other = nn.Parameter(torch.zeros(3))
    resumed = torch.optim.AdamW([other], lr=0.1)
    assert checkpoint.restore({"w": other.data}, resumed) == {"step": 1}
    step(weight, optimiser)
    step(other, resumed)
    assert torch.equal(weight, other)
    checkpoint.drop()
    assert checkpoint.restore({"w": other.data}, resumed) is None


def test_a_checkpoint_is_due_when_it_is_cheap_enough(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c.safetensors", 0.0)
    assert checkpoint.due()
    checkpoint.cost = 1e6
    assert not checkpoint.due(), "writing would cost more than its share of the time"
    assert not Checkpoint(tmp_path / "c.safetensors", 1e6).due()
