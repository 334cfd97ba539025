"""One coordinate for each weight: the contract, stretches, and indices at 4 * 10^8 weights."""

import pytest
import torch

from intdim.projections.one_hot import OneHot

from .contract import SIZES, ProjectionContract


class TestOneHot(ProjectionContract):
    kind, columns, bytes_per_weight = OneHot, "orthonormal", 0.2

    @pytest.mark.parametrize(("D", "d"), SIZES)
    def test_every_weight_follows_one_coordinate_and_shares_are_even(self, D, d):
        entries = OneHot(D, d, 8).to_dense() != 0
        assert (entries.sum(1) == 1).all()
        assert set(entries.sum(0).tolist()) <= {D // d, -(-D // d)}

    @pytest.mark.parametrize(
        ("d", "stretch"), [(1, 1024), (10, 1040), (1024, 1024), (1025, 4100), (600, 1200), (1022, 2044)]
    )
    def test_stretches_are_whole_rounds_of_fours_of_at_least_1024_weights(self, d, stretch):
        P = OneHot(5000, d)
        assert (P.stretch, P.full) == (stretch, 5000 // stretch)

    def test_neighbours_in_a_stretch_follow_neighbouring_coordinates(self):
        follows = OneHot(2500, 10, 6).to_dense().abs().argmax(1)
        steps = (follows[1:] - follows[:-1]) % 10
        inside = torch.ones(2499, dtype=torch.bool)
        inside[[1039, 2079]] = False  # the last weight of a stretch and the first one of the next
        assert (steps[inside] == 1).all()

    @pytest.mark.parametrize(("d", "cycle"), [(1, 4), (63, 252), (64, 64), (1000, 1000), (1022, 2044)])
    def test_shifts_are_the_number_of_the_stretch_modulo_4_and_reach_every_coordinate(self, d, cycle):
        shifts = OneHot(5000, d, 3)._shifts(5, 40 * cycle)
        assert torch.equal(shifts % 4, torch.arange(5, 5 + 40 * cycle) % 4)
        assert set(shifts.tolist()) == set(range(cycle))
        assert set((shifts % d).tolist()) == set(range(d))


@pytest.mark.slow
def test_four_hundred_million_weights():
    """Indices near the end of 4 * 10^8 weights (RoBERTa-large) come out as plain Python integers say."""
    D, d = 400_000_003, 1000
    P = OneHot(D, d, 1)
    z = torch.arange(1, d + 1, dtype=torch.float32)
    image = P.matvec(z)
    for weight in (0, 2**31 // 8, D - 4000, D - 1):
        stretch, place = divmod(weight, P.stretch)
        coordinate = (place + int(P._shifts(stretch, 1))) % d
        assert abs(image[weight].item()) == pytest.approx((coordinate + 1) / (D / d) ** 0.5, rel=1e-5)
    g = image
    back = P.rmatvec(g)
    assert ((back - z).norm() / z.norm()).item() < 1e-4
