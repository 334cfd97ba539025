"""One training run: the same loop for a subspace and for full fine-tuning.

``train`` takes a ``Run``: a model, the prepared task and a typed ``RunSpec``. It evaluates at every epoch and at the
end, keeps the step that was best on the selection half of the evaluation split, and reads the score on the other half.
The loop is exactly resumable: batches depend on (seed, epoch), dropout on (seed, step), and a checkpoint holds what is
trained together with the optimiser's moments.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from intdim import durable
from intdim.launch.base import Report
from intdim.ledger.results import Answers
from intdim.run import evaluation
from intdim.run.build import Built
from intdim.run.checkpoint import Checkpoint, load_tensors, save_tensors
from intdim.run.evaluation import autocast
from intdim.run.objective import find_objective
from intdim.run.optimiser import Optimiser
from intdim.run.schedule import evaluation_steps, learning_rate, micro_batches, total_steps
from intdim.run.stopping import Evaluation, stop_reason
from intdim.spec import RunSpec
from intdim.tasks import batches
from intdim.tasks.stored import Split

TRAIN_SCORE_EXAMPLES = 1024  # the training score is read on this many examples: a standard error of 1.6 points at most
LOG_EVERY = 50  # steps between lines about the training loss
REPORT_SECONDS = 0.5  # between progress reports


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


class Run:
    """State of one training: what is trained, the optimiser, the step, the best evaluation.

    Args:
        built: the model, what is trained in it, the data as it takes it.
        spec: the run.
        device: where the model is.
        folder: where the run's files go.
        reseed: seeds the global generators for dropout; called with each step's number.
        report: takes progress.
        checkpoint_seconds: least time between checkpoints.
    """

    def __init__(
        self,
        built: Built,
        spec: RunSpec,
        *,
        device: torch.device,
        folder: Path,
        reseed: Callable[[int], None],
        report: Report,
        checkpoint_seconds: float,
    ) -> None:
        self.model, self.trainable, self.data, self.spec = built.model, built.trainable, built.data, spec
        self.device, self.folder, self.reseed, self.report = device, folder, reseed, report
        self.objective = find_objective(spec.task.objective)

        train, examples = spec.train, len(self.data.train.labels)
        self.total, self.per_epoch = total_steps(train, examples)
        self.evaluate_at = set(evaluation_steps(train, examples))
        self.optimiser = Optimiser(
            self.trainable.groups(train.weight_decay),
            rate=learning_rate(spec, self.trainable.d),
            total=self.total,
            warmup=train.warmup,
            clip=train.clip,
            betas=(train.beta1, train.beta2),
            eps=train.epsilon,
        )
        self.checkpoint = Checkpoint(folder / "checkpoint.safetensors", checkpoint_seconds)

        self.step, self.seconds, self.best = 0, 0.0, Best()
        self.losses, self.counted = torch.zeros((), device=device), 0  # since the last line of the log
        self.evaluations: list[Evaluation] = []
        self.recent_losses, self.recent_steps = torch.zeros((), device=device), 0  # since the last evaluation

    # -- one optimiser step ------------------------------------------------------------------------------------------

    def advance(self, rows: list[Tensor]) -> None:
        """Make one optimiser step over the given micro-batches."""
        self.reseed(self.step)
        self.model.train()
        examples = sum(len(part) for part in rows)
        for part in rows:
            inputs = batches.collate(self.data.train, part, self.data.pad_id, self.device)
            labels = inputs.pop("labels")
            with autocast(self.spec.train.precision, self.device):
                logits = self.model(**inputs).logits
            loss = self.objective.loss(logits, labels) * (len(part) / examples)
            loss.backward()
            self.losses += loss.detach()
            self.recent_losses += loss.detach()
        self.counted += 1
        self.recent_steps += 1

        self.trainable.read_grad()
        self.optimiser.step(self.step)
        self.trainable.write()
        self.step += 1

    # -- evaluation --------------------------------------------------------------------------------------------------

    def evaluate(self) -> None:
        """Score the evaluation split; keep this step if its selection score is the best so far."""
        data, split = self.data, self.data.evaluation
        predictions, losses = self.predict(split, torch.arange(len(split.labels)))
        select = self.score(split, data.select_half, predictions[data.select_half])
        score = self.score(split, data.score_half, predictions[data.score_half])
        loss = float(losses[data.score_half].mean())
        train_loss = float(self.recent_losses) / max(1, self.recent_steps)

        latest = Evaluation(self.step, select, float(losses[data.select_half].mean()), train_loss)
        self.evaluations.append(latest)
        self.recent_losses.zero_()
        self.recent_steps = 0
        self.log(dataclasses.asdict(latest) | {"eval_score": score, "eval_loss": loss})

        if select > self.best.select_score:
            self.best = Best(self.step, select, score, loss)
            kept = {name: tensor.contiguous() for name, tensor in self.trainable.tensors().items()}
            save_tensors(self.best_file, kept, {"best": json.dumps(dataclasses.asdict(self.best))})
            answers = predictions[data.score_half].numpy(), split.labels[data.score_half].numpy()
            Answers(*answers).write(self.folder, self.step)
        self.report_progress(select)

    def predict(self, split: Split, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return (predictions, losses) of the present weights, in the order of ``index``."""
        return evaluation.predict(
            self.model,
            split,
            index,
            objective=self.objective,
            pad_id=self.data.pad_id,
            batch_size=max(64, 2 * self.spec.train.batch_size),
            precision=self.spec.train.precision,
            device=self.device,
        )

    def score(self, split: Split, index: Tensor, predictions: Tensor) -> float:
        """Return the task's metric for predictions that are in the order of ``index``."""
        return evaluation.score(self.spec.task.metric, split, index, predictions)

    def train_score(self) -> float:
        """Score the best step's weights on a fixed sample of the training examples."""
        stored, _ = load_tensors(self.best_file)
        for name, tensor in self.trainable.tensors().items():
            tensor.copy_(stored[name])
        self.trainable.write()

        count = len(self.data.train.labels)
        rng = torch.Generator().manual_seed(count)
        index = torch.randperm(count, generator=rng)[:TRAIN_SCORE_EXAMPLES].sort().values
        predictions, _ = self.predict(self.data.train, index)
        return self.score(self.data.train, index, predictions)

    # -- files -------------------------------------------------------------------------------------------------------

    @property
    def best_file(self) -> Path:
        """z.safetensors in a subspace (kept for good); for full fine-tuning a large file, dropped at the end."""
        return self.folder / ("best.safetensors" if self.spec.subspace.method == "full" else "z.safetensors")

    def log(self, line: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl and flush it."""
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def log_loss(self) -> None:
        """Append the mean training loss since the last such line."""
        mean_loss = float(self.losses) / self.counted
        if math.isfinite(mean_loss):
            self.log({"step": self.step, "loss": mean_loss, "rate": self.optimiser.current_rate})
        self.losses.zero_()
        self.counted = 0

    def report_progress(self, score: float | None = None) -> None:
        """Report the step, the loss and perhaps a score."""
        loss = float(self.losses) / max(1, self.counted)
        facts: dict[str, Any] = {"step": self.step, "steps": self.total}
        if self.counted and math.isfinite(loss):
            facts["loss"] = round(loss, 5)
        if score is not None:
            facts["score"] = score
        self.report(facts)

    def save(self, seconds: float) -> None:
        """Write the checkpoint: what is trained, the moments, the step, the best evaluation, the time spent."""
        facts = {
            "step": self.step,
            "seconds": seconds,
            "best": dataclasses.asdict(self.best),
            "evaluations": [dataclasses.asdict(one) for one in self.evaluations],
            "recent": [float(self.recent_losses), self.recent_steps],
        }
        self.checkpoint.save(self.trainable.tensors(), self.optimiser.inner, facts)

    def restore(self) -> None:
        """Go on from the checkpoint, if there is one: the same numbers as if the run had never stopped."""
        facts = self.checkpoint.restore(self.trainable.tensors(), self.optimiser.inner)
        if facts is None:
            (self.folder / "metrics.jsonl").unlink(missing_ok=True)
            return

        self.step, self.seconds = facts["step"], facts["seconds"]
        self.best = Best(**facts["best"])
        self.evaluations = [Evaluation(**one) for one in facts["evaluations"]]
        recent, self.recent_steps = facts["recent"]
        self.recent_losses.fill_(recent)

        metrics_file = self.folder / "metrics.jsonl"
        if metrics_file.exists():  # lines written after the checkpoint will be written again
            kept = [line for line in metrics_file.read_text().splitlines() if _step_of(line) <= self.step]
            durable.write_text(metrics_file, "".join(line + "\n" for line in kept))


def train(run: Run) -> Outcome:
    """Run ``run`` to its end, to where it may stop, or to the first loss that is not finite; return its outcome."""
    start = reported = time.monotonic()
    run.restore()
    run.trainable.write()
    spent_before = run.seconds
    reason = stopped = ""
    read_loss_every = 1 if run.device.type == "cpu" else 20  # reading the loss waits for the device

    for rows in micro_batches(run.data, run.spec, run.step):
        if run.step >= run.total:
            break
        run.advance(rows)
        if run.step % read_loss_every == 0 or run.step in run.evaluate_at:
            if not math.isfinite(float(run.losses)):
                reason = f"the loss is not finite at step {run.step} of {run.total}"
                break
            if time.monotonic() - reported > REPORT_SECONDS:
                run.report_progress()
                reported = time.monotonic()
        if run.step % LOG_EVERY == 0 or run.step == run.total:
            run.log_loss()
        if run.step in run.evaluate_at:
            run.evaluate()
            stopped = stop_reason(run.evaluations, run.spec.train.patience, run.spec.stop_at)
            if stopped and run.step < run.total:
                break
            stopped = ""
        if run.checkpoint.due():
            run.save(spent_before + time.monotonic() - start)

    if not reason and run.best.step < 0:
        reason = f"no evaluation gave a finite score in {run.total} steps"
    train_score = math.nan if reason else run.train_score()
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


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):
        return math.inf  # a torn last line
