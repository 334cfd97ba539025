"""Stacked Fastfood blocks: the contract, and entries that look Gaussian."""

import math

import pytest
import torch

from intdim.projections.fastfood import Fastfood

from .contract import ProjectionContract, limited


class TestFastfood(ProjectionContract):
    kind, columns, bytes_per_weight = Fastfood, "expected", 4.2

    def test_entries_look_gaussian(self):
        """Excess kurtosis of 2^20 entries: 24 / 2^20 is its variance for Gaussians, a sign matrix has -2."""
        entries = Fastfood(1 << 14, 64, 3).to_dense().view(-1) * math.sqrt(1 << 14)
        excess = (entries**4).mean().item() / (entries**2).mean().item() ** 2 - 3
        assert abs(excess) < 0.1

    def test_blocks_share_the_permutation_and_nothing_else(self):
        P = Fastfood(512, 5, 3)
        blocks = P._blocks
        assert blocks.order is not None
        assert blocks.order.dtype == torch.int32
        assert sorted(blocks.order.tolist()) == list(range(256))
        dense = P.to_dense()
        assert abs((dense[:256] * dense[256:]).sum().item()) < 5 * math.sqrt(512 * 5) / 512  # unrelated entries
        assert blocks.gaussians.shape == (512,)
        assert not torch.equal(blocks.gaussians[:256], blocks.gaussians[256:])

    @pytest.mark.parametrize(("D", "d"), [(512, 65), (1281, 320), (300, 299)])
    def test_a_section_is_scaled_by_its_own_rows(self, D, d):
        P = limited(Fastfood, largest_block=64)(D, d, 1)
        expected = [(P.sections.size * rows) ** -0.5 for rows in P.sections.rows(D)]
        assert P._blocks.scales.tolist() == pytest.approx(expected, rel=1e-15)
