"""Sums into places, in order."""

import pytest
import torch

from intdim.kernels import streams
from intdim.kernels.ordered import add_at


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


def test_it_adds_to_what_is_there_and_leaves_the_rest():
    out = torch.tensor([1.0, 2.0, 3.0])
    add_at(out, torch.tensor([2, 0, 2]), torch.tensor([10.0, 20.0, 30.0]))
    assert out.tolist() == [21.0, 2.0, 43.0]


def test_the_first_value_is_added_first():
    """1e8 + 1 is 1e8 in float32, so that the order shows."""
    for values, total in (([1e8, 1.0, -1e8], 0.0), ([1e8, -1e8, 1.0], 1.0)):
        out = torch.zeros(1)
        add_at(out, torch.zeros(3, dtype=torch.int64), torch.tensor(values))
        assert out.item() == total
