"""Packed signs, Hadamard and Hartley transforms and ordered sums against their definitions."""

import math

import pytest
import torch

from intdim.kernels import butterflies, hadamard, reference, streams
from intdim.kernels.ordered import add_at
from intdim.kernels.signs import flip, pack_signs


@pytest.mark.parametrize("count", [1, 31, 32, 33, 63, 1000, 4096])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_flip_is_multiplication_by_signs(count, dtype):
    negative = streams.sign_bits(5, 0, count)
    values = streams.gaussians(6, 0, count).to(dtype)
    words = pack_signs(negative)
    assert words.numel() == -(-count // 32)
    expected = torch.where(negative, -values, values)
    assert torch.equal(flip(values, words), expected)
    flip(values, words, out=values)
    assert torch.equal(values, expected)


def test_flip_keeps_special_values():
    values = torch.tensor([0.0, math.inf, math.nan])
    flipped = flip(values, pack_signs(torch.ones(3, dtype=torch.bool)))
    assert torch.signbit(flipped[0])
    assert flipped[1] == -math.inf
    assert torch.isnan(flipped[2])


@pytest.mark.parametrize("log2_size", range(31))
def test_factors_multiply_to_the_size(log2_size):
    parts = hadamard.factors(1 << log2_size)
    assert math.prod(parts) == 1 << log2_size
    assert log2_size < 8 or set(parts) <= {16, 32, 64}


@pytest.mark.parametrize(("columns", "size"), [(1, 256), (256, 256), (257, 512), (1000, 1024), (65536, 65536)])
def test_block_size_holds_the_columns(columns, size):
    assert butterflies.block_size(columns) == size


@pytest.mark.parametrize("size", [1, 2, 16, 128, 256, 512, 2048, 8192])
@pytest.mark.parametrize("ascending", [False, True])
def test_transforms_are_hadamards_and_their_own_inverse(size, ascending):
    values = streams.gaussians(1, 0, size)
    expected, original = reference.fwht(values), values.clone()
    spare = torch.empty_like(values), torch.empty_like(values)
    once = hadamard.transform(values, spare, ascending).clone()
    assert torch.equal(values, original)
    torch.testing.assert_close(once, expected, rtol=0, atol=1e-11 * math.sqrt(size))
    twice = hadamard.transform(once, spare, not ascending)
    torch.testing.assert_close(twice / size, original, rtol=0, atol=1e-13)
    assert torch.equal(hadamard.transform(values, (spare[0], values), ascending), once), "values may be a spare buffer"


@pytest.mark.parametrize("size", [1, 2, 8, 64])
def test_reference_hadamard_is_what_butterflies_compute(size):
    values = streams.gaussians(2, 0, size)
    H = reference.hadamard(size)
    signs = torch.tensor([[(-1.0) ** (i & j).bit_count() for j in range(size)] for i in range(size)]).double()
    assert torch.equal(H, signs)
    torch.testing.assert_close(reference.fwht(values), H @ values, rtol=1e-13, atol=1e-13)
    assert torch.equal(hadamard.sylvester(size, torch.float64, torch.device("cpu")), H)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 63, 64, 257, 1009])
def test_hartley_is_its_matrix_and_its_own_inverse(size):
    values = streams.gaussians(3, 0, size)
    torch.testing.assert_close(hadamard.hartley(values), reference.hartley(size) @ values, rtol=0, atol=1e-10)
    twice = hadamard.hartley(hadamard.hartley(values)) / size
    torch.testing.assert_close(twice, values, rtol=0, atol=1e-13)


@pytest.mark.parametrize("index_dtype", [torch.int32, torch.int64])
def test_add_at_adds_in_order_whatever_the_threads(index_dtype):
    index = streams.integers(1, 0, 200_000, 97).to(index_dtype)
    values = streams.gaussians(2, 0, 200_000).float()
    expected = [0.0] * 97
    sums = torch.tensor(expected)
    for place, value in zip(index[:3000].tolist(), values[:3000], strict=False):
        sums[place] += value
    first = torch.zeros(97)
    add_at(first, index[:3000], values[:3000])
    assert torch.equal(first, sums)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            out = torch.zeros(97)
            add_at(out, index, values)
            results.append(out)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
