"""Streams against plain Python integers, against themselves cut otherwise, and against their distributions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from intdim.kernels import streams

FULL = 2**64
KEYS = [0, 1, -1, 2**63 - 1, -(2**63), 1234567, streams.stream_key(0, "a")]


def splitmix(key: int, index: int) -> int:
    """SplitMix64 as published, on unbounded integers."""
    z = (key + (index + 1) * 0x9E3779B97F4A7C15) % FULL
    z = ((z ^ (z // 2**30)) * 0xBF58476D1CE4E5B9) % FULL
    z = ((z ^ (z // 2**27)) * 0x94D049BB133111EB) % FULL
    return z ^ (z // 2**31)


def unsigned(words: torch.Tensor) -> list[int]:
    return [int(word) % FULL for word in words]


def test_published_vectors():
    # The first outputs of SplitMix64 for state 1234567, as in the reference implementation by Vigna.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert unsigned(streams.bits(1234567, 0, 4)) == expected


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("start", [0, 1, 63, 2**31 - 2, 2**32 - 1, 2**40, 2**61])
def test_words_are_those_of_big_integers(key, start):
    expected = [splitmix(key, start + i) for i in range(9)]
    assert unsigned(streams.bits(key, start, 9)) == expected
    assert [streams.word(key, start + i) for i in range(9)] == expected


@pytest.mark.parametrize("start", [0, 5, 64, 2**40 + 3])
def test_derived_numbers_are_those_of_big_integers(start):
    key, count, high = streams.stream_key(3, "x"), 130, 2**31 - 1
    signs = [1 - 2 * (splitmix(key, i // 64) // 2 ** (i % 64) % 2) for i in range(start, start + count)]
    assert streams.signs(key, start, count).tolist() == signs
    words = [splitmix(key, i) for i in range(start, start + count)]
    assert streams.uniforms(key, start, count).tolist() == [word // 2**11 / 2**53 for word in words]
    assert streams.integers(key, start, count, high).tolist() == [word * high // FULL for word in words]
    several = torch.arange(1, count + 1)
    expected = [word * size // FULL for word, size in zip(words, several.tolist(), strict=True)]
    assert streams.integers(key, start, count, several).tolist() == expected
    for i, value in zip(range(start, start + count), streams.gaussians(key, start, count).tolist(), strict=True):
        u, v = (splitmix(key, i - i % 2 + k) // 2**11 / 2**53 for k in (0, 1))
        trig = math.sin if i % 2 else math.cos
        assert value == pytest.approx(math.sqrt(-2 * math.log1p(-u)) * trig(2 * math.pi * v), rel=1e-12, abs=1e-14)


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, 2**45),
    count=st.integers(1, 300),
    cut=st.integers(0, 300),
    name=st.sampled_from(["bits", "sign_bits", "uniforms", "gaussians"]),
)
def test_a_stream_may_be_cut_anywhere(start, count, cut, name):
    make, key, cut = getattr(streams, name), streams.stream_key(7, name), min(cut, count)
    parts = [make(key, start, cut), make(key, start + cut, count - cut)]
    whole = make(key, start, count)
    if name == "gaussians":  # words are exact; cosines may round differently in another place of a vector register
        torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-13, atol=1e-14)
    else:
        assert torch.equal(torch.cat(parts), whole)


def test_keys_depend_on_every_part_its_kind_and_its_place():
    paths = [
        (0,),
        (1,),
        (-1,),
        (0, 0),
        (0, 1),
        (0, "1"),
        (0, "a"),
        (0, "a", "b"),
        (0, "b", "a"),
        (0, "ab"),
        (2**64 - 2,),
    ]
    keys = [streams.stream_key(*path) for path in paths]
    assert len(set(keys)) == len(paths)
    assert all(-(2**63) <= key < 2**63 for key in keys)


def test_golden_numbers():
    """Changed numbers change every projection: raise STREAM_VERSION in intdim/spec.py, then print these again."""
    key = streams.stream_key(0, "fastfood", "signs")
    assert key == GOLDEN_KEY
    assert streams.permutation(key, 10).tolist() == GOLDEN_PERMUTATION


GOLDEN_KEY = 1313287276386993188
GOLDEN_PERMUTATION = [6, 9, 2, 5, 0, 1, 4, 7, 3, 8]


@pytest.mark.parametrize("log2_size", range(13))
def test_scramble_is_a_bijection(log2_size):
    for seed in range(5):
        images = streams.scramble(streams.stream_key(seed), log2_size, torch.arange(2**log2_size))
        assert sorted(images.tolist()) == list(range(2**log2_size))


@pytest.mark.parametrize("size", [1, 2, 3, 63, 64, 65, 1000, 4097])
def test_permutation_is_one(size):
    order = streams.permutation(streams.stream_key(1, size), size)
    assert order.dtype == torch.int64
    assert sorted(order.tolist()) == list(range(size))


def test_permutations_are_spread_evenly():
    """Where 0, 1 and 500 go over 4000 keys, in 20 bins, and how far apart neighbours land: chi-square at 1e-4 each,
    so a correct generator fails for one choice of the 4000 keys in 1500."""
    orders = torch.stack([streams.permutation(streams.stream_key(seed, "p"), 1000) for seed in range(4000)])
    gaps = (orders[:, 1] - orders[:, 0]) % 1000
    chances = [
        stats.chisquare(torch.bincount(column // 50, minlength=20)).pvalue for column in orders[:, [0, 1, 500]].T
    ]
    chances.append(stats.chisquare(torch.bincount((gaps - 1) * 20 // 999, minlength=20)).pvalue)
    identity = (orders == torch.arange(1000)).sum(1).double().mean().item()
    assert min(chances) > 1e-4
    assert abs(identity - 1) < 5 / math.sqrt(4000)  # a random permutation has 1 fixed point on average, variance 1


def test_distributions():
    """Five tests at 1e-5 each: a correct generator fails for one choice of key in 20,000."""
    key, count = streams.stream_key(11, "distributions"), 200_000
    gaussians = streams.gaussians(key, 0, count)
    uniforms = streams.uniforms(key, 0, count)
    signs = streams.signs(key, 0, count)
    integers = streams.integers(key, 0, count, 37)
    lagged = torch.stack([gaussians[0::2], gaussians[1::2]])
    assert stats.kstest(gaussians.numpy(), "norm").pvalue > 1e-5
    assert stats.kstest(uniforms.numpy(), "uniform").pvalue > 1e-5
    assert stats.chisquare(torch.bincount(integers, minlength=37)).pvalue > 1e-5
    assert abs(signs.sum().item()) / math.sqrt(count) < stats.norm.isf(0.5e-5)
    assert abs(torch.corrcoef(lagged)[0, 1].item()) * math.sqrt(count / 2) < stats.norm.isf(0.5e-5)


def test_other_keys_are_unrelated():
    """Signs of 100 pairs of neighbouring seeds: the largest of 100 correlations, at 1e-4 in all."""
    count = 10_000
    rows = torch.stack([streams.signs(streams.stream_key(seed, "s"), 0, count) for seed in range(101)])
    correlations = (rows[1:] * rows[:-1]).sum(1) / math.sqrt(count)
    assert correlations.abs().max().item() < stats.norm.isf(0.5e-4 / 100)


def test_global_random_state_is_untouched():
    before = torch.get_rng_state()
    streams.gaussians(1, 0, 100)
    streams.permutation(1, 100)
    streams.signs(1, 0, 100)
    assert torch.equal(before, torch.get_rng_state())


def test_index_zero_uniform_does_not_break_the_logarithm():
    """1 - u is never 0: the largest word still gives a finite Gaussian."""
    largest = (2**53 - 1) * 2.0**-53
    assert math.isfinite(math.log1p(-largest))
