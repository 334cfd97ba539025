"""What ``make_projection`` refuses, and that the sizes of real models fit."""

import pytest
import torch

from intdim.errors import UserError
from intdim.projections import PROJECTIONS, find_projection, make_projection
from intdim.projections.one_hot import OneHot


@pytest.mark.parametrize(
    ("arguments", "fact", "hint"),
    [
        ({"name": "fastfod"}, "'fastfod'", "did you mean 'fastfood'?"),
        ({"name": "zzz"}, "'zzz'", "Known: dense, fastfood"),
        ({"name": 3}, "projection=3", "intdim.projections.Projection"),
        ({"name": torch.nn.Linear}, "Linear", "intdim.projections.Projection"),
        ({"d": 0}, "d=0", "an integer from 1 to D=100"),
        ({"d": -3}, "d=-3", "an integer from 1 to D=100"),
        ({"d": 101}, "d=101 exceeds D=100", "an integer from 1 to D=100"),
        ({"d": 10.0}, "d=10.0 is a float", "must be an integer"),
        ({"D": "100"}, "D='100' is a str", "must be an integer"),
        ({"D": 0, "d": 1}, "d=1 exceeds D=0", "an integer from 1 to D=0"),
        ({"D": 1 << 41}, "larger than an index can be", "at most"),
        ({"seed": None}, "seed=None", "must be an integer"),
        ({"device": "gpu"}, "device='gpu'", "cpu, cuda"),
    ],
)
def test_refused_with_three_parts(arguments, fact, hint):
    with pytest.raises(UserError) as caught:
        make_projection(arguments.pop("name", "fastfood"), **({"D": 100, "d": 10} | arguments))
    assert len(caught.value.parts) == 3
    assert fact in caught.value.parts[0]
    assert hint in caught.value.parts[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_missing_cuda_is_an_error():
    with pytest.raises(UserError, match="no CUDA device"):
        make_projection("one_hot", 100, 10, device="cuda")


def test_numpy_integers_are_integers():
    numpy = pytest.importorskip("numpy")
    P = make_projection("one_hot", numpy.int64(100), numpy.int32(10), seed=numpy.uint8(3))
    assert type(P.D) is int


@pytest.mark.parametrize("seed", [-1, 2**31, 2**63, 2**64 - 1])
def test_any_seed(seed):
    assert make_projection("fastfood", 300, 10, seed=seed).matvec(torch.ones(10)).isfinite().all()


def test_out_that_does_not_fit_is_an_error():
    P = make_projection("one_hot", 100, 10)
    for out in (torch.empty(99), torch.empty(100, dtype=torch.float64), torch.empty(200)[::2]):
        with pytest.raises(UserError):
            P.matvec(torch.ones(10), out=out)


def test_every_name_is_its_class_name():
    assert {name: find_projection(name).name for name in PROJECTIONS} == {name: name for name in PROJECTIONS}


@pytest.mark.slow
def test_four_hundred_million_weights():
    """Indices near the end of 4 * 10^8 weights (RoBERTa-large) come out as plain Python integers say."""
    D, d = 400_000_003, 1000
    P = OneHot(D, d, 1)
    z = torch.arange(1, d + 1, dtype=torch.float32)
    image = P.matvec(z)
    for weight in (0, 2**31 // 8, D - 4000, D - 1):
        stretch, place = divmod(weight, P.stretch)
        coordinate = (place + int(P._shifts[stretch])) % d
        assert abs(image[weight].item()) == pytest.approx((coordinate + 1) / (D / d) ** 0.5, rel=1e-5)
    g = image
    back = P.rmatvec(g)
    assert ((back - z).norm() / z.norm()).item() < 1e-4
