"""Batches: every example once, random, little padding, the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intdim.tasks import batches
from intdim.tasks.stored import Split


def split_of(lengths, *, types=False, pad_left=False, pad_type=0, scores=False) -> Split:
    """Example n holds the ids 100 n + 1, 100 n + 2, ...; its segment numbers are n modulo 2."""
    lengths = torch.as_tensor(np.asarray(lengths), dtype=torch.int64)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)[:-1]])
    rows = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    ids = (100 * rows + 1 + torch.arange(len(rows)) - offsets[rows]).to(torch.int32)
    labels = torch.arange(len(lengths)) % 3
    return Split(
        ids=ids,
        offsets=offsets,
        lengths=lengths,
        labels=labels.float() if scores else labels,
        types=(rows % 2).to(torch.int8) if types else None,
        pad_left=pad_left,
        pad_type=pad_type,
    )


def lognormal(count, mean=53.0, sigma=0.4, longest=128):
    """Lengths like those of sentence pairs: log-normal with the given mean, cut at ``longest``."""
    drawn = np.random.default_rng(0).lognormal(np.log(mean) - sigma**2 / 2, sigma, count)
    return np.clip(np.round(drawn), 8, longest).astype(int)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=400), st.integers(1, 50), st.integers(0, 5), st.integers(0, 3))
def test_every_example_once_in_as_few_batches_as_possible(lengths, batch_size, seed, epoch):
    split = split_of(lengths)
    made = batches.epoch(split, batch_size, seed, epoch)
    assert sorted(torch.cat(made).tolist()) == list(range(len(lengths)))
    assert len(made) == -(-len(lengths) // batch_size)
    assert all(len(rows) == batch_size for rows in made if len(rows) != len(lengths) % batch_size)


@pytest.mark.parametrize("batch_size", [8, 16, 32, 64])
@pytest.mark.parametrize("count", [3668, 8000, 30_000])
@pytest.mark.parametrize("sigma", [0.3, 0.4, 0.5])
def test_little_padding(count, batch_size, sigma):
    split = split_of(lognormal(count, sigma=sigma))
    wasted = [batches.waste(split, batches.epoch(split, batch_size, seed, 0)) for seed in range(3)]
    assert np.mean(wasted) <= 0.05
    plain = torch.randperm(count, generator=torch.Generator().manual_seed(0)).split(batch_size)
    assert batches.waste(split, list(plain)) > 5 * np.mean(wasted)


def test_waste_by_hand():
    split = split_of([2, 4, 4, 6])
    assert batches.waste(split, [torch.tensor([0, 1]), torch.tensor([2, 3])]) == pytest.approx(1 - 16 / 20)
    assert batches.waste(split, [torch.tensor([1, 2])]) == 0.0


def test_seed_and_epoch_decide_and_nothing_else():
    split = split_of(lognormal(500))
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = batches.epoch(split, 16, 3, 1)
    torch.manual_seed(5)
    np.random.seed(5)
    again = batches.epoch(split, 16, 3, 1)
    torch.set_rng_state(state[0])
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for seed, epoch in ((3, 2), (4, 1), (1, 3)):
        other = batches.epoch(split, 16, seed, epoch)
        assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_global_random_state_is_untouched():
    before = torch.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()
    batches.epoch(split_of(lognormal(100)), 16, 0, 0)
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


def test_companions_change_from_epoch_to_epoch():
    split = split_of(lognormal(8000))
    together = []
    for epoch in range(2):
        made = batches.epoch(split, 32, 0, epoch)
        together.append({(a, b) for rows in made for a in rows.tolist() for b in rows.tolist() if a < b})
    assert len(together[0] & together[1]) < 0.25 * len(together[0])  # sorted batches: nearly all


def test_short_and_long_batches_are_not_in_order():
    split = split_of(lognormal(8000))
    means = [float(split.lengths[rows].double().mean()) for rows in batches.epoch(split, 16, 0, 0)]
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.2  # 500 batches: 4 standard errors
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.2  # nor do neighbours resemble each other


def test_the_smaller_batch_holds_no_fixed_kind_of_example():
    split = split_of(np.arange(1, 101))
    small = [min(batches.epoch(split, 32, seed, 0), key=len) for seed in range(60)]
    means = [float(split.lengths[rows].double().mean()) for rows in small]
    assert min(means) < 20
    assert max(means) > 80


def test_sequential_is_longest_first_and_keeps_to_the_index():
    split = split_of([3, 9, 5, 9, 1])
    assert [rows.tolist() for rows in batches.sequential(split, 2)] == [[1, 3], [2, 0], [4]]
    assert [rows.tolist() for rows in batches.sequential(split, 2, torch.tensor([4, 0, 3]))] == [[3, 0], [4]]


@pytest.mark.parametrize("pad_left", [False, True])
def test_collate_by_hand(pad_left):
    split = split_of([2, 3, 1], types=True, pad_left=pad_left, pad_type=7)
    made = batches.collate(split, torch.tensor([2, 1]), 99, "cpu")
    short = [99, 99, 201] if pad_left else [201, 99, 99]
    assert made["input_ids"].tolist() == [short, [101, 102, 103]]
    assert made["attention_mask"].tolist() == [[int(i != 99) for i in short], [1, 1, 1]]
    assert made["token_type_ids"].tolist() == [[0 if i != 99 else 7 for i in short], [1, 1, 1]]
    assert made["labels"].tolist() == [2, 1]
    assert {name: tensor.dtype for name, tensor in made.items()} == dict.fromkeys(made, torch.int64)


def test_collate_without_segments_and_with_scores():
    made = batches.collate(split_of([2, 3], scores=True), torch.tensor([0]), 0, "cpu")
    assert set(made) == {"input_ids", "attention_mask", "labels"}
    assert made["labels"].dtype == torch.float32
    assert made["input_ids"].shape == (1, 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.booleans(), st.randoms())
def test_collate_keeps_every_token_in_order(lengths, pad_left, random):
    split = split_of(lengths, pad_left=pad_left)
    index = torch.tensor(random.sample(range(len(lengths)), k=random.randint(1, len(lengths))))
    made = batches.collate(split, index, 0, "cpu")
    for place, row in enumerate(index.tolist()):
        mask = made["attention_mask"][place].bool()
        assert made["input_ids"][place][mask].tolist() == [100 * row + 1 + n for n in range(lengths[row])]
        assert (made["input_ids"][place][~mask] == 0).all()
        assert mask[-1 if pad_left else 0]
