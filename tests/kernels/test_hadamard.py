"""The transforms of one long vector: factors, Hadamard by small products, Hartley by Fourier's."""

import math

import pytest
import torch

from intdim.kernels import hadamard, reference, streams


@pytest.mark.parametrize("log2_size", range(31))
def test_factors_multiply_to_the_size(log2_size):
    parts = hadamard.factors(1 << log2_size)
    assert math.prod(parts) == 1 << log2_size
    assert log2_size < 8 or set(parts) <= {16, 32, 64}


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


@pytest.mark.parametrize("size", [1, 2, 3, 4, 63, 64, 257, 1009])
def test_hartley_is_its_matrix_and_its_own_inverse(size):
    values = streams.gaussians(3, 0, size)
    torch.testing.assert_close(hadamard.hartley(values), reference.hartley(size) @ values, rtol=0, atol=1e-10)
    twice = hadamard.hartley(hadamard.hartley(values)) / size
    torch.testing.assert_close(twice, values, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("size", "parts"),
    [(1, [1]), (128, [128]), (256, [16, 16]), (512, [32, 16]), (2048, [64, 32]), (4096, [16, 16, 16])],
)
def test_sizes_are_split_where_the_bits_were_fixed(size, parts):
    """Another split adds in another order: it would be another float32 result."""
    assert hadamard.factors(size) == parts


def test_sylvesters_matrix_is_made_once_and_serves_every_mode():
    with torch.inference_mode():
        made = hadamard.sylvester(4, torch.float32, torch.device("cpu"))
    assert made.tolist() == [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]
    assert hadamard.sylvester(4, torch.float32, torch.device("cpu")) is made
    assert not made.is_inference()


def test_hartley_of_one_number_in_turn_is_a_column_of_cosines_and_sines():
    unit = torch.zeros(6, dtype=torch.float64)
    unit[1] = 1
    expected = [math.cos(math.pi * i / 3) + math.sin(math.pi * i / 3) for i in range(6)]
    assert hadamard.hartley(unit).tolist() == pytest.approx(expected, abs=1e-14)
