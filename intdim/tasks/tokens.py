"""Texts as tokens: user text never becomes a control token, and how long each example was before it was cut.

Tokenizers take ``</s>`` or ``[SEP]`` in a text for the token that ends it, unless they are told not to. They are told
so here; and where the vocabulary itself holds such a token as a word (word-level and unigram models do), a blank is
put behind its first character. Tokens that a user added to the vocabulary as ordinary ones stay tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from intdim.errors import UserError
from intdim.tasks.echo import quoted

CHUNK = 10_000  # examples tokenised at once
ROUNDS = 4  # of putting blanks into control tokens; one is enough but for tokens within tokens
KNOWN = ("<s>", "</s>", "<pad>", "<mask>", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "<|endoftext|>", "<eos>", "<bos>")
MARKS = set("<>[]{}|@＜＞｜⟨⟩«»")
HIEROGLYPHS = "\U00013080\U00013153"
BOUNDARIES = "▁ĠĊ"  # how vocabularies write the beginning of a word


@dataclass(frozen=True)
class Tokens:
    """N tokenised examples: ``ids`` of all, int32, one after the other; ``lengths`` (N,) of each; ``types``, segment
    numbers like ``ids`` or None; ``whole`` (N,), lengths before they were cut."""

    ids: np.ndarray
    lengths: np.ndarray
    types: np.ndarray | None
    whole: np.ndarray


def tokenise(
    texts: list[list[str]],
    tokenizer: Any,
    max_length: int,
    split: str,
    rows: Sequence[int] | np.ndarray,
    control: Iterable[int] = (),
) -> Tokens:
    """Tokenise one or two columns of texts, and cut what is longer than ``max_length``.

    Of a pair the longer text is cut first. Where the tokenizer puts nothing between the two texts (GPT-2), the second
    one begins on a new line. Segment numbers that are all 0 are what a model assumes anyway, and are left out.

    Args:
        texts: one or two columns of N texts.
        tokenizer: a Hugging Face tokenizer.
        max_length: in tokens, with those that the tokenizer adds.
        split: for messages.
        rows: the numbers of the rows in their source, for messages.
        control: tokens, besides those that the tokenizer calls special, that mean something to the model.

    Raises:
        UserError: a text has no tokens, or a control token in it cannot be taken apart.
    """
    joins = len(texts) == 2 and separates(tokenizer)
    if len(texts) == 2 and not joins:
        texts = [texts[0], ["\n" + text for text in texts[1]]]
    reader = _Reader(tokenizer, len(texts) == 2, control)
    ids: list[np.ndarray] = []
    types: list[np.ndarray] = []
    whole: list[int] = []
    for first, chunk in _chunks(texts):
        made, segments, lengths = reader.read(chunk, max_length, split, rows[first : first + len(chunk[0])])
        ids += [np.asarray(one, dtype=np.int32) for one in made]
        types += [np.asarray(one, dtype=np.int8) for one in segments]
        whole += lengths

    kept = np.concatenate(types) if types else None
    if kept is not None and (not kept.any() or (len(texts) == 2 and not joins)):
        kept = None
    lengths = np.array([len(one) for one in ids], dtype=np.int64)
    return Tokens(np.concatenate(ids), lengths, kept, np.array(whole, dtype=np.int64))


def separates(tokenizer: Any) -> bool:
    """True where a pair gets special tokens that a single text does not."""
    return tokenizer.num_special_tokens_to_add(pair=True) > tokenizer.num_special_tokens_to_add(pair=False)


def control_tokens(tokenizer: Any, more: Iterable[int] = ()) -> dict[int, str]:
    """Return the tokens that text must not become, by number.

    They are the tokenizer's special tokens, those of ``more``, and what the vocabulary calls by a usual name; among
    them only what is written like a mark (``</s>``), never a word or a sign of its own that stands in as padding. The
    unknown token is none of them where any word may become it.
    """
    added = getattr(tokenizer, "added_tokens_decoder", {})
    known = zip(KNOWN, tokenizer.convert_tokens_to_ids(list(KNOWN)), strict=True)
    usual = {number for word, number in known if number is not None and _word(tokenizer, number) == word}
    usual -= {number for number, token in added.items() if not token.special}  # the user's own
    special = {number for number, token in added.items() if token.special}
    numbers = {*usual, *special, *tokenizer.all_special_ids, *more} - _unknown(tokenizer)
    words = {number: _word(tokenizer, number) for number in numbers}
    return {number: word.strip(BOUNDARIES) for number, word in words.items() if word is not None and _is_mark(word)}


def _word(tokenizer: Any, number: int) -> str | None:
    word = tokenizer.convert_ids_to_tokens(number) if 0 <= number < len(tokenizer) else None
    return word if isinstance(word, str) else None


def _unknown(tokenizer: Any) -> set[int]:
    """Return what a word of signs that no vocabulary holds becomes: the unknown token, or bytes."""
    return set(tokenizer([HIEROGLYPHS], add_special_tokens=False, verbose=False)["input_ids"][0])


class _Reader:
    """One tokenizer and the tokens that it must not find in a text."""

    def __init__(self, tokenizer: Any, pair: bool, more: Iterable[int]) -> None:
        self.tokenizer = tokenizer
        self.control = control_tokens(tokenizer, more)
        self.numbers = np.array(sorted(self.control), dtype=np.int64)
        words = sorted(self.control.values(), key=len, reverse=True)
        self.literal = re.compile("|".join(map(re.escape, words))) if words else None
        self.options: dict[str, Any] = {"truncation": False, "return_attention_mask": False, "verbose": False}
        self.fast = bool(getattr(tokenizer, "is_fast", False))
        if self.fast:
            self.options["split_special_tokens"] = True
        self.template = self._template(pair)

    def read(
        self, texts: list[list[str]], max_length: int, split: str, rows: Sequence[int] | np.ndarray
    ) -> tuple[list[list[int]], list[list[int]], list[int]]:
        """Return (ids, segment numbers or nothing, length before cutting) of each row."""
        texts = [list(column) for column in texts]
        if not self.fast and self.literal is not None:
            texts = [[self._apart(text) for text in column] for column in texts]
        made = self.tokenizer(*texts, **self.options)
        ids, types = list(made["input_ids"]), list(made.get("token_type_ids", ()))
        encodings = dict(enumerate(getattr(made, "encodings", None) or ()))
        for row, one in enumerate(ids):
            if not one:
                raise UserError(
                    f"the text of row {rows[row]} of {split} has no tokens: {quoted(texts[0][row])}",
                    "texts that the model's tokenizer knows",
                    "Remove that row.",
                )

        wrong = np.flatnonzero(self._count(ids) != self.template)
        for _ in range(ROUNDS):
            if not len(wrong):
                break
            for row in wrong:
                for column, text in enumerate(self._broken([column[row] for column in texts], encodings.get(int(row)))):
                    texts[column][row] = text
            self._again(texts, wrong, ids, types, encodings)
            wrong = wrong[self._count([ids[row] for row in wrong]) != self.template]
        if len(wrong):
            found = next(number for number in ids[wrong[0]] if number in self.control)
            raise UserError(
                f"the text of row {rows[wrong[0]]} of {split} becomes the control token {self.control[found]!r}",
                "texts without it",
                "Remove it from that row.",
            )
        whole = [len(one) for one in ids]
        long = np.flatnonzero(np.array(whole) > max_length)
        self._again(texts, long, ids, types, encodings, truncation="longest_first", max_length=max_length)
        return ids, types, whole

    def _template(self, pair: bool) -> int:
        """Return how many control tokens the tokenizer itself adds to an example."""
        if not self.fast:
            added = self.tokenizer.build_inputs_with_special_tokens([], [] if pair else None)
            return sum(number in self.control for number in added)
        encoding = self.tokenizer(*([["a"]] * (1 + pair)), **self.options).encodings[0]
        inside = zip(encoding.ids, encoding.sequence_ids, strict=True)
        return sum(number in self.control for number, sequence in inside if sequence is None)

    def _again(
        self,
        texts: list[list[str]],
        rows: np.ndarray,
        ids: list[list[int]],
        types: list[list[int]],
        encodings: dict[int, Any],
        **options: Any,
    ) -> None:
        """Tokenise some rows anew and put them in place."""
        if not len(rows):
            return
        made = self.tokenizer(*[[column[row] for row in rows] for column in texts], **(self.options | options))
        for at, row in enumerate(rows):
            ids[row] = made["input_ids"][at]
            if types:
                types[row] = made["token_type_ids"][at]
            if getattr(made, "encodings", None):
                encodings[int(row)] = made.encodings[at]

    def _count(self, ids: list[list[int]]) -> np.ndarray:
        """Return how many control tokens each row has."""
        flat = np.concatenate([np.asarray(one, dtype=np.int64) for one in ids])
        inside = np.concatenate([[0], np.cumsum(np.isin(flat, self.numbers))])
        ends = np.cumsum([len(one) for one in ids])
        return inside[ends] - inside[np.concatenate([[0], ends[:-1]])]

    def _broken(self, texts: list[str], encoding: Any) -> list[str]:
        """Return the texts of one row with a blank inside what became a control token."""
        if encoding is None:
            return [self._apart(text) for text in texts]
        places: list[set[int]] = [set() for _ in texts]
        for number, sequence, (start, end) in zip(encoding.ids, encoding.sequence_ids, encoding.offsets, strict=True):
            if sequence is not None and number in self.control and end - start > 1:
                skipped = len(texts[sequence][start:end]) - len(texts[sequence][start:end].lstrip())
                places[sequence].add(start + skipped + 1)
        if not any(places):
            return [self._apart(text) for text in texts]
        for text, several in enumerate(places):
            for place in sorted(several, reverse=True):
                texts[text] = f"{texts[text][:place]} {texts[text][place:]}"
        return texts

    def _apart(self, text: str) -> str:
        assert self.literal is not None
        return self.literal.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def _is_mark(word: str) -> bool:
    """Tell a control token such as ``</s>`` from a word or a sign that text is made of."""
    word = word.strip(BOUNDARIES)
    return len(word) > 2 and any(one in MARKS for one in word) and any(one.isalnum() for one in word)


def _chunks(texts: list[list[str]]) -> Iterator[tuple[int, list[list[str]]]]:
    for first in range(0, len(texts[0]), CHUNK):
        yield first, [column[first : first + CHUNK] for column in texts]
