"""One Fastfood block over all weights: the contract, and its stored index."""

import pytest
import torch

from intdim.projections.fastfood_padded import FastfoodPadded

from .contract import ProjectionContract


class TestFastfoodPadded(ProjectionContract):
    kind, columns, bytes_per_weight = FastfoodPadded, "expected", 6.1 * 2**18 / 200_000

    def test_two_sizes_of_index_agree_with_the_permutation(self):
        for d in (1 << 15, (1 << 15) + 1):
            P = FastfoodPadded(1 << 16, d, 1)
            counts = torch.bincount(P._index.int(), minlength=P.size)
            assert (counts == P.padded // P.size).all()

    @pytest.mark.parametrize(
        ("D", "d", "padded", "size"),
        [
            (1, 1, 1, 1),
            (5, 3, 8, 4),
            (8, 8, 8, 8),
            (9, 1, 16, 1),
            (3, 5, 8, 8),
        ],
    )
    def test_sizes_are_the_powers_of_two_that_hold_them(self, D, d, padded, size):
        P = FastfoodPadded(D, d)
        assert (P.padded, P.size) == (padded, size)
        assert len(P._gaussians) == len(P._index) == padded

    def test_the_index_is_the_smallest_integer_type(self):
        assert FastfoodPadded(1 << 16, 1 << 15)._index.dtype == torch.int16
        assert FastfoodPadded(1 << 16, (1 << 15) + 1)._index.dtype == torch.int32

    @pytest.mark.parametrize("elements", [1, 3, 16, 1000])
    def test_ranges_cover_the_padded_weights_once(self, elements):
        ranges = FastfoodPadded(9, 2, elements_at_once=elements)._ranges()
        assert [i for start, stop in ranges for i in range(start, stop)] == list(range(16))
        assert max(stop - start for start, stop in ranges) == min(elements, 16)
