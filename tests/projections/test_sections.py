"""Coordinates split into sections (fastfood, orthogonal), and small factors split into parts (kronecker).

The limits are lowered, so that sizes at which P can be written out have several sections.
"""

import pytest
import torch

from intdim.kernels import native
from intdim.kernels.reference import DEFINITIONS
from intdim.projections.fastfood import Fastfood
from intdim.projections.kronecker import Kronecker
from intdim.projections.orthogonal import Orthogonal
from intdim.projections.sections import split

from .contract import dot_error, limited, random_vector, relative

LIMITS = {
    Fastfood: {"largest_block": 64},
    Orthogonal: {"largest_block": 64},
    Kronecker: {"side": 3, "columns": 7},
}
SIZES = [
    (512, 65),
    (1024, 256),
    (1030, 200),
    (1281, 320),
    (1281, 300),
    (2049, 129),
    (1537, 257),
    (300, 299),
    (4999, 900),
]

on_each = pytest.mark.parametrize("kind", LIMITS)
at_sizes = pytest.mark.parametrize(("D", "d"), SIZES)


@on_each
@at_sizes
def test_equals_its_definition(kind, D, d):
    P = limited(kind, **LIMITS[kind])(D, d, 5)
    dense = P.to_dense()
    assert relative(dense, DEFINITIONS[kind.name](D, d, 5, **LIMITS[kind])) < 1e-12
    assert dot_error(P, random_vector(d, "z"), random_vector(D, "g")) < 1e-12
    gram = dense.t() @ dense
    if kind is Fastfood:  # 7 standard deviations of a chi-square with as many degrees of freedom as the fewest rows
        rows = min(P.sections.rows(D))
        assert (gram.diagonal() - 1).abs().max().item() < 7 * (2 / rows) ** 0.5
    else:
        assert (gram - torch.eye(d)).abs().max().item() < 1e-11


@on_each
@pytest.mark.parametrize("elements", [1, 700, 1 << 20])
def test_same_matrix_whatever_the_chunk_and_in_float32(kind, elements, monkeypatch):
    D, d = 40_001, 1000
    z, g = random_vector(d, "z"), random_vector(D, "g")
    small = limited(kind, **LIMITS[kind])
    one, other = small(D, d, 9), small(D, d, 9, elements_at_once=elements)
    assert relative(other.matvec(z), one.matvec(z)) < 1e-13
    assert relative(other.rmatvec(g), one.rmatvec(g)) < 1e-13
    compiled = one.matvec(z.float()), one.rmatvec(g.float())
    monkeypatch.setattr(native, "supports", lambda *tensors: False)
    in_torch = other.matvec(z.float()), other.rmatvec(g.float())
    for value, twin, exact in zip(compiled, in_torch, (one.matvec(z), one.rmatvec(g)), strict=True):
        assert relative(value, exact) < 3e-6
        assert torch.equal(value, twin) or kind is Kronecker  # whose torch twin adds in another order


@pytest.mark.parametrize("kind", [Fastfood, Orthogonal])
def test_columns_of_different_sections_have_no_row_in_common(kind):
    P = limited(kind, largest_block=64)(3001, 200, 1)
    moved = P.to_dense() != 0
    assert P.sections.count == 4
    for section in range(4):
        own, others = (
            moved[:, section::4].any(1),
            torch.cat([moved[:, other::4] for other in range(4) if other != section], 1),
        )
        assert not (own & others.any(1)).any()
    assert moved.any(1).all()


@pytest.mark.parametrize(
    ("D", "d", "count", "size"),
    [
        (22_713_986, 16, 1, 256),
        (22_713_986, 4096, 1, 4096),
        (22_713_986, 4097, 2, 4096),
        (22_713_986, 65_536, 16, 4096),
        (22_713_986, 100_000, 25, 4096),
        (65_536, 65_536, 16, 4096),
        (65_535, 65_000, 1, 65_536),  # a whole block is missing for the sixteenth section
        (100, 5000, 1, 8192),
    ],
)
def test_how_coordinates_are_split(D, d, count, size):
    sections = split(D, d)
    assert (sections.count, sections.size) == (count, size)
    assert sections.width <= size
    rows = sections.rows(D)
    assert len(rows) == count
    assert sum(rows) == D
    assert max(rows) - min(rows) <= 2 * size or count == 1


def test_spread_and_gather_are_adjoint():
    sections = split(1 << 20, 9001)
    scales = torch.linspace(0.5, 2, sections.count, dtype=torch.float64)
    z, totals = random_vector(9001, "z"), random_vector(sections.count * sections.size, "t").view(sections.count, -1)
    spread = sections.spread(z, scales)
    assert torch.equal(spread[1, :3], z[[1, 4, 7]] * scales[1])
    assert ((spread * totals).sum() - z @ sections.gather(totals, scales)).abs().item() < 1e-9


@pytest.mark.parametrize(("d", "d1", "d2", "parts"), [(256, 16, 16, 1), (1000, 63, 16, 1), (65_536, 4096, 16, 16)])
def test_the_second_factor_of_kronecker_stays_narrow(d, d1, d2, parts):
    P = Kronecker(22_713_986, d)
    assert (P.d1, P.d2, P.parts) == (d1, d2, parts)
