"""What ``make_projection`` refuses, and what it takes."""

import pytest
import torch

from intdim.errors import UserError
from intdim.projections import PROJECTIONS, find_projection, make_projection


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


def test_every_name_is_its_class_name():
    assert {name: find_projection(name).name for name in PROJECTIONS} == {name: name for name in PROJECTIONS}
