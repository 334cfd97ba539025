"""The benchmark of scopes compares the forms of P that it says: theirs, with their gradient, and the one of before."""

import importlib.util
import math
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from intdim.kernels import reference
from intdim.projections.fastfood_padded import FastfoodPadded

from .contract import dot_error, random_vector, relative

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_scopes.py"
SIZES, D = [300, 2, 64, 1000], 1366
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_scopes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_authors_form_has_their_columns_and_their_gradient(bench):
    """Columns as long as the root of how many tensors see a coordinate; a gradient that is 1 / 2^ceil(log2 D_t) of the
    true one in each tensor. Up to a factor common to all columns, which the step length takes up."""
    d, padded = 500, torch.tensor([512.0, 2.0, 64.0, 1024.0], dtype=torch.float64)
    P, g = bench.Authors(FastfoodPadded, SIZES, d, 3, CPU), random_vector(D, "g")
    seen = (torch.arange(d)[:, None] < padded).double().sum(1)
    right = reference.stacked("fastfood_padded", SIZES, d, 3, "first") * seen.sqrt() / math.sqrt(seen.mean().item())
    assert relative(P.to_dense(), right) < 1e-12
    assert relative(P.rmatvec(g), right.t() @ (g / padded.repeat_interleave(torch.tensor(SIZES)))) < 1e-12


def test_before_every_tensor_saw_all_coordinates_and_moved_as_far_as_any(bench):
    P = bench.Everything(FastfoodPadded, SIZES, 500, 3, CPU)
    assert dot_error(P, random_vector(500, "z"), random_vector(D, "g")) < 1e-12
    moved = torch.stack([part.square().sum() for part in P.to_dense().split(SIZES)]) / 500
    assert moved.tolist() == pytest.approx([0.25] * 4, rel=0.25)  # of 2 x 500 numbers and more


def test_the_step_length_is_looked_for_until_it_is_not_at_an_end(bench):
    asked, options = [], SimpleNamespace(length=10.0, seeds=3)

    def run(length: float, seed: int) -> float:
        asked.append((length, seed))
        return -abs(math.log(length / 3.1)) - seed

    scores, best = bench.located(run, 0, options)
    assert bench.length_at(best, options) == 3.1
    assert sorted(scores) == [1.7, 3.1, 5.6, 10.0, 18.0]
    assert [len(scores[length]) for length in sorted(scores)] == [1, 3, 3, 1, 1]
    assert len(asked) == len(set(asked)) == 9


def test_d90_is_where_the_line_over_log_d_reaches_the_bar(bench):
    assert bench.crossing([100, 1000], [0.5, 0.7], 0.6) == pytest.approx(100 * math.sqrt(10))
    assert bench.crossing([100, 1000, 4000], [0.5, 0.4, 0.7], 0.8) is None
    assert bench.crossing([100, 1000], [0.9, 0.4], 0.8) == 100
