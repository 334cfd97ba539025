"""Which kernels compute stacked blocks on a GPU, and what happens where Gluon's cannot."""

import logging
import os
from types import SimpleNamespace

import pytest
import torch

from intdim.kernels import gpu, native
from intdim.kernels.flow import Gradient
from intdim.projections import make_projection
from intdim.projections.sections import Sections

from .test_native import normal, products

pytest.importorskip("triton")

from intdim.kernels import blocks_gpu, blocks_triton, hartley_triton

interpreted = pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") != "1", reason="needs TRITON_INTERPRET=1")


class NoGluon:
    """Kernels that this Triton cannot compile."""

    __name__ = "intdim.kernels.blocks_gluon"
    SMALLEST, LARGEST, TURNED = 64, 4096, 32

    def matvec(self, *arguments):
        raise AttributeError("gl has no attribute warp\nand more")

    rmatvec = matvec


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(blocks_gpu, "_broken", set())


@pytest.fixture
def by_triton(monkeypatch):
    monkeypatch.setattr(hartley_triton, "ROWS", 512)
    monkeypatch.setattr(native, "supports", lambda *tensors: False)
    monkeypatch.setattr(gpu, "supports", lambda work, *weights: work.dtype == torch.float32)


@interpreted
@pytest.mark.usefixtures("by_triton")
@pytest.mark.parametrize("kind", ["orthogonal", "fastfood"])
def test_what_does_not_compile_is_replaced_and_said_once(kind, monkeypatch, caplog):
    monkeypatch.setattr(blocks_gpu, "_gluon", lambda: NoGluon())
    P = make_projection(kind, 1500, 100, 3)
    with caplog.at_level(logging.WARNING):
        found = products(P)
    (record,) = caplog.records
    assert "does not compile the fast ones (AttributeError: gl has no attribute warp)" in record.getMessage()

    monkeypatch.undo()
    for one, other in zip(found, products(P), strict=True):
        assert (one - other).norm() <= 1e-6 * other.norm()


def test_an_error_that_is_not_about_the_kernels_is_raised(monkeypatch):
    with pytest.raises(torch.OutOfMemoryError):
        blocks_gpu._refused(NoGluon(), torch.OutOfMemoryError("full"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="wrong"):
        blocks_gpu._refused(blocks_triton, ValueError("wrong"))
    assert not blocks_gpu._broken


def test_sizes_that_gluon_does_not_serve(monkeypatch):
    monkeypatch.setattr(blocks_gpu, "_gluon", lambda: NoGluon())
    assert [blocks_gpu.reason(size) for size in (32, 64, 4096, 8192)] == [
        "Triton",
        "Triton (Gluon)",
        "Triton (Gluon)",
        "Triton",
    ]
    monkeypatch.setattr(blocks_gpu, "_gluon", lambda: None)
    assert blocks_gpu.reason(1024) == "Triton"


def test_a_triton_without_gluon(monkeypatch, caplog):
    blocks_gpu._gluon.cache_clear()
    monkeypatch.setattr(blocks_gpu, "GLUON", "intdim.kernels.not_there")
    try:
        assert blocks_gpu._gluon() is None
        assert blocks_gpu._gluon() is None
        assert len(caplog.records) == 1
    finally:
        blocks_gpu._gluon.cache_clear()


@interpreted
@pytest.mark.parametrize(("columns", "count", "size"), [(100, 1, 256), (1000, 3, 512), (5, 5, 64)])
def test_coordinates_are_spread_and_turned(columns, count, size, monkeypatch):
    """What a kernel is given, for kernels that read it turned and as it is."""
    scales, z, given = torch.linspace(0.5, 2, count), normal(columns, "z"), []
    expected = Sections(columns, count, size).spread(z, scales)
    for turned in (1, 32):
        kernels = SimpleNamespace(
            __name__="fast",
            SMALLEST=64,
            LARGEST=4096,
            TURNED=turned,
            matvec=lambda to, padded, *rest: given.append(padded),
        )
        monkeypatch.setattr(blocks_gpu, "_gluon", lambda kernels=kernels: kernels)
        blocks = blocks_gpu.Blocks(columns, size, scales, scales.repeat_interleave(size), 1, 2, None, None)
        blocks_gpu.matvec(blocks, z, 1, None)  # type: ignore[arg-type]
    assert torch.equal(given[0], expected)
    assert torch.equal(given[1].view(count, 32, size // 32).transpose(1, 2).reshape(count, size), expected)


def test_no_rows_are_nothing():
    scales = torch.ones(1)
    blocks = blocks_gpu.Blocks(70, 256, scales, scales.repeat_interleave(256), 1, 2, None, None)
    blocks_gpu.matvec(blocks, torch.zeros(70), 0, None)  # type: ignore[arg-type]
    assert torch.equal(blocks_gpu.rmatvec(blocks, Gradient(torch.empty(0))), torch.zeros(70))
