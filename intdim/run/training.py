"""One training run: the same loop for a subspace and for full fine-tuning.

``train`` takes a ``Run``: a model, the prepared task and a typed ``RunSpec``. It evaluates at every epoch and at the
end; ``selection.py`` says which step counts and what the score of the run is.
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

import numpy as np
import torch
from torch import Tensor

from intdim import durable
from intdim.kernels.agreement import Agreement
from intdim.launch.base import Report
from intdim.launch.jobs import Note
from intdim.ledger.results import ANSWERS_FILE, Answers
from intdim.models.weights import few
from intdim.run import evaluation
from intdim.run.build import Built
from intdim.run.checkpoint import Checkpoint, load_sealed, misfit, save_sealed
from intdim.run.evaluation import Answering
from intdim.run.objective import find_objective
from intdim.run.optimiser import Optimiser
from intdim.run.schedule import evaluation_steps, learning_rate, micro_batches, total_steps
from intdim.run.selection import Best, Selection, empty_answers, updated_answers
from intdim.run.step import Step
from intdim.run.stopping import Evaluation, stop_reason
from intdim.seals import Damaged
from intdim.spec import RunSpec, from_dict, to_dict
from intdim.tasks.stored import Split

TRAIN_SCORE_EXAMPLES = 1024  # the training score is read on this many examples: a standard error of 1.6 points at most
LOG_EVERY = 50  # steps between lines about the training loss
REPORT_SECONDS = 0.5  # between progress reports


@dataclass(frozen=True)
class Progress:
    """What a checkpoint says beside its tensors: the step, the time spent, the steps chosen so far, all evaluations,
    and the sum of the training losses since the last one, over how many steps."""

    step: int
    seconds: float
    selection: Selection
    evaluations: list[Evaluation]
    recent_losses: float
    recent_steps: int


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
    half_scores: list[float] | None
    steps: int
    best_step: int
    other_step: int
    seconds: float


class Run:
    """State of one training: what is trained, the optimiser, the step, the steps chosen so far.

    Args:
        built: the model, what is trained in it, the data as it takes it.
        spec: the run.
        device: where the model is.
        folder: where the run's files go.
        reseed: seeds the global generators for dropout; called with each step's number.
        report: takes progress.
        checkpoint_seconds: least time between checkpoints.
        damaged: takes a checkpoint that cannot be used out of the way; by default it is removed.
        compiled: the forward pass of training goes through torch.compile.
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
        damaged: Callable[[Damaged], None] | None = None,
        compiled: bool = False,
    ) -> None:
        self.model, self.trainable, self.data, self.spec = built.model, built.trainable, built.data, spec
        self.still = built.still
        self.device, self.folder, self.reseed, self.report = device, folder, reseed, report
        self.objective = find_objective(spec.task.objective)
        self.notes: list[str] = []

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
        self.one_step = Step(
            self.model,
            self.trainable,
            self.optimiser,
            objective=self.objective,
            still=self.still,
            split=self.data.train,
            pad_id=self.data.pad_id,
            precision=train.precision,
            accumulation=train.accumulation,
            device=device,
            say=self.say,
            compiled_rows=train.batch_size if compiled else 0,
        )
        self.answering = Answering(self.model, self.objective, train.precision, device, self.say)
        self.damaged = damaged or (lambda error: error.file.unlink(missing_ok=True))
        self.checkpoint = Checkpoint(folder / "checkpoint.safetensors", checkpoint_seconds, spec.run_id)

        self.step, self.seconds, self.selection = 0, 0.0, Selection()
        self.answers = empty_answers(self.data)
        self.agreement: Agreement | None = None  # of the kept weights, at the end
        self.losses, self.counted = self.one_step.losses, 0  # since the last line of the log
        self.evaluations: list[Evaluation] = []
        self.recent_losses, self.recent_steps = self.one_step.recent_losses, 0  # since the last evaluation

    # -- one optimiser step ------------------------------------------------------------------------------------------

    def advance(self, rows: list[Tensor]) -> None:
        """Make one optimiser step over the given micro-batches."""
        self.reseed(self.step)
        self.one_step.make(self.step, rows)
        self.step += 1
        self.counted += 1
        self.recent_steps += 1

    # -- evaluation --------------------------------------------------------------------------------------------------

    def evaluate(self) -> None:
        """Score the evaluation split; keep this step if it is the best so far on a half that chooses."""
        data, split, chosen = self.data, self.data.evaluation, self.selection
        predictions, losses = self.predict(split, torch.arange(len(split.labels)))
        (select, select_loss), (score, loss) = (
            (self.score(split, rows, predictions[rows]), float(losses[rows].mean()))
            for rows in (data.select_half, data.score_half)
        )
        train_loss = float(self.recent_losses) / max(1, self.recent_steps)

        latest = Evaluation(self.step, select, select_loss, train_loss, score, loss)
        self.evaluations.append(latest)
        self.recent_losses.zero_()
        self.recent_steps = 0
        self.log(dataclasses.asdict(latest))

        better = chosen.kept.update(self.step, select, score, loss)
        other_better = chosen.other.update(self.step, score, select, select_loss)
        if better:
            kept = {name: tensor.contiguous() for name, tensor in self.trainable.tensors().items()}
            save_sealed(self.best_file, kept, dataclasses.asdict(chosen.kept), self.spec.run_id)
        if better or other_better:
            self.answers = updated_answers(self.answers, predictions, chosen)
            self.answers.write(self.folder)
        self.report_progress(latest.score)

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
            answering=self.answering,
        )

    def score(self, split: Split, index: Tensor, predictions: Tensor) -> float:
        """Return the task's metric for predictions that are in the order of ``index``."""
        return evaluation.score(self.spec.task.metric, split, index, predictions)

    def train_score(self) -> float:
        """Score the best step's weights on a fixed sample of the training examples, and measure what the forward pass
        sees of their update.

        Raises:
            Damaged: what the best step left is not what was written.
        """
        stored, step = self.stored_best()
        if step != self.selection.kept.step:
            raise Damaged(self.best_file, f"it is of step {step} in place of {self.selection.kept.step}")
        for name, tensor in self.trainable.tensors().items():
            tensor.copy_(stored[name])
        self.trainable.write(step)
        self.agreement = self.trainable.agreement()

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

    def stored_best(self) -> tuple[dict[str, Tensor], int]:
        """Return what the best step so far left on disk, and its number; its answers are there too.

        Raises:
            Damaged: one of the two files is missing or not what was written, or they are of an earlier step or of
                another evaluation than ``best``.
        """
        try:
            stored, facts = load_sealed(self.best_file, self.spec.run_id)
            found = from_dict(Best, facts)
        except (FileNotFoundError, ValueError) as error:
            raise error if isinstance(error, Damaged) else Damaged(self.best_file, error) from error

        best, other = self.selection.kept, self.selection.other
        why = misfit(stored, self.trainable.tensors())
        same = json.dumps(dataclasses.asdict(found)) == json.dumps(dataclasses.asdict(best))
        if found.step < best.step or (found.step == best.step and not same):
            why = why or f"it is of step {found.step} in place of {best.step}"
        if why:
            raise Damaged(self.best_file, why)

        answers = Answers.read(self.folder)
        fits = answers is not None and np.array_equal(answers.half, self.answers.half)
        if answers is None or not fits or answers.step < best.step or answers.other_step < other.step:
            raise Damaged(self.folder / ANSWERS_FILE, f"it has no answers of steps {best.step} and {other.step}")
        self.answers = answers
        return stored, found.step

    def say(self, text: str) -> None:
        """Tell the user something about the run, which its log keeps too."""
        self.notes.append(text)
        self.report(to_dict(Note(text)))

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
        """Write the checkpoint: what is trained, the moments, the step, the steps chosen, the time spent."""
        losses = float(self.recent_losses)
        now = Progress(self.step, seconds, self.selection, self.evaluations, losses, self.recent_steps)
        self.checkpoint.save(self.trainable.tensors(), self.optimiser.inner, dataclasses.asdict(now))

    def restore(self) -> None:
        """Go on from the checkpoint, if there is one: the same numbers as if the run had never stopped.

        Raises:
            Damaged: what the best step before the checkpoint left is not what was written.
        """
        try:
            facts = self.checkpoint.restore(self.trainable.tensors(), self.optimiser.inner)
        except Damaged as error:
            self.damaged(error)
            facts = None
        metrics_file = self.folder / "metrics.jsonl"
        if facts is None:
            metrics_file.unlink(missing_ok=True)
            return

        try:
            found = from_dict(Progress, facts)
        except ValueError as error:
            raise Damaged(self.checkpoint.path, error) from error
        self.step, self.seconds, self.selection = found.step, found.seconds, found.selection
        self.evaluations = found.evaluations
        self.recent_losses.fill_(found.recent_losses)
        self.recent_steps = found.recent_steps
        if self.selection.kept.step >= 0:
            self.stored_best()

        if metrics_file.exists():  # lines written after the checkpoint will be written again
            lines = metrics_file.read_text(encoding="utf-8", errors="replace").splitlines()
            durable.write_text(metrics_file, "".join(f"{line}\n" for line in lines if _step_of(line) <= self.step))


def train(run: Run) -> Outcome:
    """Run ``run`` to its end, to where it may stop, or to the first loss that is not finite; return its outcome."""
    start = reported = time.monotonic()
    run.restore()
    run.trainable.write(run.step)
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
            moved = run.still.moved()
            if moved:
                reason = f"training moved {few(moved)}, which are no weights: theta alone does not give the answers"
                break
            stopped = stop_reason(run.evaluations, run.spec.train.patience, run.spec.stop_at)
            if stopped and run.step < run.total:
                break
            stopped = ""
        if run.checkpoint.due():
            run.save(spent_before + time.monotonic() - start)

    chosen = run.selection
    if not reason and not chosen.complete:
        reason = f"no evaluation gave a finite score in {run.total} steps"
    train_score = math.nan if reason else run.train_score()
    if reason:
        chosen = Selection()
    return Outcome(
        reason=reason,
        stopped=stopped,
        train_score=train_score,
        eval_score=chosen.score,
        select_score=chosen.select_score if chosen.complete else math.nan,
        eval_loss=chosen.loss,
        half_scores=[chosen.kept.eval_score, chosen.other.eval_score] if chosen.complete else None,
        steps=run.step,
        best_step=chosen.kept.step,
        other_step=chosen.other.step,
        seconds=spent_before + time.monotonic() - start,
    )


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return math.inf  # a torn last line
