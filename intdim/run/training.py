"""One training run: the same loop for a subspace and for full fine-tuning.

``train`` takes a model, the prepared task and a typed ``RunSpec``; it evaluates at every epoch and at the end, keeps
the step that was best on the selection half of the evaluation split, and reads the score on the other half. The loop
is exactly resumable: batches depend on (seed, epoch), dropout on (seed, step), and a checkpoint holds what is trained
together with the optimiser's moments.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from intdim import durable
from intdim.run.checkpoint import Checkpoint, load_tensors, save_tensors
from intdim.run.stopping import Look, stop_reason
from intdim.run.trainable import Mover
from intdim.spec import RunSpec, TrainSpec
from intdim.tasks import batches, metrics
from intdim.tasks.stored import Split, TaskData

TRAIN_SCORE_EXAMPLES = 1024  # the training score is read on this many examples: a standard error of 1.6 points at most


@dataclass
class Best:
    """The evaluation with the best selection score so far (the first one on a tie)."""

    step: int = -1
    select_score: float = -math.inf
    eval_score: float = math.nan
    eval_loss: float = math.nan


@dataclass(frozen=True)
class Outcome:
    """What a run found. ``reason`` is empty unless the run failed (not a finite loss), and scores are then NaN;
    ``stopped`` says why it ended before its last step, if it did."""

    reason: str
    stopped: str
    train_score: float
    eval_score: float
    select_score: float
    eval_loss: float
    steps: int
    best_step: int
    seconds: float


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


def rate_factor(step: int, total: int, warmup: float) -> float:
    """Return the schedule's factor for 0-based ``step``: linear warm-up over a share of all steps, then linear to 0."""
    rising = math.ceil(warmup * total)
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (total - step) / max(1, total - rising))


def learning_rate(spec: RunSpec, d: int) -> float:
    """Return Adam's rate: the step length over sqrt(d) in a subspace (measurement: s = lr sqrt(d)), else the rate."""
    return spec.learning_rate if spec.subspace.method == "full" else spec.step_length / math.sqrt(d)


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return the context for forward passes: bf16 autocast, or nothing for float32."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def loss_of(logits: Tensor, labels: Tensor, classes: int, reduction: str = "mean") -> Tensor:
    """Cross-entropy over ``classes``, or squared error where classes is 0; logits (N, classes or 1), labels (N,)."""
    logits = logits.float()
    if classes:
        return nn.functional.cross_entropy(logits, labels, reduction=reduction)
    return nn.functional.mse_loss(logits.squeeze(-1), labels.float(), reduction=reduction)


@torch.inference_mode()
def predict(
    model: nn.Module,
    split: Split,
    index: Tensor,
    *,
    data: TaskData,
    batch_size: int,
    precision: str,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return (predictions, losses) in the order of ``index``: class numbers, or real scores where classes is 0."""
    model.eval()
    classes = data.spec.classes
    predictions = torch.empty(len(split.labels), dtype=torch.float32 if not classes else torch.int64)
    losses = torch.empty(len(split.labels), dtype=torch.float32)
    for rows in batches.sequential(split, batch_size, index):
        inputs = batches.collate(split, rows, data.pad_id, device)
        labels = inputs.pop("labels")
        with autocast(precision, device):
            logits = model(**inputs).logits
        losses[rows] = loss_of(logits, labels, classes, reduction="none").cpu()
        answer = logits.argmax(-1) if classes else logits.float().squeeze(-1)
        predictions[rows] = answer.to(predictions.dtype).cpu()
    return predictions[index], losses[index]


def score_of(data: TaskData, split: Split, index: Tensor, predictions: Tensor) -> float:
    """Return the task's metric for predictions that are in the order of ``index``."""
    metric = metrics.METRICS[data.spec.metric]
    return float(metric(predictions.numpy(), split.labels[index].numpy()))


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


class Run:
    """State of one training: what moves, the optimiser, the step, the best evaluation."""

    def __init__(
        self,
        model: nn.Module,
        mover: Mover,
        data: TaskData,
        spec: RunSpec,
        *,
        device: torch.device,
        folder: Path,
        reseed: Callable[[int], None],
        report: Callable[[dict[str, Any]], None],
        checkpoint_seconds: float,
    ) -> None:
        self.model, self.mover, self.data, self.spec = model, mover, data, spec
        self.device, self.folder, self.reseed, self.report = device, folder, reseed, report
        train = spec.train
        self.rate = learning_rate(spec, mover.d)
        self.optimiser = torch.optim.AdamW(
            mover.groups(train.weight_decay),
            lr=self.rate,
            betas=(train.beta1, train.beta2),
            eps=train.epsilon,
            fused=True,
        )
        self.total, self.per_epoch = total_steps(train, len(data.train.labels))
        self.evaluate_at = set(evaluation_steps(train, len(data.train.labels)))
        self.step, self.seconds, self.best = 0, 0.0, Best()
        self.checkpoint = Checkpoint(folder / "checkpoint.safetensors", checkpoint_seconds)
        self.losses = torch.zeros((), device=device)
        self.counted = 0
        self.looks: list[Look] = []
        self.since_look, self.steps_since = torch.zeros((), device=device), 0

    # -- one optimiser step ------------------------------------------------------------------------------------------

    def advance(self, rows: list[Tensor]) -> None:
        """Make one optimiser step over the given micro-batches."""
        train = self.spec.train
        self.reseed(self.step)
        self.model.train()
        examples = sum(len(part) for part in rows)
        for part in rows:
            inputs = batches.collate(self.data.train, part, self.data.pad_id, self.device)
            labels = inputs.pop("labels")
            with autocast(train.precision, self.device):
                logits = self.model(**inputs).logits
            loss = loss_of(logits, labels, self.data.spec.classes) * (len(part) / examples)
            loss.backward()
            self.losses += loss.detach()
            self.since_look += loss.detach()
        self.counted += 1
        self.steps_since += 1
        self.mover.read_grad()
        if train.clip:
            moving = [weight for group in self.optimiser.param_groups for weight in group["params"]]
            nn.utils.clip_grad_norm_(moving, train.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * rate_factor(self.step, self.total, train.warmup)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.mover.write()
        self.step += 1

    # -- looking -----------------------------------------------------------------------------------------------------

    def evaluate(self) -> None:
        """Score the evaluation split; keep this step if its selection score is the best so far."""
        data, half = self.data, self.data.evaluation
        everything = torch.arange(len(half.labels))
        predictions, losses = self.predict(half, everything)
        select = score_of(data, half, data.select_half, predictions[data.select_half])
        score = score_of(data, half, data.score_half, predictions[data.score_half])
        loss = float(losses[data.score_half].mean())
        train_loss = float(self.since_look) / max(1, self.steps_since)
        look = Look(self.step, select, float(losses[data.select_half].mean()), train_loss)
        self.looks.append(look)
        self.since_look.zero_()
        self.steps_since = 0
        self.log(dataclasses.asdict(look) | {"eval_score": score, "eval_loss": loss})
        if select > self.best.select_score:
            self.best = Best(self.step, select, score, loss)
            kept = {name: tensor.contiguous() for name, tensor in self.mover.tensors().items()}
            save_tensors(self.best_file, kept, {"best": json.dumps(dataclasses.asdict(self.best))})
            answers = {"predictions": predictions[data.score_half], "labels": half.labels[data.score_half]}
            save_tensors(self.folder / "eval.safetensors", answers, {"step": str(self.step)})
        self.tell(select)

    def predict(self, split: Split, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return (predictions, losses) of the present weights, in the order of ``index``."""
        return predict(
            self.model,
            split,
            index,
            data=self.data,
            batch_size=max(64, 2 * self.spec.train.batch_size),
            precision=self.spec.train.precision,
            device=self.device,
        )

    def train_score(self) -> float:
        """Score the best step's weights on a fixed sample of the training examples."""
        stored, _ = load_tensors(self.best_file)
        for name, tensor in self.mover.tensors().items():
            tensor.copy_(stored[name])
        self.mover.write()
        count = len(self.data.train.labels)
        chooser = torch.Generator().manual_seed(count)
        index = torch.randperm(count, generator=chooser)[:TRAIN_SCORE_EXAMPLES].sort().values
        predictions, _ = self.predict(self.data.train, index)
        return score_of(self.data, self.data.train, index, predictions)

    # -- remembering -------------------------------------------------------------------------------------------------

    @property
    def best_file(self) -> Path:
        """z.safetensors in a subspace (kept for good); for full fine-tuning a large file, dropped at the end."""
        return self.folder / ("best.safetensors" if self.spec.subspace.method == "full" else "z.safetensors")

    def log(self, line: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl and flush it."""
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def tell(self, score: float | None = None) -> None:
        """Report progress to whoever watches."""
        loss = float(self.losses) / max(1, self.counted)
        facts: dict[str, Any] = {"step": self.step, "steps": self.total}
        if self.counted and math.isfinite(loss):
            facts["loss"] = round(loss, 5)
        if score is not None:
            facts["score"] = score
        self.report(facts)

    def save(self, seconds: float) -> None:
        """Write the checkpoint: what moves, the moments, the step, the best evaluation, the time spent."""
        facts = {
            "step": self.step,
            "seconds": seconds,
            "best": dataclasses.asdict(self.best),
            "looks": [dataclasses.asdict(look) for look in self.looks],
            "since_look": [float(self.since_look), self.steps_since],
        }
        self.checkpoint.save(self.mover.tensors(), self.optimiser, facts)

    def restore(self) -> None:
        """Go on from the checkpoint, if there is one: the same numbers as if the run had never stopped."""
        facts = self.checkpoint.restore(self.mover.tensors(), self.optimiser)
        if facts is None:
            (self.folder / "metrics.jsonl").unlink(missing_ok=True)
            return
        self.step, self.seconds = facts["step"], facts["seconds"]
        self.best = Best(**facts["best"])
        self.looks = [Look(**look) for look in facts["looks"]]
        since, self.steps_since = facts["since_look"]
        self.since_look.fill_(since)
        metrics_file = self.folder / "metrics.jsonl"
        if metrics_file.exists():  # lines written after the checkpoint will be written again
            kept = [line for line in metrics_file.read_text().splitlines() if _step_of(line) <= self.step]
            durable.write_text(metrics_file, "".join(line + "\n" for line in kept))


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):
        return math.inf  # a torn last line


def train(run: Run) -> Outcome:
    """Run ``run`` to its end, to where it may stop, or to the first loss that is not finite; return its outcome."""
    start = time.monotonic()
    run.restore()
    run.mover.write()
    spent_before = run.seconds
    reason = stopped = ""
    look_every = 1 if run.device.type == "cpu" else 20  # reading the loss waits for the device
    last_told = start
    for rows in micro_batches(run.data, run.spec, run.step):
        if run.step >= run.total:
            break
        run.advance(rows)
        now = time.monotonic()
        if run.step % look_every == 0 or run.step in run.evaluate_at:
            if not math.isfinite(float(run.losses)):
                reason = f"the loss is not finite at step {run.step} of {run.total}"
                break
            if now - last_told > 0.5:
                run.tell()
                last_told = now
        if run.step % 50 == 0 or run.step == run.total:
            mean_loss = float(run.losses) / run.counted
            if math.isfinite(mean_loss):
                run.log({"step": run.step, "loss": mean_loss, "rate": run.optimiser.param_groups[0]["lr"]})
            run.losses.zero_()
            run.counted = 0
        if run.step in run.evaluate_at:
            run.evaluate()
            stopped = stop_reason(run.looks, run.spec.train.patience, run.spec.stop_at)
            if stopped and run.step < run.total:
                break
            stopped = ""
        if run.checkpoint.due():
            run.save(spent_before + time.monotonic() - start)
    train_score = math.nan
    if not reason and run.best.step < 0:
        reason = f"no evaluation gave a finite score in {run.total} steps"
    if not reason:
        train_score = run.train_score()
    best = Best() if reason else run.best
    return Outcome(
        reason=reason,
        stopped=stopped,
        train_score=train_score,
        eval_score=best.eval_score,
        select_score=best.select_score if best.step >= 0 else math.nan,
        eval_loss=best.eval_loss,
        steps=run.step,
        best_step=best.step,
        seconds=spent_before + time.monotonic() - start,
    )
