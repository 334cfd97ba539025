"""A pre-training that takes a second, and how to interrupt it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from intdim.pretrain import loop
from intdim.pretrain.texts import Corpus
from intdim.request import PretrainConfig

SMALL = PretrainConfig(
    vocab_size=150,
    hidden_size=16,
    layers=1,
    heads=2,
    intermediate_size=32,
    max_positions=32,
    window=24,
    steps=12,
    batch_size=8,
    learning_rate=1e-2,
    warmup=0.05,
    weight_decay=0.01,
    mask_fraction=0.15,
    checkpoint_every=5,
    embedding_scale=2.0,
    seed=0,
    precision="float32",
    device="cpu",
    threads=1,
)
NOUNS = ["array", "figure", "tensor", "table", "file", "window", "index", "signal"]
VERBS = ["Return", "Close", "Open", "Scale", "Draw", "Read", "Write", "Sort"]


def small_corpus(count: int = 240) -> Corpus:
    words = np.random.default_rng(5)
    titles, texts = [], []
    for number in range(count):
        verb, noun, other = words.choice(VERBS), words.choice(NOUNS), words.choice(NOUNS)
        titles.append(f"{verb} {noun} ( {other} )" if number % 4 else "")
        texts.append(f"{verb} the {noun} that belongs to the {other}, and return number {number} of them.")
    return Corpus("small", titles, texts, ["left" if number % 2 else "right" for number in range(count)])


@contextlib.contextmanager
def interrupted(at: int) -> Iterator[None]:
    """Press Ctrl-C before the step number ``at`` (from 0): torch's generator is seeded before the weights are drawn,
    then before each step."""
    real, step = loop.seed_world, -1

    def seed_world(seed: int) -> None:
        nonlocal step
        if step == at:
            raise KeyboardInterrupt
        step += 1
        real(seed)

    loop.seed_world = seed_world
    try:
        yield
    finally:
        loop.seed_world = real


def lines(out: Path) -> list[dict[str, float]]:
    found = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]
