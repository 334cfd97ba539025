"""A trained subspace made short: quantised in many ways, coded, decoded again, and scored as the decoded model.

The worker's side of ``intdim bound``. What is charged for is the message alone (``intdim.coding``): how z was found,
how it was quantised and which of many candidates was kept may depend on the training examples in any way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from intdim import durable
from intdim.artifacts.export import base_of, message_of, state_of, write_coded
from intdim.bounds import (
    catoni,
    occam_binomial,
    occam_hoeffding,
    occam_kl,
    relative_gap,
    share_upper,
    trend,
)
from intdim.coding import Message, decode, encode, fit
from intdim.coding.codebook import assign
from intdim.coding.message import Block
from intdim.errors import UserError
from intdim.ledger.finished import FinishedRun, find_run
from intdim.request import BoundRequest
from intdim.run.execute import seed_world, use_threads
from intdim.run.training import loss_of as loss_of_logits
from intdim.run.training import micro_batches, predict, rate_factor
from intdim.spec import Runtime, derive_seed, from_dict

Report = Callable[[dict[str, Any]], None]
SCREEN = 512  # training examples on which candidates are compared before the best are scored on all
SLACK = 0.03  # a candidate is passed over if even an error this much below the unquantised one could not make it best
FINALISTS = 2  # candidates that are scored on all training examples
PRESSURES = (0.0, 0.1, 0.3)  # of the codebook's assignment: see intdim/coding/codebook.py
SCALE_LEVELS = 5  # of SAID's scales
COARSE = 2  # of the smallest codebooks, the plainest candidate of each is trained on beside the best
HEAT = 4  # all of them for this part of the steps, the one in front then for all steps
SMALLER_RATE = 0.5  # fine-tuning under quantisation begins at this part of the run's own rate
FORM = "occam_binomial"  # which bound is the certificate: never above the other Occam forms, on the same event
EXACT = "float32"  # in which the decoded model is scored


@dataclass
class Candidate:
    """A quantised z: its message, length in bits and account, and its errors on the screened or all examples.

    ``shadow`` is the z in full precision that training under quantisation left, from which it can go on."""

    name: str
    message: Message
    bits: int
    account: dict[str, float]
    pressure: float
    screened: float = math.nan
    train_error: float = math.nan
    bound: float = math.nan
    shadow: Tensor | None = None


class Compressor:
    """A finished run's model in memory, whose z can be replaced and scored."""

    def __init__(self, run: FinishedRun, runtime: Runtime) -> None:
        from intdim.run.execute import build, fitting
        from intdim.tasks.stored import load_task

        self.run, self.spec = run, run.spec
        data = load_task(Path(runtime.task_folder))
        self.model, mover = build(self.spec, runtime, data)
        self.data = fitting(data, self.model)
        self.subspace: Any = mover.subspace  # type: ignore[attr-defined]
        self.state = state_of(run)
        self.device = torch.device(runtime.device)
        self.n = len(data.train.labels)
        chooser = np.random.default_rng(self.n)
        self.screen = torch.from_numpy(np.sort(chooser.permutation(self.n)[:SCREEN]))

    def place(self, z: np.ndarray, scales: np.ndarray | None) -> None:
        """Put quantised numbers into the model; ``scales`` are less one."""
        state = {"z": torch.from_numpy(z)}
        if scales is not None:
            state["scales"] = 1.0 + torch.from_numpy(scales)
        self.subspace.load_state_dict(state)
        self.subspace.write()

    def wrong(self, split: Any, index: Tensor) -> int:
        """Count the rows of ``index`` that the present weights get wrong."""
        predictions, _ = predict(
            self.model,
            split,
            index,
            data=self.data,
            batch_size=max(64, 2 * self.spec.train.batch_size),
            precision=EXACT,
            device=self.device,
        )
        return int((predictions != split.labels[index]).sum())

    def train_error(self, index: Tensor | None = None) -> float:
        """Return the share of training examples (all, or those of ``index``) that the present weights get wrong."""
        rows = torch.arange(self.n) if index is None else index
        return self.wrong(self.data.train, rows) / len(rows)

    # -- candidates --------------------------------------------------------------------------------------------------

    def message(self, z: Block, scales: Block | None) -> Message:
        """Return the message of quantised numbers."""
        return message_of(self.spec, z, scales)

    def candidates(self, settings: BoundRequest) -> list[Candidate]:
        """Return the run's z quantised in every way that is tried, short messages first, each message once."""
        scales = None
        if "scales" in self.state:
            book, chosen = fit(self.state["scales"].numpy() - 1.0, SCALE_LEVELS, "uniform")
            scales = Block(book, tuple(chosen.tolist()))
        made: dict[bytes, Candidate] = {}
        for kind in settings.codebooks:
            for levels in settings.levels:
                for pressure in PRESSURES:
                    book, chosen = fit(self.state["z"].numpy(), levels, kind, pressure)
                    message = self.message(Block(book, tuple(chosen.tolist())), scales)
                    data, bits, account = encode(message)
                    name = f"{kind}, {len(book.multiples)} levels, pressure {pressure:g}"
                    made.setdefault(data, Candidate(name, message, bits, account, pressure))
        return sorted(made.values(), key=lambda one: one.bits)

    def decoded(self, candidate: Candidate) -> Message:
        """Return the candidate's message after a trip through its bytes, which is what is scored."""
        data, bits, _ = encode(candidate.message)
        again, read = decode(data)
        assert (again, read) == (candidate.message, bits)
        assert encode(again)[0] == data
        return again

    def put(self, candidate: Candidate) -> None:
        """Put the decoded candidate into the model."""
        message = self.decoded(candidate)
        self.place(message.z.values, None if message.scales is None else message.scales.values)

    def screened(self, made: list[Candidate], whole: float, delta: float) -> list[Candidate]:
        """Score candidates on a sample, but for those whose length alone rules them out; best first."""
        best, kept = math.inf, []
        for candidate in made:
            hoped = min(whole, min((one.screened for one in kept), default=1.0))
            if occam_binomial(max(0.0, hoped - SLACK), candidate.bits, self.n, delta) > best:
                continue
            self.put(candidate)
            candidate.screened = self.train_error(self.screen)
            candidate.bound = occam_binomial(candidate.screened, candidate.bits, self.n, delta)
            best = min(best, candidate.bound)
            kept.append(candidate)
        return sorted(kept, key=lambda one: one.bound)

    def settle(self, candidate: Candidate, delta: float) -> Candidate:
        """Score a candidate on all training examples; the certificate is then its own."""
        self.put(candidate)
        candidate.train_error = self.train_error()
        candidate.bound = occam_binomial(candidate.train_error, candidate.bits, self.n, delta)
        return candidate

    # -- fine-tuning under quantisation -------------------------------------------------------------------------------

    def finetune(self, candidate: Candidate, steps: int, report: Report) -> Candidate:
        """Train on with the candidate's codebook in place, and return what comes of it.

        A full-precision z is kept beside the quantised one: the model sees the quantised one, and the gradient there
        moves the other (a straight-through estimate, Bengio et al. 2013). The codebook stays. There is no dropout: a
        few hundred levels cannot learn a training sample by heart, and its noise would only push z over the edges
        between levels (d=64 on docstrings-kind: a training error of 0.291 against 0.299 with it). Only a model whose
        memory is saved by checkpointing gradients keeps it, because that works in training mode alone.
        """
        book, scales = candidate.message.z.book, candidate.message.scales
        levels = book.values.astype(np.float64)
        begun = self.state["z"] if candidate.shadow is None else candidate.shadow
        shadow = nn.Parameter(begun.clone().to(self.device))
        train, spec = self.spec.train, self.spec
        rate = SMALLER_RATE * spec.step_length / math.sqrt(spec.d)
        optimiser = torch.optim.AdamW(
            [shadow], lr=rate, betas=(train.beta1, train.beta2), eps=train.epsilon, weight_decay=0.0
        )
        fixed = None if scales is None else scales.values

        def nearest() -> np.ndarray:
            values = shadow.detach().cpu().double().numpy()
            return assign(values, levels, candidate.pressure, float(values.std()))

        dropout = derive_seed(spec.seed, "quantised")
        self.model.train(spec.model.gradient_checkpointing)
        for step, rows in enumerate(micro_batches(self.data, spec, 0)):
            if step >= steps:
                break
            self.place(book.values[nearest()], fixed)
            seed_world(derive_seed(dropout, step))
            self.backward(rows)
            shadow.grad = self.subspace.z.grad.clone()
            if train.clip:
                nn.utils.clip_grad_norm_([shadow], train.clip)
            for group in optimiser.param_groups:
                group["lr"] = rate * rate_factor(step, steps, 0.0)
            optimiser.step()
            for weight in self.subspace.parameters():
                weight.grad = None
            if step % 50 == 49:
                report({"step": step + 1, "steps": steps})
        message = self.message(Block(book, tuple(nearest().tolist())), scales)
        _, bits, account = encode(message)
        name = f"{candidate.name.partition(', trained')[0]}, trained {steps} steps"
        return Candidate(name, message, bits, account, candidate.pressure, shadow=shadow.detach().cpu())

    def backward(self, rows: list[Tensor]) -> None:
        """Bring the loss's gradient over micro-batches to z."""
        from intdim.tasks import batches

        examples = sum(len(part) for part in rows)
        for part in rows:
            inputs = batches.collate(self.data.train, part, self.data.pad_id, self.device)
            labels = inputs.pop("labels")
            loss = loss_of_logits(self.model(**inputs).logits, labels, self.data.spec.classes)
            (loss * (len(part) / examples)).backward()
        self.subspace.read_grad()


def certify(run: FinishedRun, runtime: Runtime, settings: BoundRequest, folder: Path, report: Report) -> dict[str, Any]:
    """Look for a run's best certificate; write certificate.json, message.bin and model.safetensors to ``folder``.

    Raises:
        UserError: the task is a regression: a bound on 0/1 loss needs classes.
    """
    if not run.spec.task.classes:
        raise UserError(
            f"{run.spec.task.name} is a regression: a bound on the share of errors needs classes",
            "a task with classes",
            "Choose a run on another task.",
        )
    work = Compressor(run, runtime)
    work.place(work.state["z"].numpy(), work.state["scales"].numpy() - 1.0 if "scales" in work.state else None)
    whole = work.train_error()
    made = work.candidates(settings)
    ranked = work.screened(made, whole, settings.delta)
    finalists = [work.settle(candidate, settings.delta) for candidate in ranked[:FINALISTS]]
    if settings.finetune_steps:
        heat = max(1, settings.finetune_steps // HEAT)
        tuned = [work.finetune(start, heat, report) for start in _starts(ranked, made)]
        finalists += [work.settle(one, settings.delta) for one in tuned]
        front = min(tuned, key=lambda one: one.bound)
        finalists.append(work.settle(work.finetune(front, settings.finetune_steps, report), settings.delta))
    best = min(finalists, key=lambda one: one.bound)
    return _write(work, best, whole, len(made), settings, folder)


def _starts(ranked: list[Candidate], made: list[Candidate]) -> list[Candidate]:
    """Return what is trained on: the best candidate, and the plainest ones with the fewest levels, which gain most."""
    chosen, seen = [ranked[0]], {id(ranked[0])}
    for levels in sorted({len(one.message.z.book.multiples) for one in made})[:COARSE]:
        alike = [one for one in made if len(one.message.z.book.multiples) == levels]
        plain = min(alike, key=lambda one: (one.pressure, one.bits))
        if id(plain) not in seen:
            chosen.append(plain)
            seen.add(id(plain))
    return chosen


def _write(
    work: Compressor, best: Candidate, whole: float, tried: int, settings: BoundRequest, folder: Path
) -> dict[str, Any]:
    data, bits, account = encode(best.message)
    work.put(best)
    evaluation, rows = work.data.evaluation, work.data.score_half
    errors = work.wrong(evaluation, rows)
    shares = {side: _majority(work.data, side) for side in ("train", "evaluation")}
    q, n, delta, spec = best.train_error, work.n, settings.delta, work.spec
    book = best.message.z.book
    certificate = {
        "run_id": spec.run_id,
        "model": spec.model.name,
        "model_source": "random" if spec.model.random_init else spec.model.source,
        "task_source": spec.task.source,
        "task": spec.task.name,
        "method": spec.subspace.method,
        "projection": spec.subspace.projection,
        "scope": spec.subspace.scope,
        "d": spec.d,
        "D": work.subspace.D,
        "step_length": spec.step_length,
        "seed": spec.seed,
        "n": n,
        "delta": delta,
        "bits": bits,
        "account": {name: round(value, 3) for name, value in account.items()},
        "bits_per_coordinate": bits / spec.d,
        "quantisation": best.name,
        "levels": len(book.multiples),
        "level_values": [float(value) for value in book.values],
        "candidates": tried,
        "train_error": q,
        "train_error_unquantised": whole,
        "occam_binomial": occam_binomial(q, bits, n, delta),
        "occam_kl": occam_kl(q, bits, n, delta),
        "occam_hoeffding": occam_hoeffding(q, bits, n, delta),
        "catoni": catoni(q, bits, n, delta, search="best"),
        "majority_error_train": shares["train"],
        "majority_error_eval": shares["evaluation"],
        "eval_error": errors / len(rows),
        "eval_examples": len(rows),
        "selection": spec.task.selection,
        "eval_bound": share_upper(errors, len(rows), math.log(delta)),
    }
    gap = relative_gap(1.0 - q, 1.0 - certificate["eval_error"])
    certificate |= {"relative_gap": gap if math.isfinite(gap) else None, "trend": trend(spec.d, n)}
    certificate |= {"certificate": certificate[FORM], "form": FORM}
    certificate["beats_majority"] = certificate["certificate"] < min(shares.values())
    write_coded(folder / "model.safetensors", best.message, spec.model, base_of(work.run), work.run)
    durable.write_bytes(folder / "message.bin", data)
    durable.write_json(folder / "certificate.json", certificate)
    return certificate


def _majority(data: Any, side: str) -> float:
    """Return the error of always answering the commonest training label, on the training or evaluation split."""
    commonest = int(torch.bincount(data.train.labels).argmax())
    labels = data.train.labels if side == "train" else data.evaluation.labels
    return float((labels != commonest).double().mean())


def certify_job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """The job ``certify``: payload ``{"run": folder, "runtime", "settings", "folder"}``, answer the certificate."""
    runtime = from_dict(Runtime, payload["runtime"])
    use_threads(runtime)
    folder = Path(payload["folder"])
    known = durable.read_json(folder / "certificate.json")
    if known is not None:
        return known
    settings = from_dict(BoundRequest, payload["settings"])
    return certify(find_run(payload["run"], runtime.out), runtime, settings, folder, report)
