"""Masked-LM pre-training on one machine: any BERT-like configuration, any corpus, checkpoints as Hugging Face folders.

The recipe is BERT's (Devlin et al. 2019): two segments of one text, the second replaced by another text half of the
time (the pooler learns to tell), 15 % of the tokens masked anew each time a text is seen. Texts are cut into windows
and batched by length. A checkpoint folder is loadable by ``AutoModel``; training goes on from the last one exactly.
"""

from __future__ import annotations

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

import numpy as np
import torch
from tokenizers import BertWordPieceTokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertForPreTraining, BertTokenizerFast, PreTrainedTokenizerBase

from intdim import durable
from intdim.checkpoint import Checkpoint
from intdim.errors import UserError
from intdim.spec import digest
from intdim.tasks import corpus as builtin
from intdim.tasks.docstrings import signature_words

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SMALLEST_CORPUS = 200  # texts: below that a vocabulary and a held-out share mean nothing


@dataclass(frozen=True)
class PretrainConfig:
    """What decides the weights. ``mask_fraction`` of the tokens are predicted; of those 80 % are replaced by [MASK],
    10 % by a random token; ``warmup`` is a fraction of all steps; ``checkpoint_every`` counts steps."""

    vocab_size: int = 7000
    hidden_size: int = 128
    layers: int = 2
    heads: int = 4
    intermediate_size: int = 512
    max_positions: int = 128
    window: int = 96
    steps: int = 4400
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    mask_fraction: float = 0.15
    checkpoint_every: int = 1000
    seed: int = 0
    precision: str = "float32"
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class Corpus:
    """Texts and where each comes from; a replaced second segment is taken from the same source."""

    name: str
    texts: list[str]
    sources: list[str]

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the texts."""
        return digest(self.texts)


def docstring_corpus() -> Corpus:
    """Return the pre-training half of the built-in corpus: signature as words, then the docstring."""
    chosen = [one for one in builtin.docstrings() if builtin.part_of(one.module) == "pretrain"]
    texts = [f"{signature_words(one.signature)}\n{one.text}".strip() for one in chosen]
    return Corpus("docstrings", texts, [one.package for one in chosen])


def read_corpus(name: str, path: str = "", column: str = "text") -> Corpus:
    """Return the corpus ``docstrings``, or the texts of a file: .parquet (a column) or plain text (one per line).

    Raises:
        UserError: the file is missing, empty, binary, or too small to learn from.
    """
    if name == "docstrings" and not path:
        return docstring_corpus()
    file = Path(path)
    if not file.is_file():
        raise UserError(f"corpus.path={path} is no file", "a .txt file with a text per line, or a .parquet file", "")
    if file.suffix == ".parquet":
        import pandas

        frame = pandas.read_parquet(file)
        if column not in frame.columns:
            raise UserError(
                f"{file} has no column {column!r}", f"columns: {', '.join(map(str, frame.columns))}", "Set corpus.column."
            )
        texts = [str(text) for text in frame[column].dropna()]
    else:
        try:
            texts = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{file} is not UTF-8 text (byte {error.start})", "plain text or .parquet", "Convert the file."
            ) from None
    texts = [text.strip() for text in texts if text.strip()]
    if len(texts) < SMALLEST_CORPUS:
        raise UserError(
            f"{file} holds {len(texts)} texts", f"at least {SMALLEST_CORPUS}, one per line", "Use a larger corpus."
        )
    return Corpus(file.name, texts, [file.name] * len(texts))


def train_tokenizer(texts: list[str], vocab_size: int, folder: Path, max_positions: int) -> PreTrainedTokenizerBase:
    """Learn a lower-cased WordPiece vocabulary, save it as a Hugging Face tokenizer in ``folder`` and return it."""
    learner = BertWordPieceTokenizer(lowercase=True)
    learner.train_from_iterator(
        texts, vocab_size=vocab_size, min_frequency=2, special_tokens=list(SPECIALS), show_progress=False
    )
    tokenizer = BertTokenizerFast(tokenizer_object=learner._tokenizer, do_lower_case=True, model_max_length=max_positions)
    tokenizer.save_pretrained(folder)
    return tokenizer


class Windows:
    """The corpus as token windows, and batches of masked pairs of segments made from them."""

    def __init__(self, corpus: Corpus, tokenizer: PreTrainedTokenizerBase, config: PretrainConfig) -> None:
        self.config = config
        self.vocabulary = len(tokenizer)
        ids = {name: tokenizer.convert_tokens_to_ids(f"[{name}]") for name in ("PAD", "CLS", "SEP", "MASK")}
        self.pad, self.cls, self.sep, self.mask = (int(ids[name]) for name in ("PAD", "CLS", "SEP", "MASK"))
        room = config.window - 3
        self.pieces: list[np.ndarray] = []
        source_of: list[str] = []
        encoded = tokenizer(corpus.texts, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        for tokens, source in zip(encoded, corpus.sources, strict=True):
            for start in range(0, len(tokens), room):
                piece = tokens[start : start + room]
                if len(piece) >= 8:
                    self.pieces.append(np.asarray(piece, dtype=np.int32))
                    source_of.append(source)
        names = sorted(set(source_of))
        self.source = np.asarray([names.index(source) for source in source_of])
        self.mates = [np.flatnonzero(self.source == number) for number in range(len(names))]
        self.lengths = np.asarray([len(piece) for piece in self.pieces])
        if len(self.pieces) < config.batch_size:
            raise UserError(
                f"the corpus gives {len(self.pieces)} windows of {config.window} tokens",
                f"at least one batch of {config.batch_size}",
                "Use a larger corpus or a smaller batch_size.",
            )

    def batches(self, start: int) -> Iterator[dict[str, Tensor]]:
        """Yield the batch of each step from ``start`` on; a step's batch depends on (seed, step) alone."""
        size = self.config.batch_size
        per_epoch = len(self.pieces) // size
        epoch, order = -1, []
        for step in range(start, self.config.steps):
            if step // per_epoch != epoch:
                epoch = step // per_epoch
                order = self._order(epoch, per_epoch * size)
            chooser = np.random.default_rng([self.config.seed, 1, step])
            rows = order[step % per_epoch]
            yield self.batch(rows, chooser)

    def _order(self, epoch: int, count: int) -> list[np.ndarray]:
        chooser = np.random.default_rng([self.config.seed, 0, epoch])
        shuffled = chooser.permutation(len(self.pieces))[:count]
        size = self.config.batch_size
        pools = [shuffled[at : at + 50 * size] for at in range(0, count, 50 * size)]
        ordered = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
        batches = ordered.reshape(-1, size)
        return list(batches[chooser.permutation(len(batches))])

    def batch(self, rows: np.ndarray, chooser: np.random.Generator) -> dict[str, Tensor]:
        """Make masked pairs: inputs (N, L), the places (row, column) to predict, their tokens, and is-it-next (N,)."""
        pairs = [self._pair(row, chooser) for row in rows]
        longest = max(len(first) + len(second) + 3 for first, second, _ in pairs)
        ids = np.full((len(rows), longest), self.pad, dtype=np.int64)
        types = np.zeros_like(ids)
        special = np.ones_like(ids, dtype=bool)
        attention = np.zeros_like(ids)
        for row, (first, second, _) in enumerate(pairs):
            a, b = len(first), len(second)
            ids[row, : a + b + 3] = [self.cls, *first, self.sep, *second, self.sep]
            types[row, a + 2 : a + b + 3] = 1
            attention[row, : a + b + 3] = 1
            special[row, 1 : a + 1] = False
            special[row, a + 2 : a + b + 2] = False
        chosen = (chooser.random(ids.shape) < self.config.mask_fraction) & ~special
        places = np.argwhere(chosen)
        tokens = ids[chosen]
        how = chooser.random(len(tokens))
        replaced = np.where(how < 0.8, self.mask, tokens)
        lottery = chooser.integers(len(SPECIALS), self.vocabulary, len(tokens))
        ids[chosen] = np.where(how >= 0.9, lottery, replaced)
        made = {
            "input_ids": ids,
            "token_type_ids": types,
            "attention_mask": attention,
            "rows": places[:, 0],
            "columns": places[:, 1],
            "tokens": tokens,
            "other": np.asarray([other for _, _, other in pairs], dtype=np.int64),
        }
        return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in made.items()}

    def _pair(self, row: int, chooser: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
        piece = self.pieces[row]
        cut = int(chooser.integers(3, len(piece) - 3))
        if chooser.random() < 0.5:
            return piece[:cut], piece[cut:], 0
        mates = self.mates[self.source[row]]
        other = self.pieces[int(mates[int(chooser.integers(len(mates)))])]
        room = self.config.window - 3 - cut
        begin = int(chooser.integers(0, max(1, len(other) // 2)))
        return piece[:cut], other[begin : begin + min(room, len(piece) - cut + 4)], 1


def loss_of(model: BertForPreTraining, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return (masked-LM loss, next-segment loss); the vocabulary is scored at the masked places only."""
    body = model.bert(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], token_type_ids=batch["token_type_ids"]
    )
    hidden = body.last_hidden_state[batch["rows"], batch["columns"]]
    logits, _ = model.cls(hidden, body.pooler_output[:1])
    follows = model.cls.seq_relationship(body.pooler_output)
    masked = nn.functional.cross_entropy(logits.float(), batch["tokens"])
    return masked, nn.functional.cross_entropy(follows.float(), batch["other"])


def save_folder(model: BertForPreTraining, tokenizer_folder: Path, folder: Path, dtype: torch.dtype) -> None:
    """Write body and tokenizer as a Hugging Face folder that is either whole or absent."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    body = model.bert
    kept = {name: value.clone() for name, value in body.state_dict().items()}
    body.to(dtype).save_pretrained(partial)
    body.to(torch.float32)
    body.load_state_dict(kept)  # the stored rounding must not leak into the weights that train on
    config = json.loads((partial / "config.json").read_text())
    config["dtype"] = "float32"
    durable.write_json(partial / "config.json", config)
    for file in sorted(tokenizer_folder.iterdir()):
        if file.is_file():
            shutil.copyfile(file, partial / file.name)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def run(
    corpus: Corpus,
    out: Path,
    config: PretrainConfig,
    *,
    seed_world: Callable[[int], None],
    report: Callable[[dict[str, Any]], None] = lambda facts: None,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Any]:
    """Pre-train to the end (or on from the last state in ``out``); return the closing facts.

    ``out`` holds ``tokenizer/``, ``step-<k>/`` every ``checkpoint_every`` steps, ``final/``, ``metrics.jsonl`` and
    ``pretrain.json`` (configuration and corpus fingerprint).

    Raises:
        UserError: ``out`` holds another pre-training, or the corpus is too small.
    """
    torch.set_num_threads(config.threads)
    record = {"config": dataclasses.asdict(config), "corpus": corpus.name, "fingerprint": corpus.fingerprint}
    known = durable.read_json(out / "pretrain.json")
    if known is not None and known != record:
        raise UserError(f"{out} holds another pre-training", "the same configuration and corpus", "Choose another out.")
    out.mkdir(parents=True, exist_ok=True)
    durable.write_json(out / "pretrain.json", record)
    tokenizer = _tokenizer(corpus, config, out / "tokenizer")
    windows = Windows(corpus, tokenizer, config)
    seed_world(config.seed)
    model = BertForPreTraining(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.intermediate_size,
            max_position_embeddings=config.max_positions,
            pad_token_id=windows.pad,
        )
    ).to(config.device)
    weights = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": weights, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=config.learning_rate,
        betas=(0.9, 0.98),
    )
    moving = dict(model.named_parameters())
    checkpoint = Checkpoint(out / "state.safetensors", 60.0)
    facts = checkpoint.restore(moving, optimiser) or {"step": 0, "seconds": 0.0}
    step, begun = int(facts["step"]), time.monotonic()
    sums, counted = np.zeros(2), 0
    model.train()
    for batch in windows.batches(step):
        batch = {name: value.to(config.device) for name, value in batch.items()}
        seed_world(config.seed * 1_000_003 + step)
        with torch.autocast(config.device, dtype=torch.bfloat16, enabled=config.precision == "bf16"):
            masked, follows = loss_of(model, batch)
        (masked + follows).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        rising = max(1, math.ceil(config.warmup * config.steps))
        factor = (step + 1) / rising if step < rising else (config.steps - step) / max(1, config.steps - rising)
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * factor
        optimiser.step()
        optimiser.zero_grad()
        step += 1
        sums += [float(masked.detach()), float(follows.detach())]
        counted += 1
        spent = facts["seconds"] + time.monotonic() - begun
        if step % 100 == 0 or step == config.steps:
            line = {"step": step, "masked_loss": sums[0] / counted, "next_loss": sums[1] / counted, "seconds": spent}
            with (out / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            report(line | {"steps": config.steps})
            sums, counted = np.zeros(2), 0
        if step % config.checkpoint_every == 0 and step < config.steps:
            save_folder(model, out / "tokenizer", out / f"step-{step}", dtype)
        if checkpoint.due():
            checkpoint.save(moving, optimiser, {"step": step, "seconds": spent})
    save_folder(model, out / "tokenizer", out / "final", dtype)
    total = sum(weight.numel() for weight in model.bert.parameters())
    return {"steps": step, "weights": total, "windows": len(windows.pieces), "folder": str(out / "final")}


def _tokenizer(corpus: Corpus, config: PretrainConfig, folder: Path) -> PreTrainedTokenizerBase:
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        train_tokenizer(corpus.texts, config.vocab_size, folder, config.max_positions)
        (folder / "done").mkdir()
    return BertTokenizerFast.from_pretrained(folder)
