"""The tokenizer: the same for the same corpus, lower-cased, made for pairs."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from intdim.pretrain.tokenizer import make_tokenizer, read_tokenizer, train_tokenizer
from intdim.request import Start
from tests.pretrain.small import small_corpus


def test_the_vocabulary_is_the_same_each_time(tmp_path: Path) -> None:
    # Left to itself the learner follows hash tables that are seeded anew for each training: four of four differed.
    for name in ("one", "two", "three"):
        train_tokenizer(small_corpus(), 120, tmp_path / name, 32)
    files = {(tmp_path / name / "tokenizer.json").read_bytes() for name in ("one", "two", "three")}
    assert len(files) == 1


def test_the_tokenizer_lowers_and_makes_pairs(tmp_path: Path) -> None:
    train_tokenizer(small_corpus(), 150, tmp_path, 32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    made = tokenizer("Return the ARRAY", "of a table")
    tokens = tokenizer.convert_ids_to_tokens(made["input_ids"])
    assert tokens[:5] == ["[CLS]", "return", "the", "array", "[SEP]"]
    assert tokens[-1] == "[SEP]"
    assert made["token_type_ids"] == [0] * 5 + [1] * (len(tokens) - 5)
    assert tokenizer.pad_token_id == 0


def test_weights_whose_training_goes_on_bring_their_tokenizer(tmp_path: Path) -> None:
    train_tokenizer(small_corpus(), 150, tmp_path / "theirs", 32)
    (tmp_path / "theirs" / "config.json").write_text('{"model_type": "bert", "vocab_size": 150}')
    start = Start(folder=str(tmp_path / "theirs"))
    made = make_tokenizer(small_corpus(5), 50, tmp_path / "made", 32, start)
    assert made.get_vocab() == AutoTokenizer.from_pretrained(tmp_path / "theirs").get_vocab()
    assert read_tokenizer(tmp_path / "made", start).get_vocab() == made.get_vocab()
