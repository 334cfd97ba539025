"""What every projection has from its base class: checks, dtypes, both ways to say a product, and what it holds."""

import pytest
import torch
from torch import Tensor

from intdim.errors import UserError
from intdim.kernels import gpu, native
from intdim.kernels.flow import Destination, Gradient, Scaling
from intdim.projections import make_projection
from intdim.projections.base import (
    LARGEST_D,
    Projection,
    check_sizes,
    checked_count,
    checked_device,
    work_dtype,
)

MATRIX = torch.tensor([[1.0, 2.0], [0.0, -1.0], [4.0, 0.5]], dtype=torch.float64)


class Products(Projection):
    """A 3 x 2 matrix by ``_matvec`` and ``_rmatvec``."""

    name = "products"

    def _build(self) -> None:
        self.matrix = MATRIX

    def _matvec(self, z: Tensor, out: Tensor) -> None:
        torch.mv(self.matrix.to(z.dtype), z, out=out)

    def _rmatvec(self, g: Tensor) -> Tensor:
        return self.matrix.to(g.dtype).t() @ g


class Passes(Projection):
    """The same matrix by ``_write`` and ``_read``, row by row."""

    name = "passes"

    def _write(self, z: Tensor, to: Destination) -> None:
        for row in range(3):
            to.put(row, MATRIX[row : row + 1].to(z.dtype) @ z)

    def _read(self, source: Gradient) -> Tensor:
        return MATRIX.to(source.take(0, 3).dtype).t() @ source.take(0, 3)


each = pytest.mark.parametrize("kind", [Products, Passes])
Z, G = torch.tensor([3.0, -2.0], dtype=torch.float64), torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)


@each
def test_both_ways_give_the_same_products(kind):
    P = kind(3, 2)
    assert P.matvec(Z).tolist() == [-1.0, 2.0, 11.0]
    assert P.rmatvec(G).tolist() == [-3.0, -0.5]
    assert torch.equal(P.to_dense(), MATRIX)
    assert torch.equal(P.to_dense(torch.float32), MATRIX.float())


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32_and_rounded_once(kind, dtype):
    P, z = kind(3, 2), torch.tensor([0.1, 0.3]).to(dtype)
    expected = P.matvec(z.float()).to(dtype)
    assert torch.equal(P.matvec(z), expected)
    out = torch.zeros(3, dtype=dtype)
    assert P.matvec(z, out=out) is out
    assert torch.equal(out, expected)


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_write_adds_the_scaled_image_to_theta_0(kind, dtype):
    P, theta_0 = kind(3, 2), torch.tensor([10.0, 20.0, 30.0]).to(dtype)
    scaling = Scaling(torch.tensor([0, 1]), torch.tensor([0.5, 2.0]), (0, 1))
    out, image = torch.zeros(3, dtype=dtype), torch.zeros(3)
    P.write(Z.float(), theta_0, out, scaling, image)
    assert out.tolist() == [9.5, 24.0, 52.0]
    assert image.tolist() == [-1.0, 2.0, 11.0]
    P.write(Z.float(), theta_0, out)
    assert out.tolist() == [9.0, 22.0, 41.0]


@each
def test_read_scales_the_gradient_and_keeps_double_precision_only(kind):
    P = kind(3, 2)
    doubled = Scaling(torch.tensor([0, 1]), torch.tensor([0.5, 2.0], dtype=torch.float64), (0, 1))
    assert P.read(G, doubled).tolist() == [-7.5, -4.0]
    for dtype, made in (
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
    ):
        read = P.read(G.to(dtype))
        assert read.dtype == made
        assert read.tolist() == [-3.0, -0.5]


def test_products_must_be_written_by_the_subclass():
    class Neither(Projection):
        name = "neither"

    with pytest.raises(NotImplementedError):
        Neither(3, 2).matvec(Z)
    with pytest.raises(NotImplementedError):
        Neither(3, 2).rmatvec(G)


def test_out_that_does_not_fit_is_an_error():
    P = make_projection("one_hot", 100, 10)
    for out in (torch.empty(99), torch.empty(100, dtype=torch.float64), torch.empty(200)[::2]):
        with pytest.raises(UserError):
            P.matvec(torch.ones(10), out=out)


def test_state_is_what_its_tensors_hold_however_nested():
    P = Products(3, 2)
    assert P.state_bytes == 6 * 8
    P.more = {"a": [torch.zeros(5), (torch.zeros(2, dtype=torch.int16),)], "b": "text"}  # type: ignore[attr-defined]
    P.scaling = Scaling(torch.zeros(1), torch.zeros(1))  # type: ignore[attr-defined]
    assert P.state_bytes == 48 + 20 + 4 + 8
    assert Passes(3, 2).state_bytes == 0


def test_engine_says_what_computes(monkeypatch):
    P = Products(3, 2)
    assert P.engine == "torch"
    monkeypatch.setattr(Products, "compiled", True)
    assert P.engine == native.reason()
    P.device = torch.device("cuda")
    assert P.engine == "torch"
    monkeypatch.setattr(Products, "triton", True)
    assert P.engine == gpu.reason()


def test_its_text_names_what_decides_it():
    assert repr(Products(3, 2, seed=7)) == "Products(D=3, d=2, seed=7, device='cpu')"


@pytest.mark.parametrize(("value", "expected"), [(3, 3), (True, 1), (torch.tensor(5), 5)])
def test_counts_are_integers(value, expected):
    assert checked_count(value, "d") == expected
    assert type(checked_count(value, "d")) is int


@pytest.mark.parametrize("value", [3.0, "3", None])
def test_other_counts_are_refused(value):
    with pytest.raises(UserError, match="must be an integer"):
        checked_count(value, "d")


@pytest.mark.parametrize(("D", "d"), [(1, 1), (5, 5), (LARGEST_D, 7)])
def test_sizes_in_order(D, d):
    check_sizes(D, d)


@pytest.mark.parametrize(("D", "d", "fact"), [(5, 0, "below 1"), (5, 6, "exceeds"), (LARGEST_D + 1, 7, "larger than")])
def test_sizes_out_of_order(D, d, fact):
    with pytest.raises(UserError, match=fact):
        check_sizes(D, d)


def test_devices():
    assert checked_device("cpu") == torch.device("cpu")
    for unknown in ("gpu", 1.5):
        with pytest.raises(UserError, match="does not know"):
            checked_device(unknown)  # type: ignore[arg-type]


def test_only_float64_is_computed_in_float64():
    assert work_dtype(torch.float64) == torch.float64
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert work_dtype(dtype) == torch.float32
