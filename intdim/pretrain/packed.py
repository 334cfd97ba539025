"""Masked windows of running text, for masked language models without BERT's second task.

All texts stand in one row with the separator between them, and the row is cut into windows of one length, so that
hardly a place is padding (RoBERTa's full sentences, Liu et al. 2019, section 4.2, across the borders of texts).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from intdim.errors import UserError
from intdim.pretrain.texts import Corpus
from intdim.pretrain.tokenizer import token_ids
from intdim.pretrain.windows import hide


class Packed:
    """The corpus as windows of ``window`` tokens, and masked batches of them; masks are drawn anew each time.

    Raises:
        UserError: the tokenizer lacks a token that is needed, or the corpus gives fewer windows than one batch.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: PreTrainedTokenizerBase,
        *,
        window: int,
        batch_size: int,
        mask_fraction: float,
        seed: int,
    ) -> None:
        self.size, self.fraction, self.seed = batch_size, mask_fraction, seed
        self.pad, self.mask = _needed(tokenizer, "pad"), _needed(tokenizer, "mask")
        first, last = _needed(tokenizer, "cls", "bos"), _needed(tokenizer, "sep", "eos")
        special = {self.pad, self.mask, first, last, *tokenizer.all_special_ids}
        self.others = np.asarray(sorted(set(range(len(tokenizer))) - special))
        titles, texts = token_ids(tokenizer, corpus.titles), token_ids(tokenizer, corpus.texts)
        row = np.fromiter(
            chain.from_iterable(chain(title, text, [last]) for title, text in zip(titles, texts, strict=True)),
            dtype=np.int32,
        )
        self.pieces: list[np.ndarray] = []
        for start in range(0, len(row), window - 2):
            piece = row[start : start + window - 2]
            within = np.flatnonzero(piece != last)
            if len(within):  # a separator at the end of a piece would stand there twice
                piece = piece[within[0] : within[-1] + 1]
                self.pieces.append(np.asarray([first, *piece, last], dtype=np.int32))
        if len(self.pieces) < batch_size:
            raise UserError(
                f"the corpus gives {len(self.pieces)} windows of {window} tokens",
                f"at least one batch of {batch_size}",
                "Use a larger corpus or a smaller batch_size.",
            )

    def batches(self, start: int, stop: int) -> Iterator[dict[str, np.ndarray]]:
        """Yield the batches of the steps ``start`` to ``stop``; a step's batch depends on (seed, step) alone."""
        per_epoch = len(self.pieces) // self.size
        order = np.zeros(0, dtype=np.int64)
        for step in range(start, stop):
            epoch, place = divmod(step, per_epoch)
            if step == start or place == 0:
                order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.pieces))
            rows = order[place * self.size : (place + 1) * self.size]
            yield self.batch(rows, np.random.default_rng([self.seed, 1, step]))

    def batch(self, rows: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Make masked windows, N of them, L tokens the longest: ``input_ids``, ``attention_mask`` (N, L), and what
        ``hide`` returns."""
        longest = max(len(self.pieces[row]) for row in rows)
        ids = np.full((len(rows), longest), self.pad, dtype=np.int64)
        attention, plain = np.zeros_like(ids), np.zeros(ids.shape, dtype=bool)
        last = self.pieces[0][-1]
        for place, row in enumerate(rows):
            piece = self.pieces[row]
            ids[place, : len(piece)] = piece
            attention[place, : len(piece)] = 1
            plain[place, 1 : len(piece) - 1] = piece[1:-1] != last
        hidden = hide(ids, plain, self.fraction, self.mask, self.others, rng)
        return {"input_ids": ids, "attention_mask": attention, **hidden}


def _needed(tokenizer: PreTrainedTokenizerBase, *kinds: str) -> int:
    """Return the number of the first of these special tokens that the tokenizer has."""
    for kind in kinds:
        number: Any = getattr(tokenizer, f"{kind}_token_id", None)
        if number is not None:
            return int(number)
    raise UserError(
        f"the tokenizer ({type(tokenizer).__name__}) has no {' or '.join(kinds)} token",
        "a tokenizer of a masked language model",
        "Use the folder of such a model.",
    )
