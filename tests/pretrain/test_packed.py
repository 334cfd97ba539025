"""Packed windows: hardly any padding, batches that depend on seed and step alone."""

from __future__ import annotations

import numpy as np
import pytest

from intdim.pretrain.packed import Packed
from intdim.pretrain.tokenizer import train_tokenizer
from tests.pretrain.small import small_corpus


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    corpus = small_corpus()
    tokenizer = train_tokenizer(corpus, 150, tmp_path_factory.mktemp("tokenizer"), 32, segments=False)
    return Packed(corpus, tokenizer, window=24, batch_size=8, mask_fraction=0.15, seed=3)


def test_packed_windows_hold_the_corpus_and_hardly_any_padding(packed: Packed) -> None:
    batches = list(packed.batches(0, len(packed.pieces) // 8))
    places = sum(batch["attention_mask"].size for batch in batches)
    assert 1 - sum(int(batch["attention_mask"].sum()) for batch in batches) / places < 0.05
    corpus = small_corpus()
    first, last = packed.pieces[0][0], packed.pieces[0][-1]
    inner = np.concatenate([piece[1:-1] for piece in packed.pieces])
    assert first not in inner
    assert (inner != last).sum() > 15 * len(corpus.texts)
    assert all(len(piece) <= 24 for piece in packed.pieces)


def test_packed_batches_depend_on_seed_and_step_alone_and_masks_are_dynamic(packed: Packed) -> None:
    count = len(packed.pieces) // 8
    whole = list(packed.batches(0, 2 * count + 3))
    for begin in (1, count, 2 * count + 1):
        for left, right in zip(packed.batches(begin, 2 * count + 3), whole[begin:], strict=True):
            assert all((left[name] == right[name]).all() for name in left)
    for batch in whole[:5]:
        restored = batch["input_ids"].copy()
        places = batch["rows"], batch["columns"]
        restored[places] = batch["tokens"]
        special = (packed.pad, packed.mask, packed.pieces[0][0], packed.pieces[0][-1])
        assert not np.isin(batch["tokens"], special).any()
        assert (batch["attention_mask"] == (restored != packed.pad)).all()
    rows = np.arange(8)
    one, two = (packed.batch(rows, np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.array_equal(one["input_ids"], two["input_ids"])
