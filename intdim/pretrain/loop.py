"""Masked-LM pre-training on one machine: any architecture, any corpus, checkpoints as Hugging Face folders.

The recipe is BERT's (Devlin et al. 2019): 15 % of the tokens are masked anew each time a text is seen, and the pooler
learns to tell whether the second segment belongs to the first (``tasks/windows.py``). Every other architecture, and a
model that is gone on with, learns the masked tokens of packed windows alone (``tasks/packed.py``). A checkpoint
folder is loadable by ``AutoModel``. Killed at any moment, the same call goes on from its last state and ends with the
same weights, bit for bit on CPU: a step's batch and its dropout depend on (seed, step) alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerBase

from intdim import durable
from intdim.errors import RunFailed, UserError
from intdim.ledger.store import Ledger
from intdim.models.files import load_tokenizer, quiet
from intdim.pretrain import objectives as masked_lm
from intdim.pretrain.objectives import Start as Start
from intdim.pretrain.packed import Packed
from intdim.pretrain.texts import Corpus
from intdim.pretrain.texts import read_corpus as read_corpus
from intdim.pretrain.windows import Windows, train_tokenizer
from intdim.run.checkpoint import Checkpoint

Report = Callable[[dict[str, Any]], None]
REPORT_EVERY = 100  # steps between lines of metrics.jsonl
STATE_EVERY = 60.0  # seconds between states to go on from
HOW = ("device", "threads")  # of the configuration: how it runs, not what it is
OURS = ("tokenizer", "final", "metrics.jsonl", "state.safetensors")  # and step-*


@dataclass(frozen=True)
class PretrainConfig:
    """What decides the weights. ``mask_fraction`` of the tokens are predicted; ``window`` is the longest pair in
    tokens; ``warmup`` is a fraction of all steps; ``checkpoint_every`` counts steps; checkpoints store the embeddings
    times ``embedding_scale`` (see ``stored_weights``)."""

    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    max_positions: int
    window: int
    steps: int
    batch_size: int
    learning_rate: float
    warmup: float
    weight_decay: float
    mask_fraction: float
    checkpoint_every: int
    embedding_scale: float
    seed: int
    precision: str
    device: str
    threads: int


def run(
    corpus: Corpus,
    out: Path,
    config: PretrainConfig,
    *,
    seed_world: Callable[[int], None],
    report: Report = lambda facts: None,
    dtype: torch.dtype = torch.float32,
    start: Start | None = None,
) -> dict[str, Any]:
    """Pre-train to the end (or on from the last state in ``out``); return the closing facts.

    ``out`` holds ``tokenizer/``, ``step-<k>/`` every ``checkpoint_every`` steps, ``final/``, ``metrics.jsonl``,
    ``state.safetensors`` and ``pretrain.json`` (configuration and corpus fingerprint). Of the closing facts,
    ``padding`` is the share of places that held no token.

    Args:
        corpus: what to learn from.
        out: the folder; one that holds the same pre-training is gone on with.
        config: what decides the weights.
        seed_world: seeds torch's global generator; called before the weights are drawn and before each step.
        report: called with each line of ``metrics.jsonl``.
        dtype: how checkpoints store the weights; training itself keeps float32.
        start: another architecture than BERT, or weights to go on from; its tokenizer then comes with them.

    Raises:
        UserError: ``out`` cannot be written or holds something else, the corpus is too small for the vocabulary or a
            batch, or the model cannot be had or cannot read a window; nothing is written.
        RunFailed: the loss became infinite or NaN, or another process is pre-training in ``out``.
    """
    torch.set_num_threads(config.threads)
    record = {"config": dataclasses.asdict(config), "corpus": corpus.name, "fingerprint": corpus.fingerprint}
    record |= {"start": start.identity()} if start else {}
    begun = _begun(out, record)
    with tempfile.TemporaryDirectory(prefix="intdim-pretrain-") as scratch:
        kept, made = out / "tokenizer", Path(scratch) / "tokenizer"
        tokenizer = _read_tokenizer(kept, start) if begun and kept.exists() else _tokenizer(corpus, config, made, start)
        batching = Packed if start else Windows
        windows = batching(
            corpus,
            tokenizer,
            window=config.window,
            batch_size=config.batch_size,
            mask_fraction=config.mask_fraction,
            seed=config.seed,
        )
        if len(tokenizer) < config.vocab_size and not (start and start.folder):
            raise UserError(
                f"model.vocab_size={config.vocab_size}, but the corpus gives {len(tokenizer)} word pieces",
                f"model.vocab_size at most {len(tokenizer)}",
                f"Set model.vocab_size={len(tokenizer)}, or use a larger corpus.",
            )
        seed_world(config.seed)
        shapes = dataclasses.asdict(config)
        if start:
            model = masked_lm.make_other(start, shapes, tokenizer)
            longest = max(windows.pieces, key=len)
            masked_lm.check_window(model, torch.from_numpy(longest).long()[None], config.window)
        else:
            model = masked_lm.make_bert(shapes, len(tokenizer), windows.pad)
        if not begun:
            _write_record(out, record)
        if not kept.exists():
            partial = kept.with_name(".tokenizer.partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(made, partial)
            os.replace(partial, kept)
    with Ledger(out).claim(out, patience=0):
        return _train(model, windows, out, config, seed_world, report, dtype)


def _train(
    model: nn.Module,
    windows: Windows | Packed,
    out: Path,
    config: PretrainConfig,
    seed_world: Callable[[int], None],
    report: Report,
    dtype: torch.dtype,
) -> dict[str, Any]:
    nn.Module.to(model, config.device)
    optimiser = _optimiser(model, config)
    moving: dict[str, Tensor] = dict(model.named_parameters())
    checkpoint = Checkpoint(out / "state.safetensors", STATE_EVERY)
    first = {"step": 0, "seconds": 0.0, "sums": {}, "counted": 0, "tokens": 0, "places": 0}
    facts = first | (checkpoint.restore(moving, optimiser) or {})
    step, sums, counted = int(facts["step"]), facts["sums"], int(facts["counted"])
    tokens, places = int(facts["tokens"]), int(facts["places"])
    _keep_metrics(out / "metrics.jsonl", step)
    begun = time.monotonic() - facts["seconds"]
    model.train()
    for made in windows.batches(step, config.steps):
        batch = {name: torch.from_numpy(value).to(config.device) for name, value in made.items()}
        seed_world(config.seed * 1_000_003 + step)
        losses = train_step(model, optimiser, batch, config, step)
        step, counted = step + 1, counted + 1
        tokens, places = tokens + int(made["attention_mask"].sum()), places + made["attention_mask"].size
        sums = {name: sums.get(name, 0.0) + loss for name, loss in losses.items()}
        spent = time.monotonic() - begun
        if step % REPORT_EVERY == 0 or step == config.steps:
            line = {"step": step, **{name: total / counted for name, total in sums.items()}}
            line |= {"tokens": tokens, "padding": _padding(tokens, places), "seconds": round(spent, 1)}
            with (out / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            report(line | {"steps": config.steps})
            sums, counted = {}, 0
        named = step % config.checkpoint_every == 0 or step == config.steps
        part = masked_lm.saved_part(model)
        if named:
            scale = config.embedding_scale if part is not model else 1.0  # a head tied to them would notice
            stored = masked_lm.stored_weights(part, dtype, scale)
            if not all(bool(value.isfinite().all()) for value in stored.values()):
                raise RunFailed(f"a weight is too large for {dtype} at step {step}; use store=float32 and another out")
            folder = out / ("final" if step == config.steps else f"step-{step}")
            masked_lm.save_folder(part, out / "tokenizer", folder, stored)
        if named or checkpoint.due():
            state = {"step": step, "seconds": spent, "sums": sums, "counted": counted}
            checkpoint.save(moving, optimiser, state | {"tokens": tokens, "places": places})
    total = sum(weight.numel() for weight in masked_lm.saved_part(model).parameters())
    closing = {"steps": step, "weights": total, "windows": len(windows.pieces), "padding": _padding(tokens, places)}
    return closing | {"folder": str(out / "final")}


def train_step(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    config: PretrainConfig,
    step: int,
) -> dict[str, float]:
    """Take one optimiser step at the rate of ``step`` (warm-up, then linear to 0); return the losses before it.

    Raises:
        RunFailed: a loss or the gradient is not finite; the weights are left as they were.
    """
    kind = torch.device(config.device).type
    with torch.autocast(kind, dtype=torch.bfloat16, enabled=config.precision == "bf16"):
        losses = masked_lm.losses(model, batch)
    sum(losses.values(), torch.zeros((), device=config.device)).backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    values = {name: loss.item() for name, loss in losses.items()}
    if not math.isfinite(sum(values.values()) + norm.item()):
        raise RunFailed(
            f"the loss is {values['masked_loss']} and the gradient's norm {norm.item()} at step {step + 1}; "
            "lower learning_rate and use another out"
        )
    rising = max(1, math.ceil(config.warmup * config.steps))
    factor = (step + 1) / rising if step < rising else (config.steps - step) / max(1, config.steps - rising)
    for group in optimiser.param_groups:
        group["lr"] = config.learning_rate * factor
    optimiser.step()
    optimiser.zero_grad()
    return values


def _padding(tokens: int, places: int) -> float:
    return round(1 - tokens / places, 4) if places else 0.0


def _begun(out: Path, record: dict[str, Any]) -> bool:
    """Tell whether ``out`` holds this pre-training already; raise ``UserError`` where it holds something else."""
    try:
        known = durable.read_json(out / "pretrain.json")
        there = [name for name in OURS if (out / name).exists()] + [entry.name for entry in out.glob("step-*")]
    except OSError as error:
        raise _unwritable(out, error) from None
    except ValueError:
        known, there = {}, []
    if known is None and there:
        raise UserError(
            f"{out} holds {', '.join(there[:3])}, but no pre-training that could be gone on with",
            "a new or empty folder, or one of an earlier `intdim pretrain`",
            "Choose another out.",
        )
    if known is None:
        return False
    known = known if isinstance(known, dict) else {}
    values = known.get("config")
    values = values if isinstance(values, dict) else {}
    known = known | {"config": values | {name: record["config"][name] for name in HOW}}
    if known != record:
        differs = [name for name, value in record["config"].items() if known["config"].get(name) != value]
        differs += [name for name in ("corpus", "fingerprint", "start") if known.get(name) != record.get(name)]
        raise UserError(
            f"{out} holds another pre-training ({', '.join(differs[:4]) or 'its record is damaged'} differ)",
            "the same configuration and corpus",
            "Choose another out.",
        )
    return True


def _write_record(out: Path, record: dict[str, Any]) -> None:
    try:
        durable.write_json(out / "pretrain.json", record)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise _unwritable(out, error) from None


def _unwritable(out: Path, error: OSError) -> UserError:
    return UserError(f"{out} cannot be written: {error.strerror}", "a writable folder", "Choose another out.")


def _tokenizer(corpus: Corpus, config: PretrainConfig, folder: Path, start: Start | None) -> PreTrainedTokenizerBase:
    """Put the tokenizer into ``folder``: learnt from the corpus, or that of the weights to go on from."""
    if start and start.folder:
        with quiet():
            load_tokenizer(Path(start.folder).expanduser()).save_pretrained(folder)
        return _read_tokenizer(folder, start)
    train_tokenizer(corpus, config.vocab_size, folder, config.max_positions, segments=start is None)
    return _read_tokenizer(folder, start)


def _read_tokenizer(folder: Path, start: Start | None) -> PreTrainedTokenizerBase:
    with quiet():
        return (AutoTokenizer if start and start.folder else BertTokenizer).from_pretrained(folder)


def _optimiser(model: nn.Module, config: PretrainConfig) -> torch.optim.AdamW:
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98))


def _keep_metrics(file: Path, step: int) -> None:
    """Drop the lines behind ``step`` (and a torn one): those steps are taken again."""
    if file.exists():
        lines = []
        for line in file.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                if json.loads(line)["step"] <= step:
                    lines.append(line + "\n")
        durable.write_text(file, "".join(lines))
