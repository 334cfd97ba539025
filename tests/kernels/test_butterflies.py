"""The transform by butterflies: the size of a block, Hadamard's matrix, and the order of the additions."""

import pytest
import torch

from intdim.kernels import butterflies, reference, streams

from .test_native import normal


@pytest.mark.parametrize(("columns", "size"), [(1, 256), (256, 256), (257, 512), (1000, 1024), (65536, 65536)])
def test_block_size_holds_the_columns(columns, size):
    assert butterflies.block_size(columns) == size


def test_butterflies_are_the_hadamard_matrix():
    for size in (1, 2, 64, 512):
        values = normal(size * 3, "values").double().view(size, 3)
        expected = reference.hadamard(size) @ values
        assert (butterflies.transform(values.clone()) - expected).abs().max().item() < 1e-12 * size


def test_every_output_is_one_tree_of_sums():
    """In float32, distances 1, 2, 4: the first of eight numbers is ((a + b) + (c + d)) + ((e + f) + (g + h))."""
    values = streams.gaussians(4, 0, 8).float() * torch.tensor([1e6, 1, 1e-3, 1e3, 1, 1e5, 1e-2, 1])
    a, b, c, d, e, f, g, h = values
    made = butterflies.transform(values.clone().view(8, 1))
    assert made[0].item() == (((a + b) + (c + d)) + ((e + f) + (g + h))).item()
    assert made[3].item() == (((a - b) - (c - d)) + ((e - f) - (g - h))).item()


@pytest.mark.parametrize("size", [2, 8, 32])
def test_columns_are_transformed_one_by_one_and_twice_is_the_size(size):
    rows = streams.gaussians(5, 0, size * 5).view(size, 5)
    made = butterflies.transform(rows.clone())
    for column in range(5):
        assert torch.equal(made[:, column : column + 1], butterflies.transform(rows[:, column : column + 1].clone()))
        torch.testing.assert_close(made[:, column], reference.fwht(rows[:, column]), rtol=0, atol=1e-13)
    torch.testing.assert_close(butterflies.transform(made) / size, rows, rtol=0, atol=1e-13)
