"""Every projection passes the contract; what only one of them guarantees is tested beside it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intdim.projections import PROJECTIONS, make_projection
from intdim.projections.dense import Dense
from intdim.projections.fastfood import Fastfood
from intdim.projections.fastfood_padded import FastfoodPadded
from intdim.projections.kronecker import TILE, Kronecker
from intdim.projections.one_hot import OneHot
from intdim.projections.orthogonal import Orthogonal
from intdim.projections.sparse import Sparse

from .contract import SIZES, ProjectionContract, dot_error, limited, random_vector, relative


@pytest.mark.parametrize("name", PROJECTIONS)
@settings(max_examples=25, deadline=None)
@given(D=st.integers(1, 6000), share=st.floats(0, 1), seed=st.integers(0, 2**63))
def test_dot_test_at_any_size(name, D, share, seed):
    d = max(1, round(D**share))
    P = make_projection(name, D, d, seed)
    assert dot_error(P, random_vector(d, "z"), random_vector(D, "g")) < 1e-12


class TestDense(ProjectionContract):
    kind, columns, bytes_per_weight = Dense, "unit", 4 * 64

    def test_regenerated_tiles_are_the_stored_ones(self):
        for elements in (100, 1000, 1 << 18):
            stored = Dense(500, 11, 2)
            made = limited(Dense, largest_stored=0)(500, 11, 2, elements_at_once=elements)
            assert stored.stored
            assert not made.stored
            assert relative(made.to_dense(), stored.to_dense()) < 1e-14
            g = random_vector(500, "g")
            assert relative(made.rmatvec(g), stored.rmatvec(g)) < 1e-13
            assert made.state_bytes < stored.state_bytes / 10

    def test_large_matrices_are_not_stored(self):
        assert not Dense(1 << 20, 17).stored
        assert Dense(1 << 20, 17).state_bytes == 0


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


class TestFastfood(ProjectionContract):
    kind, columns, bytes_per_weight = Fastfood, "expected", 4.2

    def test_entries_look_gaussian(self):
        """Excess kurtosis of 2^20 entries: 24 / 2^20 is its variance for Gaussians, a sign matrix has -2."""
        entries = Fastfood(1 << 14, 64, 3).to_dense().view(-1) * math.sqrt(1 << 14)
        excess = (entries**4).mean().item() / (entries**2).mean().item() ** 2 - 3
        assert abs(excess) < 0.1


class TestFastfoodPadded(ProjectionContract):
    kind, columns, bytes_per_weight = FastfoodPadded, "expected", 6.1 * 2**18 / 200_000

    def test_two_sizes_of_index_agree_with_the_permutation(self):
        for d in (1 << 15, (1 << 15) + 1):
            P = FastfoodPadded(1 << 16, d, 1)
            counts = torch.bincount(P._index.int(), minlength=P.size)
            assert (counts == P.padded // P.size).all()


class TestOrthogonal(ProjectionContract):
    kind, columns, bytes_per_weight = Orthogonal, "orthonormal", 0.26

    @pytest.mark.parametrize("rest", [0, 1, 128, 255])
    def test_no_weight_is_left_behind(self, rest):
        """Every row has its share d / D of the d unit columns, within a factor of two, wherever D is cut."""
        D, d = 4 * 256 + rest, 200
        rows = Orthogonal(D, d).to_dense().square().sum(1) * D / d
        assert rows.min().item() > 0.5
        assert rows.max().item() < 2


class TestOneHot(ProjectionContract):
    kind, columns, bytes_per_weight = OneHot, "orthonormal", 0.2

    @pytest.mark.parametrize(("D", "d"), SIZES)
    def test_every_weight_follows_one_coordinate_and_shares_are_even(self, D, d):
        entries = OneHot(D, d, 8).to_dense() != 0
        assert (entries.sum(1) == 1).all()
        assert set(entries.sum(0).tolist()) <= {D // d, -(-D // d)}


class TestKronecker(ProjectionContract):
    kind, columns, bytes_per_weight = Kronecker, "orthonormal", 16 * 2 * TILE / 200_000

    @pytest.mark.parametrize(("D", "d"), [(10, 10), (1009, 993), (1009, 992), (1023, 1022), (3, 3), (7, 1)])
    def test_missing_rows_are_filled(self, D, d):
        dense = Kronecker(D, d, 1).to_dense()
        assert (dense.t() @ dense - torch.eye(d)).abs().max().item() < 1e-12
        assert (dense.square().sum(1) > 0).all()
