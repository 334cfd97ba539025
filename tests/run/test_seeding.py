"""One seed for every global generator."""

from __future__ import annotations

import random

import numpy
import torch

from intdim.run.seeding import seed_world


def test_every_generator_is_seeded():
    drawn = []
    for _ in range(2):
        seed_world(2**33 + 5)  # larger than NumPy's seeds may be
        drawn.append((random.random(), numpy.random.random(), float(torch.rand(()))))
    assert drawn[0] == drawn[1]
