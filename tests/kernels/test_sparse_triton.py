"""The kernels of ``sparse`` against its definition and its twin in torch; without a GPU, in Triton's interpreter."""

import pytest
import torch

from intdim.kernels import reference
from intdim.kernels.flow import Scaling
from intdim.projections import make_projection
from intdim.projections.sparse import Sparse

from .test_native import in_torch, normal

pytest.importorskip("triton")

from intdim.kernels import sparse_triton

from .test_triton import DEVICE, by_triton, check_bfloat16, closeness, compile_elsewhere  # noqa: F401 - one is a fixture

kernels = pytest.mark.usefixtures("by_triton")


@kernels
@pytest.mark.parametrize(("D", "d"), [(1, 1), (63, 7), (101, 65)])
def test_products_are_those_of_the_definition(D, d):
    P, definition = make_projection("sparse", D, d, 5, DEVICE), reference.sparse(D, d, 5)
    z, g = normal(d, "z"), normal(D, "g")
    assert closeness(P.matvec(z.to(DEVICE)).cpu(), definition @ z.double()) < 1e-6
    assert closeness(P.rmatvec(g.to(DEVICE)).cpu(), definition.t() @ g.double()) < 1e-6


@pytest.mark.parametrize("at_once", [1024, 64])
def test_p_z_has_the_bits_of_the_twin_whether_entries_are_sorted_at_once(at_once, monkeypatch, request):
    D, d, starts = 64, 100, (0, 20)  # twelve entries a row
    P, z, theta_0 = Sparse(D, d, 3, DEVICE), normal(d, "z"), normal(D, "theta")
    scaling = Scaling(torch.tensor(starts), torch.tensor([0.3, -2.0]), starts)
    expected, image, found, found_image = (torch.empty(D) for _ in range(4))
    with monkeypatch.context() as patched:
        in_torch(patched)
        Sparse(D, d, 3).write(z, theta_0, expected, scaling, image)

    request.getfixturevalue("by_triton")
    monkeypatch.setattr(sparse_triton, "SORTED", at_once)
    monkeypatch.setattr(sparse_triton, "PROGRAMS", 3)
    scaling = Scaling(scaling.starts.to(DEVICE), scaling.factors.to(DEVICE), starts)
    found, found_image = found.to(DEVICE), found_image.to(DEVICE)
    P.write(z.to(DEVICE), theta_0.to(DEVICE), found, scaling, found_image)
    assert torch.equal(found_image.cpu(), image)
    assert torch.equal(found.cpu(), expected) or closeness(found.cpu(), expected) < 1e-7  # a card fuses * and +


@kernels
def test_windows_of_rows():
    D, d = 400, 60
    P, g = Sparse(D, d, 5, DEVICE), normal(D, "g").to(DEVICE)
    for start, stop in ((0, D), (0, 1), (30, 41), (41, 300), (D - 40, D)):
        padded = torch.zeros(D, dtype=torch.float64)
        padded[start:stop] = g[start:stop].double()
        expected = reference.sparse(D, d, 5).t() @ padded
        assert (P.read_rows(g[start:stop], start).cpu() - expected).norm() <= 1e-6 * expected.norm().clamp(min=1e-6)


@kernels
def test_weights_in_bfloat16():
    check_bfloat16(Sparse(100, 50, 3, DEVICE), 50)


@kernels
def test_nothing_is_stored():
    P = Sparse(100, 50, 3, DEVICE)
    P.matvec(torch.ones(50, device=DEVICE))
    P.rmatvec(torch.ones(100, device=DEVICE))
    assert P.state_bytes == 0


COMPILE = """
import count_instructions
from count_instructions import compiled
from intdim.kernels import sparse_triton as sparse

count_instructions.TYPES["scratch"] = "*fp32"
flags = {"HAS_BASE": True, "HAS_IMAGE": True, "SCALED": True, "BLOCK_": sparse.BLOCK}
for made in (
    compiled(sparse._matvec, {"ENTRIES": 256, "BITS": 8, "SEVERAL": False} | flags),
    compiled(sparse._matvec, {"ENTRIES": 256, "BITS": 8, "SEVERAL": True} | flags, dtype="bf16"),
    compiled(sparse._rmatvec, {"COLUMNS_": sparse.COLUMNS, "SCALED": True}, dtype="bf16"),
):
    assert made.asm["cubin"]
"""


def test_the_kernels_compile_for_a_gpu_that_is_not_here(tmp_path):
    compile_elsewhere(COMPILE, tmp_path)
