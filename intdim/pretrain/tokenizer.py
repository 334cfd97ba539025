"""The tokenizer of a pre-training: learnt from the corpus, or taken from the weights whose training goes on."""

from __future__ import annotations

import string
from collections import Counter
from pathlib import Path
from typing import Any

from tokenizers import BertWordPieceTokenizer
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerBase

from intdim.models.files import load_tokenizer, quiet
from intdim.pretrain.texts import Corpus
from intdim.request import Start

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
RAREST = 20  # occurrences: a character below that is [UNK]


def make_tokenizer(
    corpus: Corpus, vocab_size: int, folder: Path, max_positions: int, start: Start | None
) -> PreTrainedTokenizerBase:
    """Put the tokenizer of a pre-training into ``folder`` and return it."""
    if start and start.folder:
        with quiet():
            load_tokenizer(Path(start.folder).expanduser()).save_pretrained(folder)
    else:
        train_tokenizer(corpus, vocab_size, folder, max_positions, segments=start is None)
    return read_tokenizer(folder, start)


def read_tokenizer(folder: Path, start: Start | None) -> PreTrainedTokenizerBase:
    """Return the tokenizer that ``make_tokenizer`` put into ``folder``."""
    with quiet():
        return (AutoTokenizer if start and start.folder else BertTokenizer).from_pretrained(folder)


def train_tokenizer(
    corpus: Corpus, vocab_size: int, folder: Path, max_positions: int, segments: bool = True
) -> PreTrainedTokenizerBase:
    """Learn a lower-cased WordPiece vocabulary, save it as a Hugging Face tokenizer in ``folder`` and return it.

    Without ``segments`` it does not tell a model which segment a token belongs to.

    The same corpus gives the same vocabulary: the learner numbers its first pieces in the order of a hash table that
    differs from process to process, and ties between merges are broken by those numbers. So every piece of one
    character is given to it in a fixed order, as a "special" token of a tokenizer that is thrown away.
    """
    learner = BertWordPieceTokenizer(lowercase=True)
    texts = [f"{title}\n{text}" for title, text in zip(corpus.titles, corpus.texts, strict=True)]
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(learner.normalize(text))

    letters = sorted(letter for letter, count in counts.items() if count >= RAREST and not letter.isspace())
    inner = [f"##{letter}" for letter in letters if letter not in string.punctuation]
    learner.train_from_iterator(
        texts,
        vocab_size=vocab_size,
        min_frequency=2,
        limit_alphabet=len(letters),
        initial_alphabet=letters,
        special_tokens=[*SPECIALS, *inner],
        show_progress=False,
    )

    made = BertWordPieceTokenizer(learner.get_vocab(with_added_tokens=True), lowercase=True)
    inputs: dict[str, Any] = {} if segments else {"model_input_names": ["input_ids", "attention_mask"]}
    tokenizer = BertTokenizer(
        tokenizer_object=made._tokenizer, do_lower_case=True, model_max_length=max_positions, **inputs
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def token_ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """Return the tokens of each text, without special ones."""
    made: Any = tokenizer(texts, add_special_tokens=False, truncation=False, verbose=False)
    return made["input_ids"]
