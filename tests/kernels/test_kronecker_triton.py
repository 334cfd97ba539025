"""The kernels of ``kronecker`` against its definition and its twin in torch; without a GPU, in Triton's interpreter."""

import pytest
import torch

from intdim.kernels import reference
from intdim.projections import kronecker, make_projection
from intdim.projections.base import Projection
from intdim.projections.kronecker import Kronecker
from tests.projections.contract import limited

from .test_native import in_torch, normal, products

pytest.importorskip("triton")

from .test_triton import DEVICE, by_triton, check_bfloat16, closeness, compile_elsewhere  # noqa: F401 - one is a fixture

kernels = pytest.mark.usefixtures("by_triton")


def adjoint_of(P: Projection, g: torch.Tensor, start: int, stop: int) -> torch.Tensor:
    """P^T of a gradient that is zero elsewhere, in float64."""
    padded = torch.zeros(P.D, dtype=torch.float64, device=DEVICE)
    padded[start:stop] = g[start:stop].double()
    return P.rmatvec(padded)


@kernels
@pytest.mark.parametrize(("D", "d"), [(1, 1), (63, 7), (1000, 63), (11, 10), (1009, 993), (1023, 1022), (2000, 17)])
def test_products_are_those_of_the_definition(D, d):
    P, definition = make_projection("kronecker", D, d, 5, DEVICE), reference.kronecker(D, d, 5)
    z, g = normal(d, "z"), normal(D, "g")
    assert closeness(P.matvec(z.to(DEVICE)).cpu(), definition @ z.double()) < 1e-6
    assert closeness(P.rmatvec(g.to(DEVICE)).cpu(), definition.t() @ g.double()) < 1e-6


@pytest.mark.parametrize(
    ("D", "d", "limits"),
    [
        (2001, 40, {}),
        (1500, 100, {"side": 3, "columns": 4}),  # many parts of Q1, and a remainder in each
        (1023, 1022, {}),  # coordinates with a row of their own
        (700, 900, {}),  # fewer rows than columns
    ],
)
def test_many_tiles_as_in_torch(D, d, limits, monkeypatch, request):
    monkeypatch.setattr(kronecker, "TILE", 200)
    if DEVICE == "cuda":
        pytest.skip("products() are those of a CPU; tests/kernels/test_on_gpu.py has the others")
    P = limited(Kronecker, **limits)(D, d, 3)
    assert P._tiles > 2
    with monkeypatch.context() as patched:
        in_torch(patched)
        expected = products(P)
    request.getfixturevalue("by_triton")
    for one, other in zip(products(P), expected, strict=True):
        assert closeness(one, other) < 1e-6


@kernels
@pytest.mark.parametrize(("D", "d", "tile"), [(1000, 40, 128), (1023, 1022, 256), (1000, 40, 1 << 16)])
def test_windows_of_rows(D, d, tile, monkeypatch):
    monkeypatch.setattr(kronecker, "TILE", tile)
    P, g = Kronecker(D, d, 5, DEVICE), normal(D, "g").to(DEVICE)
    for start, stop in ((0, D), (0, 1), (200, 401), (401, D - 60), (D - 1, D)):
        found = P.read_rows(g[start:stop], start)
        assert (found - adjoint_of(P, g, start, stop)).norm() <= 1e-6 * g.norm()


@kernels
def test_weights_in_bfloat16(monkeypatch):
    monkeypatch.setattr(kronecker, "TILE", 200)
    check_bfloat16(Kronecker(2000, 50, 3, DEVICE), 1500)


COMPILE = """
import count_instructions
from count_instructions import compiled
from intdim.kernels import kronecker_triton as kronecker

count_instructions.TYPES |= dict.fromkeys(["left", "q1", "q2", "own", "partial", "total"], "*fp32")
count_instructions.TYPES |= dict.fromkeys(["order", "inverse"], "*u16")
flags = {"HAS_BASE": True, "HAS_IMAGE": True, "SCALED": True}
factor, matrix = {"ROWS_": kronecker.ROWS, "COLUMNS_": kronecker.COLUMNS}, {"PLACES_": kronecker.PLACES, "TILES": 1}
columns = {"COLUMNS_": kronecker.READ_COLUMNS, "AT_ONCE": kronecker.READ_AT_ONCE, "TILES": kronecker.READ_TOGETHER}
for made in (
    compiled(kronecker._left, factor),
    compiled(kronecker._matvec, matrix | {"TURNS": kronecker.TURNS, "WIDE": False, "LAST": False} | flags),
    compiled(kronecker._matvec, matrix | {"TURNS": 1, "WIDE": True, "LAST": True} | flags, dtype="bf16"),
    compiled(kronecker._rmatvec, columns | {"LAST": False, "SCALED": False}),
    compiled(kronecker._rmatvec, columns | {"LAST": True, "SCALED": True}, dtype="bf16"),
    compiled(kronecker._fold, factor | {"LANE_": kronecker.LANE}),
    compiled(kronecker._own, {"BLOCK": 256, "SCALED": True}),
):
    assert made.asm["cubin"]
    assert "mma" not in made.asm["ptx"], "tensor cores have fewer digits"
"""


def test_the_kernels_compile_for_a_gpu_that_is_not_here(tmp_path):
    compile_elsewhere(COMPILE, tmp_path)
