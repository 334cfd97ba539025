"""Packed signs: one bit each, in planes, applied by flipping sign bits."""

import math

import pytest
import torch

from intdim.kernels import streams
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


def bit(words: torch.Tensor, index: int) -> int:
    """Sign ``index`` by the formula of the module: bit 31 - e // W of word e mod W."""
    width = len(words)
    return (int(words[index % width]) & 0xFFFFFFFF) >> (31 - index // width) & 1


@pytest.mark.parametrize("count", [1, 32, 33, 100])
def test_each_sign_has_its_place(count):
    negative = streams.sign_bits(3, 0, count)
    words = pack_signs(negative)
    assert words.dtype == torch.int32
    assert [bit(words, index) for index in range(count)] == negative.int().tolist()
    assert not any(bit(words, index) for index in range(count, 32 * len(words)))  # padded with plus


def test_signs_of_a_matrix_are_packed_row_by_row():
    negative = streams.sign_bits(3, 0, 80)
    assert torch.equal(pack_signs(negative.view(8, 10)), pack_signs(negative))
    values = torch.arange(1.0, 81.0).view(8, 10)
    assert torch.equal(flip(values, pack_signs(negative)).view(-1), flip(values.view(-1), pack_signs(negative)))


def test_flip_leaves_its_input_and_writes_where_it_is_told():
    values, out = torch.tensor([1.0, 2.0, 3.0]), torch.empty(3)
    assert flip(values, pack_signs(torch.tensor([True, False, True])), out=out) is out
    assert values.tolist() == [1.0, 2.0, 3.0]
    assert out.tolist() == [-1.0, 2.0, -3.0]
