"""The last block of ``orthogonal`` by a kernel, against the Hartley transform of the definition."""

import math
import os

import pytest
import torch

from intdim.kernels.flow import Destination, Gradient, Scaling

from .test_native import normal

pytest.importorskip("triton")

from intdim.kernels import hartley_triton

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZES = [1, 2, 3, 7, 300, *(pytest.param(size, marks=pytest.mark.gpu) for size in (256, 769, 2047, 5890, 8191))]

pytestmark = pytest.mark.skipif(
    DEVICE == "cpu" and os.environ.get("TRITON_INTERPRET") != "1", reason="needs a GPU or TRITON_INTERPRET=1"
)


@pytest.fixture(autouse=True)
def fewer_programs(monkeypatch):
    """The interpreter runs one after the other."""
    if DEVICE == "cpu":
        monkeypatch.setattr(hartley_triton, "ROWS", 512)


def signs(name: str, size: int) -> torch.Tensor:
    return torch.where(normal(size, name) < 0, -1.0, 1.0)


def made(size: int, d: int, start: int, stride: int) -> tuple[hartley_triton.Tail, torch.Tensor]:
    """A tail, and the same as a matrix."""
    first, second, served = signs("first", size), signs("second", size), torch.arange(start, d, stride)
    angle = 2 * math.pi / size * (torch.arange(size)[:, None] * torch.arange(size) % size).double()
    hartley = angle.cos() + angle.sin()
    block = 0.3 * hartley @ torch.diag(second.double()) @ hartley @ torch.diag(first.double())
    matrix = torch.zeros(size, d, dtype=torch.float64)
    matrix[:, served] = block[:, : len(served)]
    return hartley_triton.Tail(first.to(DEVICE), second.to(DEVICE), 0.3, start, stride, len(served)), matrix


def closeness(value: torch.Tensor, expected: torch.Tensor) -> float:
    return ((value.cpu().double() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("start", "stride"), [(0, 1), (2, 3)])
def test_products_are_those_of_the_matrix(size, start, stride):
    d = start + stride * max(1, size * 2 // 3)
    tail, P = made(size, d, start, stride)
    z, g, out = normal(d, "z"), normal(size, "g"), torch.empty(size, device=DEVICE)
    hartley_triton.matvec(tail, z.to(DEVICE), Destination(out))
    assert closeness(out, P @ z.double()) < 1e-6
    total = torch.ones(d, device=DEVICE)
    hartley_triton.add_rmatvec(total, tail, Gradient(g.to(DEVICE)))
    assert closeness(total - 1, P.t() @ g.double()) < 2e-6


def test_a_window_of_rows_with_a_scaling_in_bfloat16():
    tail, P = made(700, 400, 0, 1)
    g, starts = normal(300, "g").bfloat16(), (0, 120)
    scaling = Scaling(torch.tensor(starts).to(DEVICE), torch.tensor([2.0, -0.5]).to(DEVICE), starts)
    total = torch.zeros(400, device=DEVICE)
    hartley_triton.add_rmatvec(total, tail, Gradient(g.to(DEVICE), scaling, offset=20), 250)
    factors = torch.tensor([2.0] * 100 + [-0.5] * 200, dtype=torch.float64)
    assert closeness(total, P[250:550].t() @ (g.double() * factors)) < 1e-6


def test_a_base_and_an_image():
    tail, P = made(300, 200, 0, 1)
    z, base = normal(200, "z"), normal(300, "base").to(DEVICE)
    out, image = torch.empty_like(base), torch.empty_like(base)
    hartley_triton.matvec(tail, z.to(DEVICE), Destination(out, base, image))
    assert closeness(image, P @ z.double()) < 1e-6
    assert torch.equal(out, base + image)
