"""The steps that ``bench_gpu_steps.py`` compares: full fine-tuning and a subspace; launched, captured, compiled."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from intdim.subspace import Subspace

CLIP, RATE, VOCABULARY = 1.0, 1e-4, 30522
WARM = 3  # steps before a graph is captured

Batch = tuple[Tensor, Tensor]
Step = Callable[[Batch], None]


@dataclass(frozen=True)
class Shape:
    """Of a model and its batches."""

    layers: int
    hidden: int
    heads: int
    rows: int
    length: int

    def config(self, dropout: float = 0.1) -> BertConfig:
        """Return the configuration of the model."""
        return BertConfig(
            vocab_size=VOCABULARY, hidden_size=self.hidden, num_hidden_layers=self.layers,
            num_attention_heads=self.heads, intermediate_size=4 * self.hidden, hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )  # fmt: skip


@dataclass(frozen=True)
class Form:
    """How a step is made: of full fine-tuning or a subspace, with theta_0 in ``base``."""

    full: bool = False
    base: torch.dtype = torch.float32
    captured: bool = False
    compiled: bool = False


BASE, SMALL, SMALLEST = "BERT-base 32 x 128", "6 x 384, 32 x 48", "2 x 160, 4 x 16"
SHAPES = {BASE: Shape(12, 768, 12, 32, 128), SMALL: Shape(6, 384, 12, 32, 48), SMALLEST: Shape(2, 160, 5, 4, 16)}
FORMS = {
    "full": Form(full=True),
    "full, captured": Form(full=True, captured=True),
    "subspace": Form(),
    "subspace, captured": Form(captured=True),
    "subspace, compiled, captured": Form(captured=True, compiled=True),
    "subspace, bf16 theta_0": Form(base=torch.bfloat16),
    "subspace, bf16 theta_0, captured": Form(base=torch.bfloat16, captured=True),
}


def batch(shape: Shape, device: torch.device) -> Batch:
    """Return random tokens, shape ``(rows, length)``, and labels."""
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randint(5, VOCABULARY, (shape.rows, shape.length), generator=rng)
    return tokens.to(device), torch.randint(0, 2, (shape.rows,), generator=rng).to(device)


class Launched:
    """A step that Python launches kernel by kernel; a callable that takes a batch."""

    def __init__(self, form: Form, config: BertConfig, d: int, projection: str, device: torch.device) -> None:
        torch.manual_seed(0)
        with device:
            made: Any = BertForSequenceClassification(config)
        made.set_attn_implementation("sdpa")
        self.model: Any = made.to(device).train()
        self.device, self.subspace, self.autocast = device, None, form.full
        if form.full:
            self.trainable = list(self.model.parameters())
        else:
            self.subspace = Subspace(self.model, d, projection, dtype=torch.bfloat16, base_dtype=form.base)
            self.trainable = self.subspace.parameters()
        on_card = device.type == "cuda"  # a graph needs a rate that lies on the device
        rate: Any = torch.tensor(RATE, device=device) if form.captured and on_card else RATE
        self.optimiser = torch.optim.AdamW(self.trainable, lr=rate, fused=True, capturable=form.captured and on_card)
        if form.compiled:
            self.model = torch.compile(self.model)

    def position(self) -> Tensor:
        """Return what is trained, as one vector."""
        return torch.cat([one.detach().flatten().float() for one in self.trainable])

    def __call__(self, batch: Batch) -> None:
        """Make a step."""
        tokens, labels = batch
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            logits = self.model(input_ids=tokens).logits
        nn.functional.cross_entropy(logits.float(), labels).backward()
        if self.subspace is not None:
            self.subspace.read_grad()
        nn.utils.clip_grad_norm_(self.trainable, CLIP)
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.subspace is not None:
            self.subspace.write()


def captured(launched: Launched, batch: Batch) -> Step:
    """Return the same step as one CUDA graph, for batches of one shape."""
    held = batch[0].clone(), batch[1].clone()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM):
            launched(held)
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()

    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        launched(held)

    def replay(batch: Batch) -> None:
        for place, value in zip(held, batch, strict=True):
            place.copy_(value)
        graph.replay()

    return replay


def make(name: str, shape: Shape, options: argparse.Namespace, dropout: float = 0.1) -> tuple[Launched, Step]:
    """Return what a contender trains, and its step."""
    device = torch.device("cuda")
    launched = Launched(FORMS[name], shape.config(dropout), options.d, options.projection, device)
    return launched, captured(launched, batch(shape, device)) if FORMS[name].captured else launched
