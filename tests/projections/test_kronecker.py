"""A Kronecker product of small factors: the contract, its factors, and missing rows."""

import math

import pytest
import torch

from intdim.projections.kronecker import TILE, Kronecker

from .contract import ProjectionContract, limited


class TestKronecker(ProjectionContract):
    kind, columns, bytes_per_weight = Kronecker, "orthonormal", 16 * 2 * TILE / 200_000

    @pytest.mark.parametrize(("D", "d"), [(10, 10), (1009, 993), (1009, 992), (1023, 1022), (3, 3), (7, 1)])
    def test_missing_rows_are_filled(self, D, d):
        dense = Kronecker(D, d, 1).to_dense()
        assert (dense.t() @ dense - torch.eye(d)).abs().max().item() < 1e-12
        assert (dense.square().sum(1) > 0).all()

    @pytest.mark.parametrize(("rows", "columns"), [(9, 4), (5, 5), (1, 1)])
    def test_factors_are_orthonormal_with_a_positive_triangle(self, rows, columns):
        P = Kronecker(50, 6, 2)
        q = P._orthonormal("Q2", rows, columns)
        assert (q.t() @ q - torch.eye(columns)).abs().max().item() < 1e-14
        single, double = P._factors[torch.float32], P._factors[torch.float64]
        assert torch.equal(single[1], double[1].float())
        assert len(single[0]) == len(double[0]) == P.parts

    @pytest.mark.parametrize(
        ("D", "d", "shape", "extra", "twins"),
        [
            (9, 4, (3, 3, 2, 2), 0, 0),
            (11, 4, (3, 3, 2, 2), 0, 2),  # the core has 9 rows, and 2 are twins
            (11, 10, (3, 3, 3, 3), 1, 1),  # one of the 2 missing rows is the tenth coordinate's
            (3, 5, (3, 3, 2, 3), 0, 0),  # cut from a square product
        ],
    )
    def test_shapes_of_the_factors(self, D, d, shape, extra, twins):
        P = Kronecker(D, d)
        assert (P.D1, P.D2, P.d1, P.d2) == shape
        assert (P.extra, P.twins) == (extra, twins)
        assert P._scale == (1.0 if d <= D else math.sqrt(9 / 3))

    def test_the_second_factor_is_as_wide_as_its_side(self):
        P = limited(Kronecker, side=3, columns=4)(400, 60, 1)
        assert (P.d1, P.d2, P.parts) == (20, 3, 5)
