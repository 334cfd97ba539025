"""The definitions against the formulas they state, each at a size that can be worked out by hand."""

import math

import pytest
import torch

from intdim.kernels import hadamard, reference, streams
from intdim.spec import PROJECTIONS


@pytest.mark.parametrize("size", [1, 2, 8, 64])
def test_reference_hadamard_is_what_butterflies_compute(size):
    values = streams.gaussians(2, 0, size)
    H = reference.hadamard(size)
    signs = torch.tensor([[(-1.0) ** (i & j).bit_count() for j in range(size)] for i in range(size)]).double()
    assert torch.equal(H, signs)
    torch.testing.assert_close(reference.fwht(values), H @ values, rtol=1e-13, atol=1e-13)
    assert torch.equal(hadamard.sylvester(size, torch.float64, torch.device("cpu")), H)


def test_hartley_is_symmetric_and_its_own_inverse():
    for size in (1, 4, 7):
        H = reference.hartley(size)
        torch.testing.assert_close(H @ H, size * torch.eye(size, dtype=torch.float64), rtol=0, atol=1e-12)
        assert torch.equal(H, H.t())
    assert reference.hartley(4)[1].tolist() == pytest.approx([1, 1, -1, -1], abs=1e-15)


def test_every_projection_has_a_definition():
    assert set(reference.DEFINITIONS) == set(PROJECTIONS)


@pytest.mark.parametrize("name", reference.DEFINITIONS)
@pytest.mark.parametrize(("D", "d"), [(20, 3), (6, 6), (3, 5)])
def test_a_definition_is_a_matrix_in_double_precision_that_follows_its_seed(name, D, d):
    P = reference.DEFINITIONS[name](D, d, 1)
    assert (P.shape, P.dtype) == ((D, d), torch.float64)
    assert torch.equal(P, reference.DEFINITIONS[name](D, d, 1))
    assert not torch.equal(P, reference.DEFINITIONS[name](D, d, 2))


def test_the_smallest_of_each():
    """D = d = 1 leaves a sign, or in fastfood's case a Gaussian."""
    for name in ("dense", "sparse", "one_hot", "orthogonal", "kronecker"):
        assert abs(reference.DEFINITIONS[name](1, 1, 3).item()) == pytest.approx(1.0, abs=1e-15)
    signs = streams.signs(streams.stream_key(3, "one_hot", "signs"), 0, 1)
    assert reference.one_hot(1, 1, 3).item() == signs.item()


def test_dense_is_its_stream_row_by_row():
    P = reference.dense(3, 2, 4)
    numbers = streams.gaussians(streams.stream_key(4, "dense"), 0, 6).float().double()
    assert (P[:, 1] * numbers[1::2].norm()).tolist() == pytest.approx(numbers[1::2].tolist(), rel=1e-14)


def test_sparse_has_one_entry_in_each_stratum():
    P = reference.sparse(10, 4, 2)  # 3 strata: rows 0 to 2, 3 to 5, 6 to 9
    for first, last in ((0, 3), (3, 6), (6, 10)):
        assert (P[first:last] != 0).sum(0).tolist() == [1] * 4
    assert P[P != 0].abs().tolist() == pytest.approx([1 / math.sqrt(3)] * 12)


def test_one_hot_goes_round_from_a_random_start():
    P = reference.one_hot(7, 3, 5)
    start = int(streams.integers(streams.stream_key(5, "one_hot", "shifts"), 0, 1, 3))
    assert P.abs().argmax(1).tolist() == [(row + start) % 3 for row in range(7)]
    assert sorted(P.abs().sum(0).tolist()) == pytest.approx(sorted([math.sqrt(2), math.sqrt(2), math.sqrt(3)]))


@pytest.mark.parametrize(
    ("D", "d", "largest", "expected"),
    [
        (5000, 10, 4096, (1, 256)),
        (512, 65, 64, (2, 256)),
        (511, 65, 64, (1, 256)),  # not two whole blocks
        (4096, 1000, 256, (4, 256)),
        (100, 5000, 4096, (1, 8192)),
    ],
)
def test_sections(D, d, largest, expected):
    assert reference.sections(D, d, largest) == expected


def test_a_block_of_orthogonal_is_two_signed_transforms():
    P = reference.orthogonal(256, 3, 6)
    first, second = (
        torch.diag(streams.signs(streams.stream_key(6, "orthogonal", name), 0, 256, dtype=torch.float64))
        for name in ("first signs", "second signs")
    )
    H = reference.hadamard(256)
    torch.testing.assert_close(P, (H @ second @ H @ first)[:, :3] / 256, rtol=0, atol=1e-14)


def test_missing_rows_of_kronecker_are_twins():
    """11 = 3 * 3 + 2: two rows of the product appear twice, divided by sqrt(2); the columns stay orthonormal."""
    P = reference.kronecker(11, 4, 1)
    equal = [(i, j) for i in range(11) for j in range(i) if torch.equal(P[i], P[j])]
    assert len(equal) == 2
    torch.testing.assert_close(P.t() @ P, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-14)
