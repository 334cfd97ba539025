"""A projection from outside the package, through each of the three documented ways in."""

from __future__ import annotations

import math
import sys
import textwrap

import pytest
import torch
from torch import Tensor, nn

from intdim import Subspace
from intdim.errors import UserError
from intdim.kernels import streams
from intdim.kernels.ordered import add_at
from intdim.projections import PROJECTIONS, Projection, make_projection, make_stacked

from .contract import ProjectionContract, relative


class Stripes(Projection):
    """Weight w follows coordinate (w + shift) mod d, with a random sign; columns have unit length exactly."""

    name = "stripes"

    def _build(self) -> None:
        D, d, seed = self.D, self.d, self.seed
        shift = streams.integers(streams.stream_key(seed, self.name, "shift"), 0, 1, d, self.device)
        self._coordinate = (torch.arange(D, device=self.device) + shift) % d
        signs = streams.signs(streams.stream_key(seed, self.name, "signs"), 0, D, self.device, torch.float64)
        counts = torch.bincount(self._coordinate, minlength=d).double()
        lengths = counts.rsqrt() if d <= D else torch.full_like(counts, math.sqrt(d / D))
        self._entries = signs * lengths[self._coordinate]

    def _matvec(self, z: Tensor, out: Tensor) -> None:
        torch.mul(z[self._coordinate], self._entries.to(z.dtype), out=out)

    def _rmatvec(self, g: Tensor) -> Tensor:
        sums = torch.zeros(self.d, dtype=torch.float64, device=self.device)
        add_at(sums, self._coordinate, g * self._entries)
        return sums.to(g.dtype)


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    monkeypatch.setitem(PROJECTIONS, "stripes", f"{__name__}:Stripes")


class TestStripes(ProjectionContract):
    kind, columns, bytes_per_weight = Stripes, "orthonormal", 16.0

    def definition(self, D, d, seed):
        shift = int(streams.integers(streams.stream_key(seed, "stripes", "shift"), 0, 1, d))
        signs = streams.signs(streams.stream_key(seed, "stripes", "signs"), 0, D)
        P = torch.zeros(D, d, dtype=torch.float64)
        for row in range(D):
            P[row, (row + shift) % d] = signs[row]
        return P / P.norm(dim=0) if d <= D else P * math.sqrt(d / D)


def test_a_class_and_its_name_give_the_same_matrix():
    by_class, by_name = make_projection(Stripes, 500, 30, seed=4), make_projection("stripes", 500, 30, seed=4)
    assert type(by_class) is type(by_name) is Stripes
    assert torch.equal(by_class.to_dense(), by_name.to_dense())
    pieces = make_stacked(Stripes, [300, 7, 90], 30, seed=4)
    assert pieces.name == "stripes"
    assert relative(pieces.to_dense(), make_stacked("stripes", [300, 7, 90], 30, seed=4).to_dense()) == 0.0


@pytest.mark.parametrize("scope", ["global", "tensor"])
@pytest.mark.parametrize("method", ["did", "said"])
def test_a_subspace_of_it(scope, method):
    """theta and z.grad are those of the dense matrix, for the class as for its name."""
    thetas = []
    for projection in (Stripes, "stripes"):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2)).double()
        space = Subspace(model, 20, projection, method, scope, seed=1)
        with torch.no_grad():
            space.z.copy_(torch.linspace(-1, 1, len(space.z)))
        space.write()
        model(torch.linspace(0, 1, 15, dtype=torch.float64).view(3, 5)).square().sum().backward()
        P, gradient = space.projection.to_dense(), space.gradient.clone()
        space.read_grad()
        assert relative(space.theta - space.theta_0, P @ space.z.detach()) < 1e-12
        assert space.z.grad is not None
        assert relative(space.z.grad, P.t() @ gradient) < 1e-12
        thetas.append(space.theta.clone())
    assert torch.equal(*thetas)


def test_a_name_may_lie_in_any_module(tmp_path, monkeypatch):
    (tmp_path / "my_projections.py").write_text(
        textwrap.dedent("""
            from intdim.projections import Projection

            class FirstWeights(Projection):
                name = "first_weights"

                def _matvec(self, z, out):
                    out.zero_()[: self.d] = z

                def _rmatvec(self, g):
                    return g[: self.d].clone()
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(PROJECTIONS, "first_weights", "my_projections:FirstWeights")
    P = make_projection("first_weights", 6, 2)
    assert torch.equal(P.to_dense(), torch.eye(6, 2, dtype=torch.float64))
    assert torch.equal(P.rmatvec(torch.arange(6.0)), torch.tensor([0.0, 1.0]))
    sys.modules.pop("my_projections")


def test_what_is_not_a_projection_is_refused(monkeypatch):
    monkeypatch.setitem(PROJECTIONS, "linear", "torch.nn:Linear")
    for wrong in ("linear", nn.Linear, 7):
        with pytest.raises(UserError, match="is not a projection"):
            make_projection(wrong, 6, 2)  # type: ignore[arg-type]
