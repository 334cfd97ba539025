"""Masked-LM pre-training on one machine: any BERT-like configuration, any corpus, checkpoints as Hugging Face folders.

The recipe is BERT's (Devlin et al. 2019): 15 % of the tokens are masked anew each time a text is seen, and the pooler
learns to tell whether the second segment belongs to the first. ``tasks/windows.py`` makes the batches. A checkpoint
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
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import BertConfig, BertForPreTraining, BertTokenizer, PreTrainedTokenizerBase

from intdim import durable
from intdim.checkpoint import Checkpoint
from intdim.errors import RunFailed, UserError
from intdim.tasks.windows import Corpus, Windows, train_tokenizer
from intdim.tasks.windows import read_corpus as read_corpus

Report = Callable[[dict[str, Any]], None]
REPORT_EVERY = 100  # steps between lines of metrics.jsonl
STATE_EVERY = 60.0  # seconds between states to go on from


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
) -> dict[str, Any]:
    """Pre-train to the end (or on from the last state in ``out``); return the closing facts.

    ``out`` holds ``tokenizer/``, ``step-<k>/`` every ``checkpoint_every`` steps, ``final/``, ``metrics.jsonl``,
    ``state.safetensors`` and ``pretrain.json`` (configuration and corpus fingerprint).

    Args:
        corpus: what to learn from.
        out: the folder; one that holds the same pre-training is gone on with.
        config: what decides the weights.
        seed_world: seeds torch's global generator; called before the weights are drawn and before each step.
        report: called with each line of ``metrics.jsonl``.
        dtype: how checkpoints store the weights; training itself keeps float32.

    Raises:
        UserError: ``out`` cannot be written or holds another pre-training, or the corpus is too small.
        RunFailed: the loss became infinite or NaN.
    """
    torch.set_num_threads(config.threads)
    _claim(corpus, out, config)
    tokenizer = _tokenizer(corpus, config, out / "tokenizer")
    windows = Windows(
        corpus,
        tokenizer,
        window=config.window,
        batch_size=config.batch_size,
        mask_fraction=config.mask_fraction,
        seed=config.seed,
    )
    seed_world(config.seed)
    model = make_model(config, len(tokenizer), windows.pad)
    nn.Module.to(model, config.device)
    optimiser = _optimiser(model, config)
    moving: dict[str, Tensor] = dict(model.named_parameters())
    checkpoint = Checkpoint(out / "state.safetensors", STATE_EVERY)
    sums = {"masked_loss": 0.0, "next_loss": 0.0}
    facts = checkpoint.restore(moving, optimiser) or {"step": 0, "seconds": 0.0, "sums": sums, "counted": 0}
    step, sums, counted = int(facts["step"]), facts["sums"], int(facts["counted"])
    _keep_metrics(out / "metrics.jsonl", step)
    begun = time.monotonic() - facts["seconds"]
    model.train()
    for made in windows.batches(step, config.steps):
        batch = {name: torch.from_numpy(value).to(config.device) for name, value in made.items()}
        seed_world(config.seed * 1_000_003 + step)
        losses = train_step(model, optimiser, batch, config, step)
        step, counted = step + 1, counted + 1
        sums = {name: total + losses[name] for name, total in sums.items()}
        if not math.isfinite(sum(losses.values())):
            raise RunFailed(
                f"the loss is {losses['masked_loss']} at step {step}; lower learning_rate and use another out"
            )
        spent = time.monotonic() - begun
        if step % REPORT_EVERY == 0 or step == config.steps:
            line = {"step": step, **{name: total / counted for name, total in sums.items()}, "seconds": round(spent, 1)}
            with (out / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            report(line | {"steps": config.steps})
            sums, counted = dict.fromkeys(sums, 0.0), 0
        named = step % config.checkpoint_every == 0 or step == config.steps
        if named:
            folder = out / ("final" if step == config.steps else f"step-{step}")
            save_folder(model, out / "tokenizer", folder, stored_weights(model.bert, dtype, config.embedding_scale))
        if named or checkpoint.due():
            state = {"step": step, "seconds": spent, "sums": sums, "counted": counted}
            checkpoint.save(moving, optimiser, state)
    total = sum(weight.numel() for weight in model.bert.parameters())
    return {"steps": step, "weights": total, "windows": len(windows.pieces), "folder": str(out / "final")}


def make_model(config: PretrainConfig, vocabulary: int, pad: int) -> BertForPreTraining:
    """Draw a BERT with a masked-LM head (tied to the embeddings) and a next-segment head."""
    return BertForPreTraining(
        BertConfig(
            vocab_size=vocabulary,
            hidden_size=config.hidden_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.intermediate_size,
            max_position_embeddings=config.max_positions,
            pad_token_id=pad,
        )
    )


def train_step(
    model: BertForPreTraining,
    optimiser: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    config: PretrainConfig,
    step: int,
) -> dict[str, float]:
    """Take one optimiser step at the rate of ``step`` (warm-up, then linear to 0); return the two losses before it."""
    kind = torch.device(config.device).type
    with torch.autocast(kind, dtype=torch.bfloat16, enabled=config.precision == "bf16"):
        masked, follows = loss_of(model, batch)
    (masked + follows).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    rising = max(1, math.ceil(config.warmup * config.steps))
    factor = (step + 1) / rising if step < rising else (config.steps - step) / max(1, config.steps - rising)
    for group in optimiser.param_groups:
        group["lr"] = config.learning_rate * factor
    optimiser.step()
    optimiser.zero_grad()
    return {"masked_loss": masked.item(), "next_loss": follows.item()}


def loss_of(model: BertForPreTraining, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return (masked-LM loss, next-segment loss); the vocabulary is scored at the masked places only."""
    body = model.bert(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], token_type_ids=batch["token_type_ids"]
    )
    hidden = body.last_hidden_state[batch["rows"], batch["columns"]]
    logits, follows = model.cls(hidden, body.pooler_output)
    masked = nn.functional.cross_entropy(logits.float(), batch["tokens"])
    return masked, nn.functional.cross_entropy(follows.float(), batch["other"])


def stored_weights(body: nn.Module, dtype: torch.dtype, embedding_scale: float) -> dict[str, Tensor]:
    """Return a BERT body's weights as a checkpoint holds them: in ``dtype``, the embeddings ``embedding_scale`` times.

    The sum of word, position and segment embeddings goes straight into a LayerNorm, which undoes the factor: the
    function is the same. What changes is fine-tuning. A step of a given length moves every weight alike, so it moves
    embeddings less for their size when they are larger.
    """
    scaled = {name: embedding_scale if name.endswith("_embeddings.weight") else 1.0 for name in body.state_dict()}
    return {name: (value.detach() * scaled[name]).to("cpu", dtype) for name, value in body.state_dict().items()}


def save_folder(model: BertForPreTraining, tokenizer_folder: Path, folder: Path, stored: dict[str, Tensor]) -> None:
    """Write body (the weights ``stored``) and tokenizer as a Hugging Face folder that is either whole or absent."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with _no_bars():
        model.bert.save_pretrained(partial, state_dict=stored)
    for file in sorted(tokenizer_folder.iterdir()):
        if file.is_file():
            shutil.copyfile(file, partial / file.name)
    config = json.loads((partial / "config.json").read_text(encoding="utf-8"))
    durable.write_json(partial / "config.json", config | {"dtype": "float32"})  # what it is to be loaded as
    for file in partial.iterdir():
        file.chmod(0o644)  # safetensors writes files that only their owner can read
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def _claim(corpus: Corpus, out: Path, config: PretrainConfig) -> None:
    """Make ``out`` ours, or find that it is: the record in it must be the same."""
    record = {"config": dataclasses.asdict(config), "corpus": corpus.name, "fingerprint": corpus.fingerprint}
    kept = ("device", "threads")  # how it runs, not what it is
    try:
        known = durable.read_json(out / "pretrain.json")
        if known is None:
            durable.write_json(out / "pretrain.json", record)
            return
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UserError(
            f"{out} cannot be written: {error.strerror}", "a writable folder", "Choose another out."
        ) from None
    except ValueError:
        known = {}
    known = known if isinstance(known, dict) else {}
    known["config"] = known.get("config", {}) | {name: record["config"][name] for name in kept}
    if known != record:
        raise UserError(f"{out} holds another pre-training", "the same configuration and corpus", "Choose another out.")


def _tokenizer(corpus: Corpus, config: PretrainConfig, folder: Path) -> PreTrainedTokenizerBase:
    if not folder.exists():
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        train_tokenizer(corpus, config.vocab_size, partial, config.max_positions)
        os.replace(partial, folder)
    return BertTokenizer.from_pretrained(folder)


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


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    """Keep transformers' progress bars off the screen."""
    bars = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            transformers.utils.logging.enable_progress_bar()
