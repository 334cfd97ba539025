"""Masked pairs of segments cut from a corpus, for BERT's recipe.

Texts are cut into windows of tokens; a window becomes BERT's pair of segments (Devlin et al. 2019): the window cut in
two, or its second half replaced by another text half of the time. A first window with a title is often cut after the
title, so that the model meets the question "does this text belong to this title".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from intdim.errors import UserError
from intdim.pretrain.texts import Corpus
from intdim.pretrain.tokenizer import SPECIALS, token_ids

SHORTEST = 8  # tokens: a shorter remainder of a text is left out
TITLE_SHARE = 0.6  # of the first windows with a title are cut after it
BEGINNING = (8, 32)  # tokens of the text that are paired with a title: about a summary

Segments = tuple[np.ndarray, np.ndarray, int]


class Windows:
    """The corpus as windows of at most ``window`` tokens, and batches of masked pairs of segments made from them.

    Raises:
        UserError: the corpus gives fewer windows than one batch.
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
        self.window, self.size, self.fraction, self.seed = window, batch_size, mask_fraction, seed
        self.vocabulary = len(tokenizer)
        numbers: Any = tokenizer.convert_tokens_to_ids(["[PAD]", "[CLS]", "[SEP]", "[MASK]"])
        self.pad, self.cls, self.sep, self.mask = numbers
        self.pieces: list[np.ndarray] = []
        heads: list[int] = []  # tokens of the title at the beginning of a window
        origins: list[str] = []
        for title, text, source in zip(
            token_ids(tokenizer, corpus.titles), token_ids(tokenizer, corpus.texts), corpus.sources, strict=True
        ):
            title = title[: window // 2]
            whole = title + text
            for start in range(0, len(whole), window - 3):
                piece = whole[start : start + window - 3]
                if len(piece) >= SHORTEST:
                    self.pieces.append(np.asarray(piece, dtype=np.int32))
                    heads.append(len(title) if start == 0 and len(piece) >= len(title) + 3 else 0)
                    origins.append(source)
        if len(self.pieces) < batch_size:
            raise UserError(
                f"the corpus gives {len(self.pieces)} windows of {window} tokens",
                f"at least one batch of {batch_size}",
                "Use a larger corpus or a smaller batch_size.",
            )
        self.heads, self.lengths = np.asarray(heads), np.asarray([len(piece) for piece in self.pieces])
        _, self.source = np.unique(origins, return_inverse=True)
        sources = range(int(self.source.max()) + 1)
        self.mates = [np.flatnonzero(self.source == number) for number in sources]
        self.titled = [np.flatnonzero((self.source == number) & (self.heads > 0)) for number in sources]

    def batches(self, start: int, stop: int) -> Iterator[dict[str, np.ndarray]]:
        """Yield the batches of the steps ``start`` to ``stop``; a step's batch depends on (seed, step) alone."""
        per_epoch = len(self.pieces) // self.size
        epoch, order = -1, []
        for step in range(start, stop):
            if step // per_epoch != epoch:
                epoch = step // per_epoch
                order = self._order(epoch, per_epoch * self.size)
            yield self.batch(order[step % per_epoch], np.random.default_rng([self.seed, 1, step]))

    def _order(self, epoch: int, count: int) -> list[np.ndarray]:
        """Shuffle the windows and group those of similar length: pools of 50 batches are sorted, batches shuffled."""
        rng = np.random.default_rng([self.seed, 0, epoch])
        shuffled = rng.permutation(len(self.pieces))[:count]
        pools = [shuffled[at : at + 50 * self.size] for at in range(0, count, 50 * self.size)]
        ordered = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
        batches = ordered.reshape(-1, self.size)
        return list(batches[rng.permutation(len(batches))])

    def batch(self, rows: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Make masked pairs of N windows, L tokens the longest.

        Returns ``input_ids``, ``token_type_ids``, ``attention_mask`` (N, L); ``rows``, ``columns``, ``tokens`` (K,):
        the K >= 1 places to predict and what stood there; ``other`` (N,): 1 where the second segment was replaced.
        Of the places 80 % become [MASK], 10 % a random token, 10 % stay.
        """
        pairs = [self.pair(int(row), rng) for row in rows]
        longest = max(len(first) + len(second) + 3 for first, second, _ in pairs)
        ids = np.full((len(rows), longest), self.pad, dtype=np.int64)
        types, attention = np.zeros_like(ids), np.zeros_like(ids)
        plain = np.zeros(ids.shape, dtype=bool)
        for row, (first, second, _) in enumerate(pairs):
            middle, end = len(first) + 2, len(first) + len(second) + 3
            ids[row, :end] = [self.cls, *first, self.sep, *second, self.sep]
            types[row, middle:end] = 1
            attention[row, :end] = 1
            plain[row, 1 : middle - 1] = True
            plain[row, middle : end - 1] = True
        hidden = hide(ids, plain, self.fraction, self.mask, range(len(SPECIALS), self.vocabulary), rng)
        return {
            "input_ids": ids,
            "token_type_ids": types,
            "attention_mask": attention,
            **hidden,
            "other": np.asarray([other for _, _, other in pairs], dtype=np.int64),
        }

    def pair(self, row: int, rng: np.random.Generator) -> Segments:
        """Return two segments of a window and 0, or a segment, one from elsewhere in the same source, and 1."""
        head, other = int(self.heads[row]), int(rng.random() < 0.5)
        if head and rng.random() < TITLE_SHARE:
            title, text = self.pieces[row][:head], self.pieces[row][head:]
            most = int(rng.integers(*BEGINNING))
            if other:
                mate = self._one_of(self.titled[self.source[row]], rng)
                text = self.pieces[mate][int(self.heads[mate]) :][: self.window - 3 - head]
            return (text[:most], title, other) if rng.random() < 0.5 else (title, text[:most], other)
        piece = self.pieces[row]
        cut = int(rng.integers(3, len(piece) - 3))
        if not other:
            return piece[:cut], piece[cut:], 0
        strange = self.pieces[self._one_of(self.mates[self.source[row]], rng)]
        begin = int(rng.integers(0, max(1, len(strange) // 2)))
        room = min(self.window - 3 - cut, len(piece) - cut + 4)
        return piece[:cut], strange[begin : begin + room], 1

    @staticmethod
    def _one_of(rows: np.ndarray, rng: np.random.Generator) -> int:
        return int(rows[int(rng.integers(len(rows)))])


def hide(
    ids: np.ndarray,
    plain: np.ndarray,
    fraction: float,
    mask: int,
    others: Sequence[int] | np.ndarray,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Hide some of the tokens in ``ids`` (N, L), in place; return ``rows``, ``columns``, ``tokens`` (K,): the K >= 1
    places to predict and what stood there. Only places where ``plain`` is true are chosen, ``fraction`` of them; 80 %
    become ``mask``, 10 % one of ``others``, 10 % stay (Devlin et al. 2019)."""
    chosen = (rng.random(ids.shape) < fraction) & plain
    if not chosen.any():  # a mean over no places would be NaN and destroy the weights
        chosen[tuple(np.argwhere(plain)[0])] = True
    places, tokens = np.argwhere(chosen), ids[chosen]
    how = rng.random(len(tokens))
    strange = np.asarray(others)[rng.integers(len(others), size=len(tokens))]
    ids[chosen] = np.where(how < 0.8, mask, np.where(how < 0.9, strange, tokens))
    return {
        "rows": np.ascontiguousarray(places[:, 0]),
        "columns": np.ascontiguousarray(places[:, 1]),
        "tokens": tokens,
    }
