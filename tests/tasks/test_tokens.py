"""User text never becomes a control token, whatever the tokenizer; everything else is as the tokenizer says."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from intdim.errors import UserError
from intdim.tasks import docstrings
from intdim.tasks.tokens import control_tokens, tokenise

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "[SEP]", "<|endoftext|>"]
TEXTS = ["a plain film", "an </s> old film", "<s>struck</s> out", "[SEP]", "<|endoftext|> and <pad>", "a <mask> b"]
LINES = ["a plain old film and an old plain actor struck out of it in the end", "the text of a mask < > / s [ ] |"]
CORPUS = LINES * 20


def bpe() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet)
    made.train_from_iterator(CORPUS, trainer)
    return made


def wordpiece() -> Tokenizer:
    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=120, special_tokens=SPECIAL))
    return made


def unigram() -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.normalizer, made.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=100, special_tokens=SPECIAL, unk_token="<unk>")
    made.train_from_iterator(CORPUS, trainer)
    return made


def words() -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *" ".join(LINES).split()])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


KINDS = {"bpe": bpe, "wordpiece": wordpiece, "unigram": unigram, "words": words}


def teller(kind: str, declared: bool = True) -> PreTrainedTokenizerFast:
    """A tokenizer that ends texts with </s>. Not ``declared``: only the vocabulary knows its control tokens."""
    made = KINDS[kind]()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", made.token_to_id("</s>"))]
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", **(names if declared else {})
    )


def rows_of(made) -> list[list[int]]:
    return [part.tolist() for part in np.split(made.ids, np.cumsum(made.lengths)[:-1])]


def read(texts, tokenizer, max_length=64, control=()):
    columns = texts if isinstance(texts[0], list) else [texts]
    return tokenise(columns, tokenizer, max_length, "train", range(1, len(columns[0]) + 1), control)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("kind", list(KINDS))
def test_control_tokens_in_texts_become_ordinary_pieces(kind, declared):
    tokenizer = teller(kind, declared)
    control = set(tokenizer.convert_tokens_to_ids(SPECIAL)) - {tokenizer.unk_token_id}
    for text, row in zip(TEXTS, rows_of(read(TEXTS, tokenizer)), strict=True):
        assert row[-1] == tokenizer.convert_tokens_to_ids("</s>")
        assert not control & set(row[:-1]), text
        assert len(row) > 1
    pairs = rows_of(read([TEXTS, TEXTS[::-1]], tokenizer))
    assert all(sum(token in control for token in row) == 2 for row in pairs)


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "words"])
def test_tokens_that_look_like_others_after_normalising_are_taken_apart_too(kind):
    tokenizer = teller(kind)
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    end = tokenizer.eos_token_id
    rows = rows_of(read(["a ＜/s＞ b", "a </S> b"], tokenizer))
    assert [row.count(end) for row in rows] == [1, 1]


@pytest.mark.parametrize("kind", list(KINDS))
def test_texts_without_control_tokens_are_as_the_tokenizer_says(kind):
    tokenizer = teller(kind)
    plain = [LINES[0], "a < b / s > c", "old [ ] film"]
    assert rows_of(read(plain, tokenizer)) == tokenizer(plain)["input_ids"]


def test_byte_level_pieces_are_those_of_the_tokenizers_own_switch():
    tokenizer = teller("bpe")
    assert rows_of(read(TEXTS, tokenizer)) == tokenizer(TEXTS, split_special_tokens=True)["input_ids"]


def test_ordinary_tokens_that_were_added_stay_tokens():
    tokenizer = teller("bpe")
    tokenizer.add_tokens(["<user>", AddedToken("[ENTITY]", special=False)])
    numbers = tokenizer.convert_tokens_to_ids(["<user>", "[ENTITY]"])
    (row,) = rows_of(read(["<user> saw [ENTITY] and </s>"], tokenizer))
    assert [token for token in row if token in numbers] == numbers
    assert row.count(tokenizer.eos_token_id) == 1


def test_tokens_of_the_model_alone_count(tmp_path):
    tokenizer = teller("words", declared=False)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    word = tokenizer.convert_tokens_to_ids("[SEP]")
    assert word in control_tokens(tokenizer)  # by its usual name
    odd = tokenizer.convert_tokens_to_ids("[")
    assert odd not in control_tokens(tokenizer, [odd]), "a sign that text is made of"


def test_a_word_that_stands_in_as_padding_stays_a_word():
    tokenizer = teller("words")
    tokenizer.pad_token = "film"
    (row,) = rows_of(read(["an old film"], tokenizer))
    assert tokenizer.convert_tokens_to_ids("film") in row


def test_a_slow_tokenizer_too():
    tokenizer = ByT5Tokenizer()
    assert not tokenizer.is_fast
    for text, row in zip(TEXTS, rows_of(read(TEXTS, tokenizer)), strict=True):
        assert [token for token in row if token < 3 and token != tokenizer.unk_token_id] == [tokenizer.eos_token_id]
        assert len(row) >= len(text)
    assert rows_of(read(["a plain film"], tokenizer)) == [tokenizer("a plain film")["input_ids"]]


def test_what_cannot_be_taken_apart_is_refused_with_its_row():
    tokenizer = teller("words")
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("x", "</s>")
    with pytest.raises(UserError, match=r"row 2 of train becomes the control token '</s>'"):
        read(["an old film", "a x b"], tokenizer)


def test_lengths_before_cutting_are_known_and_cut_rows_are_as_the_tokenizer_cuts_them():
    tokenizer = teller("bpe")
    texts = [" ".join(["film"] * count) for count in (1, 5, 40, 2)]
    made = read(texts, tokenizer, max_length=16)
    assert made.whole.tolist() == [len(one) for one in tokenizer(texts)["input_ids"]]
    cut = tokenizer(texts, truncation="longest_first", max_length=16)["input_ids"]
    assert rows_of(made) == cut
    assert made.lengths.max() == 16
    pair = read([texts, texts[::-1]], tokenizer, max_length=16)
    assert rows_of(pair) == tokenizer(texts, texts[::-1], truncation="longest_first", max_length=16)["input_ids"]


def test_the_built_in_tasks_have_no_control_token_in_their_texts():
    from intdim.models.files import load_tokenizer
    from intdim.models.locate import locate

    tokenizer = load_tokenizer(locate("builtin", "tiny", "main", "").folder)
    literal = set(control_tokens(tokenizer).values())
    assert {"[SEP]", "[CLS]", "[PAD]", "[MASK]"} <= literal
    for name in docstrings.NAMES:
        for table in docstrings.load(name).values():
            texts = [text for column in table.columns if column != "label" for text in table[column]]
            assert not [text for text in texts if any(word in text for word in literal)], name
