"""Training under quantisation: z moves on while the model only ever sees it at the levels of a codebook."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor, nn

from intdim.artifacts.candidates import Candidate
from intdim.artifacts.contents import message_of
from intdim.artifacts.rebuild import state_of
from intdim.artifacts.scorer import Scorer
from intdim.coding import Message, encode
from intdim.coding.codebook import assign
from intdim.coding.message import Block
from intdim.launch.base import Report
from intdim.launch.jobs import RunProgress
from intdim.run.optimiser import Optimiser
from intdim.run.schedule import micro_batches
from intdim.run.seeding import seed_world
from intdim.spec import derive_seed, to_dict
from intdim.tasks import batches

SMALLER_RATE = 0.5  # training under quantisation begins at this part of the run's own rate
REPORT_EVERY = 50  # steps


class Quantiser:
    """A z in full precision beside the codebook that rounds it; codebook, pressure and scales stay as they are."""

    def __init__(self, scorer: Scorer, candidate: Candidate) -> None:
        start = scorer.state["z"] if candidate.precise_z is None else candidate.precise_z
        self.precise_z = nn.Parameter(start.clone().to(scorer.device))
        self.spec, self.scales = scorer.spec, candidate.message.scales
        self.book, self.pressure = candidate.message.z.book, candidate.pressure
        self.levels = self.book.values.astype(np.float64)

    def message(self) -> Message:
        """Return the message of z as it is rounded now."""
        values = self.precise_z.detach().cpu().double().numpy()
        chosen = assign(values, self.levels, self.pressure, float(values.std()))
        return message_of(self.spec, Block(self.book, tuple(chosen.tolist())), self.scales)


def finetune(scorer: Scorer, candidate: Candidate, steps: int, report: Report) -> Candidate:
    """Train on with the candidate's codebook in place, and return what comes of it.

    The model sees the quantised z, and the gradient there moves the one in full precision (a straight-through
    estimate, Bengio et al. 2013). There is no dropout: a few hundred levels cannot learn a training sample by heart,
    and its noise would only push z over the edges between levels (d=64 on docstrings-kind: a training error of 0.291
    against 0.299 with it). Only a model whose memory is saved by checkpointing gradients keeps it, because that works
    in training mode alone.
    """
    spec, quantiser = scorer.spec, Quantiser(scorer, candidate)
    optimiser = Optimiser(
        [{"params": [quantiser.precise_z], "weight_decay": 0.0}],
        rate=SMALLER_RATE * spec.step_length / math.sqrt(spec.d),
        total=steps,
        warmup=0.0,
        clip=spec.train.clip,
        betas=(spec.train.beta1, spec.train.beta2),
        eps=spec.train.epsilon,
        fused=None,  # as torch chooses: certificates were made so
    )
    dropout = derive_seed(spec.seed, "quantised")
    if spec.model.gradient_checkpointing:
        scorer.still.train()
    else:
        scorer.model.eval()

    for step, rows in enumerate(micro_batches(scorer.data, spec, 0)):
        if step >= steps:
            break
        scorer.place(state_of(quantiser.message()))
        seed_world(derive_seed(dropout, step))
        quantiser.precise_z.grad = gradient(scorer, rows)
        optimiser.step(step)
        if (step + 1) % REPORT_EVERY == 0:
            report(to_dict(RunProgress(step + 1, steps)))

    message = quantiser.message()
    _, bits, _ = encode(message)
    name = f"{candidate.name.partition(', trained')[0]}, trained {steps} steps"
    return Candidate(name, message, bits, candidate.pressure, quantiser.precise_z.detach().cpu())


def gradient(scorer: Scorer, rows: list[Tensor]) -> Tensor:
    """Return the gradient (d - m,) at the z in the model of the mean loss over micro-batches (row numbers)."""
    train, examples = scorer.data.train, sum(len(part) for part in rows)
    for part in rows:
        inputs = batches.collate(train, part, scorer.data.pad_id, scorer.device)
        labels = inputs.pop("labels")
        loss = scorer.objective.loss(scorer.model(**inputs).logits, labels)
        (loss * (len(part) / examples)).backward()
    scorer.subspace.read_grad()

    found = scorer.subspace.z.grad
    assert found is not None
    for weight in scorer.subspace.parameters():
        weight.grad = None
    return found
