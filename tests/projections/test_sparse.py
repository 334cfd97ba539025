"""Very sparse columns: the contract, one entry in each stratum, and entries that are made again."""

import math

import pytest
import torch

from intdim.errors import UserError
from intdim.projections import make_projection
from intdim.projections.sparse import Sparse

from .contract import ProjectionContract, limited


class TestSparse(ProjectionContract):
    kind, columns, bytes_per_weight = Sparse, "unit", 4.2 * 64 / math.sqrt(200_000)

    def test_density_and_movable_share(self):
        P = Sparse(10_000, 50)
        dense = P.to_dense()
        assert (dense != 0).sum().item() == 50 * 100
        assert P.movable_share == (dense != 0).any(1).double().mean().item()
        assert P.movable_share == pytest.approx(1 - math.exp(-50 / 100), abs=0.03)

    def test_regenerated_entries_are_the_stored_ones(self):
        stored, made = Sparse(5000, 37, 2), limited(Sparse, largest_stored=0)(5000, 37, 2)
        assert stored.stored
        assert not made.stored
        assert torch.equal(made.to_dense(), stored.to_dense())
        assert torch.equal(made.rmatvec(torch.ones(5000)), stored.rmatvec(torch.ones(5000)))
        assert made.movable_share == stored.movable_share
        assert made.state_bytes == 0

    @pytest.mark.parametrize(("D", "d", "strata"), [(100, 7, 10), (1000, 3, 32), (7, 2, 3), (1, 1, 1)])
    def test_one_entry_in_each_stratum_of_each_column(self, D, d, strata):
        P = Sparse(D, d, 3)
        assert P.strata == strata
        dense = P.to_dense()
        for stratum in range(strata):
            rows = dense[stratum * D // strata : (stratum + 1) * D // strata]
            assert ((rows != 0).sum(0) == 1).all()
        assert (dense[dense != 0].abs() - 1 / math.sqrt(strata)).abs().max().item() < 1e-15

    def test_more_entries_than_training_would_wait_for_are_refused(self):
        with pytest.raises(UserError, match="d=100001") as caught:
            make_projection("sparse", 100_000_000, 100_001)
        assert len(caught.value.parts) == 3

    def test_rows_are_int32_as_long_as_they_fit(self):
        rows, words = Sparse(1000, 40)._make(0, 2)
        assert rows.dtype == torch.int32
        assert rows[:40].max().item() < 1000 // 32 <= rows[40:].min().item()
        assert words.numel() == -(-80 // 32)
        assert Sparse((1 << 31) + 5, 2)._make(0, 1)[0].dtype == torch.int64
