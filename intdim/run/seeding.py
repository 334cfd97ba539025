"""The global generators, seeded: only inside a worker, because models draw initial weights and dropout from them."""

from __future__ import annotations

import random

import numpy
import torch


def seed_world(seed: int) -> None:
    """Seed every global generator that a model may draw from (initial weights, dropout)."""
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)  # seeds CUDA too
