"""One projection per piece: unit columns, independence, and pieces of every size."""

import math

import pytest
import torch

from intdim.errors import UserError
from intdim.projections import PROJECTIONS, make_stacked
from intdim.projections.stacked import Stacked

from .contract import dot_error, random_vector, relative

SIZES = [1, 2, 500, 64, 1300]


@pytest.mark.parametrize("name", PROJECTIONS)
@pytest.mark.parametrize("d", [1, 5, 64, 300])
def test_dot_test_and_dense_twin(name, d):
    P = make_stacked(name, SIZES, d, seed=2)
    z, g = random_vector(d, "z"), random_vector(P.D, "g")
    assert dot_error(P, z, g) < 1e-12
    assert isinstance(P, Stacked)
    pieces = torch.cat([piece.to_dense() for piece in P.pieces]) / math.sqrt(len(SIZES))
    assert relative(P.matvec(z), pieces @ z) < 1e-12
    assert relative(P.rmatvec(g), pieces.t() @ g) < 1e-12


@pytest.mark.parametrize("name", PROJECTIONS)
def test_more_columns_than_most_pieces_have_rows(name):
    P = make_stacked(name, SIZES, 1500, seed=2)
    assert dot_error(P, random_vector(1500, "z"), random_vector(P.D, "g")) < 1e-12


@pytest.mark.parametrize("name", PROJECTIONS)
def test_every_piece_moves_by_the_same_length(name):
    """E |P_k z|^2 = |z|^2 / K for pieces of any size: the mean over 80 seeds within 4.9 standard errors (fails once
    in a million per piece), the bias vectors with 1 and 2 weights included."""
    d = 64
    z = torch.nn.functional.normalize(random_vector(d, "z"), dim=0)
    moved = torch.stack(
        [
            torch.stack([part.square().sum() for part in make_stacked(name, SIZES, d, seed=s).matvec(z).split(SIZES)])
            for s in range(80)
        ]
    ) * len(SIZES)
    error = moved.std(0) / math.sqrt(80)
    assert ((moved.mean(0) - 1).abs() <= 4.9 * error + 1e-12).all()


@pytest.mark.parametrize("name", ["orthogonal", "one_hot", "kronecker"])
def test_pieces_with_enough_rows_keep_columns_orthonormal(name):
    P = make_stacked(name, [300, 77, 500], 60, seed=1).to_dense()
    assert (P.t() @ P - torch.eye(60)).abs().max().item() < 1e-12


def test_pieces_are_independent_and_follow_the_seed():
    first = make_stacked("fastfood", [400, 400], 30, seed=1).to_dense()
    assert relative(first[:400], first[400:]) > 1
    assert torch.equal(first, make_stacked("fastfood", [400, 400], 30, seed=1).to_dense())
    assert relative(make_stacked("fastfood", [400, 400], 30, seed=2).to_dense(), first) > 1


def test_has_the_attributes_of_a_projection():
    P = make_stacked("one_hot", (30, 12), 5, seed=7, device="cpu")
    assert (P.D, P.d, P.name, P.seed, P.device) == (42, 5, "one_hot", 7, torch.device("cpu"))
    assert P.state_bytes == sum(piece.state_bytes for piece in P.pieces)  # pyright: ignore
    assert P.matvec(torch.ones(5, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize(("sizes", "d"), [([], 1), ([3, 0], 2), ([3, -1], 2), ([3, 4], 8), ([3, 4], 0), ([3.5], 1)])
def test_errors(sizes, d):
    with pytest.raises(UserError) as caught:
        make_stacked("one_hot", sizes, d)
    assert len(caught.value.parts) == 3
