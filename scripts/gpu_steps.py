"""The steps that ``bench_gpu_steps.py`` compares: full fine-tuning and a subspace; launched, captured, compiled."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification

from intdim.models.buffers import Still
from intdim.run.objective import Classification
from intdim.run.optimiser import Optimiser
from intdim.run.replay import EAGER_CALLS
from intdim.run.step import Step as OptimiserStep
from intdim.run.trainable import FullTrainable, SubspaceTrainable, Trainable
from intdim.subspace import Subspace
from intdim.tasks.stored import Split

CLIP, RATE, VOCABULARY = 1.0, 1e-4, 30522
WARM = EAGER_CALLS + 1  # steps until a graph is captured

Batch = list[Tensor]


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


def batch(shape: Shape) -> Batch:
    """Return which of the examples of ``split`` a step is made with."""
    return [torch.arange(shape.rows)]


def split(shape: Shape) -> Split:
    """Return random examples of one length, as many as a batch has, with labels."""
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randint(5, VOCABULARY, (shape.rows * shape.length,), generator=rng, dtype=torch.int32)
    labels = torch.randint(0, 2, (shape.rows,), generator=rng)
    lengths = torch.full((shape.rows,), shape.length)
    return Split(tokens, torch.arange(shape.rows) * shape.length, lengths, labels, None, False, 0)


class Launched:
    """What a form trains, and its step, which Python launches kernel by kernel unless the form is captured."""

    def __init__(self, form: Form, shape: Shape, dropout: float, d: int, projection: str, device: torch.device) -> None:
        torch.manual_seed(0)
        with device:
            made: Any = BertForSequenceClassification(shape.config(dropout))
        made.set_attn_implementation("sdpa")
        self.model: Any = made.to(device).train()
        trainable: Trainable
        if form.full:
            trainable = FullTrainable(self.model, ())
        else:
            subspace = Subspace(self.model, d, projection, dtype=torch.bfloat16, base_dtype=form.base)
            trainable = SubspaceTrainable(subspace)
        self.trained, self.number = trainable.tensors(), 0
        self.step = OptimiserStep(
            self.model,
            trainable,
            Optimiser(trainable.groups(0.01), rate=RATE, total=10**6, warmup=0.0, clip=CLIP, betas=(0.9, 0.999)),
            objective=Classification(),
            still=Still(self.model),
            split=split(shape),
            pad_id=0,
            precision="bf16",
            accumulation=1,
            device=device,
            say=self.fail,
            compiled_rows=shape.rows if form.compiled else 0,
        )
        if self.step.on_gpu and not form.captured:
            self.step.whole.failed = True

    def fail(self, text: str) -> None:
        """A form that is not made as it is called has no figures."""
        raise RuntimeError(text)

    def position(self) -> Tensor:
        """Return what is trained, as one vector."""
        return torch.cat([one.flatten().float() for one in self.trained.values()])

    def __call__(self, batch: Batch) -> None:
        """Make a step: that of ``intdim train``."""
        self.step.make(self.number, batch)
        self.number += 1


def make(name: str, shape: Shape, options: argparse.Namespace, dropout: float = 0.1) -> Launched:
    """Return a contender, whose graph, if it has one, is captured in the third call."""
    return Launched(FORMS[name], shape, dropout, options.d, options.projection, torch.device("cuda"))
