"""Gaussian columns: the contract, the division by the lengths, and tiles that are made again."""

import pytest
import torch

from intdim.kernels import gpu, streams
from intdim.projections.dense import Dense

from .contract import ProjectionContract, limited, random_vector, relative


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

    @pytest.mark.parametrize(
        ("elements", "tiles"),
        [
            (1, [(0, 1), (1, 2), (2, 3)]),
            (10, [(0, 2), (2, 3)]),
            (1000, [(0, 3)]),
        ],
    )
    def test_tiles_are_whole_rows_and_cover_each_once(self, elements, tiles):
        assert Dense(3, 5, 0, elements_at_once=elements).tiles == tiles

    def test_one_column_is_a_normalised_stream(self):
        numbers = streams.gaussians(streams.stream_key(4, "dense"), 0, 90).float().double()
        image = Dense(90, 1, 4).matvec(torch.tensor([-2.0], dtype=torch.float64))
        assert relative(image, -2 * numbers / numbers.norm()) < 1e-15

    def test_what_computes_it(self):
        P = Dense(20, 3)
        assert P.engine == "torch"
        P.device = torch.device("cuda")
        assert P.engine == "torch"  # stored tiles are torch's own business, there too
        P.stored = False
        assert P.engine == gpu.reason()
