"""Orthogonal blocks: the contract, and the Hartley block that has the rows left over."""

import pytest

from intdim.projections.orthogonal import Orthogonal

from .contract import ProjectionContract, limited


class TestOrthogonal(ProjectionContract):
    kind, columns, bytes_per_weight = Orthogonal, "orthonormal", 0.26

    @pytest.mark.parametrize("rest", [0, 1, 128, 255])
    def test_no_weight_is_left_behind(self, rest):
        """Every row has its share d / D of the d unit columns, within a factor of two, wherever D is cut."""
        D, d = 4 * 256 + rest, 200
        rows = Orthogonal(D, d).to_dense().square().sum(1) * D / d
        assert rows.min().item() > 0.5
        assert rows.max().item() < 2

    @pytest.mark.parametrize(
        ("D", "d", "tail"),
        [(512, 7, 0), (513, 7, 257), (767, 7, 511), (256, 256, 0), (255, 7, 255), (1, 1, 1), (100, 300, 0)],
    )
    def test_the_rows_of_the_last_block(self, D, d, tail):
        """None if the size divides D, else what is left over and one whole block; a short piece is cut instead."""
        P = Orthogonal(D, d)
        assert P.tail == tail
        assert P._blocks.rows == D - tail

    def test_the_last_block_serves_the_section_whose_turn_it_is(self):
        P = limited(Orthogonal, largest_block=64)(4 * 256 + 10, 200, 1)
        assert (P.sections.count, P.tail) == (4, 266)
        moved = (P.to_dense()[768:] != 0).any(0)
        assert moved[3::4].all()
        assert moved.sum().item() == len(moved[3::4]) == 50
