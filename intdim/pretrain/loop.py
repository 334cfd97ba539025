"""Masked-LM pre-training on one machine: any architecture, any corpus, checkpoints as Hugging Face folders.

The recipe is BERT's (Devlin et al. 2019): 15 % of the tokens are masked anew each time a text is seen, and the pooler
learns to tell whether the second segment belongs to the first (``windows.py``). Every other architecture, and a model
whose training goes on, learns the masked tokens of packed windows alone (``packed.py``). A checkpoint folder is
loadable by ``AutoModel``. Killed at any moment, the same call resumes from its last state and ends with the same
weights, bit for bit on CPU: a step's batch and its dropout depend on (seed, step) alone.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from intdim import seals
from intdim.errors import RunFailed
from intdim.launch.jobs import PretrainProgress, PretrainSummary
from intdim.ledger import pretrained
from intdim.ledger.store import Ledger
from intdim.pretrain.checkpoints import save_folder, saved_part, stored_weights
from intdim.pretrain.objectives import check_window, losses, make_bert, make_other
from intdim.pretrain.packed import Packed
from intdim.pretrain.record import State, identity_of, keep_metrics, make_record, resumes, write_record
from intdim.pretrain.texts import Corpus
from intdim.pretrain.tokenizer import make_tokenizer, read_tokenizer
from intdim.pretrain.whole import check_tokenizer, heal
from intdim.pretrain.windows import Windows
from intdim.request import PretrainConfig, Start
from intdim.run.checkpoint import Checkpoint
from intdim.run.optimiser import Optimiser, split_by_decay
from intdim.run.seeding import seed_world
from intdim.seals import Damaged, Tell, warn
from intdim.spec import from_dict

REPORT_EVERY = 100  # steps between lines of metrics.jsonl
STATE_EVERY = 60.0  # seconds between states to resume from
CLIP = 1.0  # largest norm of the gradient
BETAS = (0.9, 0.98)


def run(
    corpus: Corpus,
    out: Path,
    config: PretrainConfig,
    *,
    report: Callable[[PretrainProgress], None] = lambda progress: None,
    dtype: torch.dtype = torch.float32,
    start: Start | None = None,
    tell: Tell = warn,
) -> PretrainSummary:
    """Pre-train to the end, or resume from the last state in ``out``; return the closing facts.

    ``out`` holds ``tokenizer/``, ``step-<k>/`` every ``checkpoint_every`` steps, ``final/``, ``metrics.jsonl``,
    ``state.safetensors`` and ``pretrain.json`` (configuration and corpus fingerprint). Torch's global generator is
    seeded before the weights are drawn and before each step.

    Args:
        corpus: what to learn from.
        out: the folder; one that holds the same pre-training is resumed.
        config: what decides the weights.
        report: receives the mean losses of each line of ``metrics.jsonl``.
        dtype: how checkpoints store the weights; training itself keeps float32.
        start: another architecture than BERT, or weights whose training goes on; their tokenizer then comes with them.
        tell: receives a line about each file in ``out`` that is damaged and set aside.

    Raises:
        UserError: ``out`` cannot be written or holds something else, the corpus is too small for a
            batch, or the model cannot be had or cannot read a window; nothing is written.
        RunFailed: the loss became infinite or NaN, or another process is pre-training in ``out``.
    """
    torch.set_num_threads(config.threads)
    record = make_record(corpus, config, start)
    heal(out, record, tell)
    begun = resumes(out, record)

    kept = out / "tokenizer"
    with tempfile.TemporaryDirectory(prefix="intdim-pretrain-") as scratch:
        made = Path(scratch) / "tokenizer"
        if begun and kept.exists():
            tokenizer = read_tokenizer(kept, start)
        else:
            tokenizer = make_tokenizer(corpus, config.vocab_size, made, config.max_positions, start)
        windows = _windows(corpus, tokenizer, config, start)
        model = _model(tokenizer, windows, config, start)

        if not begun:
            write_record(out, record)
        if not kept.exists():
            partial = kept.with_name(".tokenizer.partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(made, partial)
            os.replace(partial, kept)

    if not check_tokenizer(out, record, tell):
        return run(corpus, out, config, report=report, dtype=dtype, start=start, tell=tell)
    ledger = Ledger(out, tell)
    with ledger.claim(out, patience=0):
        return _train(model, windows, ledger, config, report, dtype, identity_of(record))


def _windows(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase, config: PretrainConfig, start: Start | None
) -> Windows | Packed:
    """Cut the corpus into windows; raise ``UserError`` where it is too small."""
    return (Packed if start else Windows)(
        corpus,
        tokenizer,
        window=config.window,
        batch_size=config.batch_size,
        mask_fraction=config.mask_fraction,
        seed=config.seed,
    )


def _model(
    tokenizer: PreTrainedTokenizerBase, windows: Windows | Packed, config: PretrainConfig, start: Start | None
) -> nn.Module:
    """Draw or load the model, on the CPU; raise ``UserError`` where it cannot read a window."""
    seed_world(config.seed)
    shapes = dataclasses.asdict(config)
    if start is None:
        return make_bert(shapes, len(tokenizer), windows.pad)

    model = make_other(start, shapes, tokenizer)
    longest = max(windows.pieces, key=len)
    check_window(model, torch.from_numpy(longest).long()[None], config.window)
    return model


def make_optimiser(model: nn.Module, config: PretrainConfig) -> Optimiser:
    """Return AdamW with clipping, warm-up and decay; at least the first step warms up."""
    weights = list(model.parameters())
    return Optimiser(
        split_by_decay(weights, config.weight_decay),
        rate=config.learning_rate,
        total=config.steps,
        warmup=max(config.warmup, 0.5 / config.steps),
        clip=CLIP,
        betas=BETAS,
        fused=None,
        clipped=weights,
    )


def _train(
    model: nn.Module,
    windows: Windows | Packed,
    ledger: Ledger,
    config: PretrainConfig,
    report: Callable[[PretrainProgress], None],
    dtype: torch.dtype,
    identity: str,
) -> PretrainSummary:
    out = ledger.out
    nn.Module.to(model, config.device)
    optimiser = make_optimiser(model, config)
    moving: dict[str, Tensor] = dict(model.named_parameters())
    checkpoint = Checkpoint(out / "state.safetensors", STATE_EVERY, identity)
    state = _restore(checkpoint, moving, optimiser, ledger)
    if state.step == config.steps and not (out / "final").is_dir():  # it was lost
        _store(model, out, "final", state.step, config, dtype, identity)
    seals.room_for(out / "metrics.jsonl", out, ledger.tell)
    keep_metrics(out / "metrics.jsonl", state.step)
    begun = time.monotonic() - state.seconds

    model.train()
    for made in windows.batches(state.step, config.steps):
        batch = {name: torch.from_numpy(value).to(config.device) for name, value in made.items()}
        seed_world(config.seed * 1_000_003 + state.step)
        values = train_step(model, optimiser, batch, config, state.step)

        state.step, state.counted = state.step + 1, state.counted + 1
        state.tokens += int(made["attention_mask"].sum())
        state.places += made["attention_mask"].size
        state.sums = {name: state.sums.get(name, 0.0) + loss for name, loss in values.items()}
        state.seconds = time.monotonic() - begun

        last = state.step == config.steps
        if last or state.step % REPORT_EVERY == 0:
            report(_write_metrics(out / "metrics.jsonl", state, config.steps))
            state.sums, state.counted = {}, 0
        named = last or state.step % config.checkpoint_every == 0
        if named:
            _store(model, out, "final" if last else f"step-{state.step}", state.step, config, dtype, identity)
        if named or checkpoint.due():
            checkpoint.save(moving, optimiser.inner, dataclasses.asdict(state))

    return PretrainSummary(
        steps=state.step,
        weights=sum(weight.numel() for weight in saved_part(model).parameters()),
        windows=len(windows.pieces),
        padding=state.padding,
        folder=str(out / "final"),
        vocabulary=int(getattr(model.config, "vocab_size", 0)),
    )


def _restore(checkpoint: Checkpoint, moving: dict[str, Tensor], optimiser: Optimiser, ledger: Ledger) -> State:
    """Return how far the state in ``out`` is, and put it into weights and optimiser; one that is damaged is set aside,
    and the first step comes next."""
    try:
        facts = checkpoint.restore(moving, optimiser.inner)
    except Damaged as error:
        ledger.set_aside([error.file], f"{error.parts[0]}: all steps are taken again")
        facts = None
    try:
        return State() if facts is None else from_dict(State, facts)
    except ValueError as error:  # whole, and of another version: the weights are replaced already
        ledger.set_aside([checkpoint.path], f"{seals.shown(checkpoint.path)}: {error}")
        raise RunFailed(f"{seals.shown(checkpoint.path)} was of no use; give the same command again") from error


def train_step(
    model: nn.Module, optimiser: Optimiser, batch: dict[str, Tensor], config: PretrainConfig, step: int
) -> dict[str, float]:
    """Take the optimiser step number ``step`` (from 0); return the losses before it, by name.

    Raises:
        RunFailed: a loss or the gradient is not finite; the weights are left as they were.
    """
    kind = torch.device(config.device).type
    with torch.autocast(kind, dtype=torch.bfloat16, enabled=config.precision == "bf16"):
        found = losses(model, batch)
    sum(found.values(), torch.zeros((), device=config.device)).backward()

    norm = optimiser.clip_gradients()
    assert norm is not None
    values = {name: loss.item() for name, loss in found.items()}
    if not math.isfinite(sum(values.values()) + norm.item()):
        raise RunFailed(
            f"the loss is {values['masked_loss']} and the gradient's norm {norm.item()} at step {step + 1}; "
            "lower learning_rate and use another out"
        )
    optimiser.update(step)
    return values


def _write_metrics(file: Path, state: State, steps: int) -> PretrainProgress:
    """Append a line of metrics.jsonl; return what it says of the progress."""
    means = {name: total / state.counted for name, total in state.sums.items()}
    line: dict[str, Any] = {"step": state.step, **means}
    line |= {"tokens": state.tokens, "padding": state.padding, "seconds": round(state.seconds, 1)}
    with file.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps(line) + "\n")
    return PretrainProgress(state.step, steps, means["masked_loss"], means.get("next_loss"), line["seconds"])


def _store(
    model: nn.Module, out: Path, name: str, step: int, config: PretrainConfig, dtype: torch.dtype, identity: str
) -> None:
    """Write a checkpoint folder; raise ``RunFailed`` where a weight is too large for ``dtype``."""
    part = saved_part(model)
    scale = config.embedding_scale if part is not model else 1.0  # a head tied to them would notice
    stored = stored_weights(part, dtype, scale)
    if not all(bool(value.isfinite().all()) for value in stored.values()):
        raise RunFailed(f"a weight is too large for {dtype} at step {step}; use store=float32 and another out")
    if (out / name).is_symlink() or (out / name).is_file():
        seals.set_aside([out / name], out, f"{seals.shown(out / name)} is no folder")
    save_folder(part, out / "tokenizer", out / name, stored)
    pretrained.seal(out, identity, name)
