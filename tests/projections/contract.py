"""The laws of a projection as one abstract suite: a subclass names the class and says how exact its columns are."""

import itertools
import math
from functools import lru_cache
from typing import ClassVar, TypeVar, cast

import pytest
import torch
from scipy import stats

from intdim.errors import UserError
from intdim.kernels import streams
from intdim.kernels.reference import DEFINITIONS
from intdim.projections import PROJECTIONS, find_projection, make_projection
from intdim.projections.base import Projection

SIZES = [
    (1, 1), (2, 1), (2, 2), (63, 1), (63, 63), (255, 7), (256, 256), (257, 200), (511, 300), (1000, 63),
    (601, 601), (1023, 64), (1025, 1), (2049, 257), (4095, 33), (3000, 511),
]  # fmt: skip


K = TypeVar("K", bound=Projection)


def limited(kind: type[K], **limits: int) -> type[K]:
    """Return the projection with other limits, so that sizes at which P can be written out meet them."""
    return cast(type[K], type(kind.__name__, (kind,), limits))


@lru_cache(maxsize=len(SIZES))
def dense_twin(kind: type[Projection], D: int, d: int) -> torch.Tensor:
    """P of seed 5, which two tests use."""
    return kind(D, d, 5).to_dense()


def random_vector(count: int, name: str, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return streams.gaussians(streams.stream_key(0, name), 0, count).to(dtype)


def relative(value: torch.Tensor, expected: torch.Tensor) -> float:
    return ((value.double() - expected.double()).norm() / expected.double().norm()).item()


def dot_error(P: Projection, z: torch.Tensor, g: torch.Tensor) -> float:
    """|<P z, g> - <z, P^T g>| relative to |P z| |g|."""
    image = P.matvec(z)
    return abs((image @ g - z @ P.rmatvec(g)).item()) / max((image.norm() * g.norm()).item(), 1e-300)


class ProjectionContract:
    """Tests of one projection.

    Attributes:
        kind: the class.
        columns: "orthonormal", "unit", or "expected" (unit in expectation).
        bytes_per_weight: the most state it may hold at D = 200,000 and d = 64.
    """

    kind: ClassVar[type[Projection]]
    columns: ClassVar[str]
    bytes_per_weight: ClassVar[float]

    def definition(self, D: int, d: int, seed: int) -> torch.Tensor:
        """P in float64, shape ``(D, d)``, written in the slow and obvious way."""
        return DEFINITIONS[self.kind.name](D, d, seed)

    def make(self, D: int, d: int, seed: int = 0, **options) -> Projection:
        return self.kind(D, d, seed, "cpu", **options)

    @pytest.mark.parametrize(("D", "d"), SIZES)
    def test_equals_its_definition(self, D, d):
        assert relative(dense_twin(self.kind, D, d), self.definition(D, d, 5)) < 1e-12

    @pytest.mark.parametrize(("D", "d"), [(1, 2), (3, 5), (2, 300), (100, 257), (300, 600)])
    def test_a_piece_with_fewer_rows_than_columns_equals_its_definition(self, D, d):
        P = self.make(D, d, 5)
        assert relative(P.to_dense(), self.definition(D, d, 5)) < 1e-12
        assert dot_error(P, random_vector(d, "z"), random_vector(D, "g")) < 1e-12

    @pytest.mark.parametrize(("D", "d"), SIZES)
    def test_columns_have_unit_length(self, D, d):
        P = dense_twin(self.kind, D, d)
        gram = P.t() @ P
        if self.columns == "orthonormal":
            assert (gram - torch.eye(d)).abs().max().item() < 1e-11
        elif self.columns == "unit":
            assert (gram.diagonal() - 1).abs().max().item() < 1e-12
        else:  # D |column|^2 is chi-square with D degrees of freedom; all columns of all sizes here: below 1e-4 in all
            scaled = D * gram.diagonal()
            edge = 1e-4 / len(SIZES) / d
            assert scaled.max().item() < stats.chi2.isf(edge, D)
            assert scaled.min().item() > stats.chi2.ppf(edge, D)

    @pytest.mark.parametrize(("D", "d"), [(1, 3), (40, 300)])
    def test_columns_of_a_short_piece_have_unit_length_in_expectation(self, D, d):
        """|column 1|^2 over 150 seeds: mean within 4.9 standard errors of 1 (fails once in a million)."""
        unit = torch.zeros(d, dtype=torch.float64)
        unit[1] = 1
        squares = torch.stack([self.make(D, d, seed).matvec(unit).square().sum() for seed in range(150)])
        error = (squares.std() / math.sqrt(150)).item()
        assert abs(squares.mean().item() - 1) <= 4.9 * error + 1e-12

    @pytest.mark.parametrize(("D", "d"), [(70_001, 3), (300_007, 1000), (150_000, 40_000), (131_073, 65_536)])
    def test_dot_test_over_several_chunks(self, D, d):
        if self.kind.name == "dense" and D * d > 2**24:
            D, d = 40_000, 401
        P = self.make(D, d, 2)
        assert dot_error(P, random_vector(d, "z"), random_vector(D, "g")) < 1e-12
        z, g = random_vector(d, "z", torch.float32), random_vector(D, "g", torch.float32)
        assert relative(P.matvec(z), P.matvec(z.double())) < 3e-6
        assert relative(P.rmatvec(g), P.rmatvec(g.double())) < 3e-6

    def test_linear(self):
        P, (x, y) = self.make(3001, 77), (random_vector(77, "x"), random_vector(77, "y"))
        g, h = random_vector(3001, "g"), random_vector(3001, "h")
        assert relative(P.matvec(2.5 * x - 0.3 * y), 2.5 * P.matvec(x) - 0.3 * P.matvec(y)) < 1e-13
        assert relative(P.rmatvec(2.5 * g - 0.3 * h), 2.5 * P.rmatvec(g) - 0.3 * P.rmatvec(h)) < 1e-13

    def test_rmatvec_is_the_gradient(self):
        """Of z -> f(theta_0 + P z), against autograd through the dense matrix, for an f that is not linear."""
        D, d = 1500, 60
        P, theta_0, z = self.make(D, d), random_vector(D, "theta"), random_vector(d, "z").requires_grad_()
        mixing = random_vector(D, "mixing")

        def f(theta: torch.Tensor) -> torch.Tensor:
            return torch.tanh(theta * mixing).sum() + (theta[1:] * theta[:-1]).sum()

        f(theta_0 + P.to_dense() @ z).backward()
        theta = (theta_0 + P.matvec(z)).requires_grad_()
        f(theta).backward()
        assert theta.grad is not None
        assert z.grad is not None
        assert relative(P.rmatvec(theta.grad), z.grad) < 1e-12

    @pytest.mark.parametrize("elements", [1, 700, 30_000, 1 << 20])
    def test_same_seed_same_matrix_whatever_the_chunk(self, elements):
        for D, d in [(3001, 40), (40_000, 300)][: 1 if elements < 30_000 else 2]:
            z, g = random_vector(d, "z"), random_vector(D, "g")
            one, other = self.make(D, d, 9), self.make(D, d, 9, elements_at_once=elements)
            assert relative(other.matvec(z), one.matvec(z)) < 1e-13
            assert relative(other.rmatvec(g), one.rmatvec(g)) < 1e-13

    def test_same_bits_again_and_same_matrix_whatever_the_threads(self):
        D, d, threads, found = 40_001, 10, torch.get_num_threads(), []
        z, g = random_vector(d, "z", torch.float32), random_vector(D, "g", torch.float32)
        try:
            for count in (1, 2):
                torch.set_num_threads(count)
                first, second = self.make(D, d, 4), self.make(D, d, 4)
                assert torch.equal(first.matvec(z), second.matvec(z))
                assert torch.equal(first.rmatvec(g), second.rmatvec(g))
                found.append((first.matvec(z.double()), first.rmatvec(g.double())))
        finally:
            torch.set_num_threads(threads)
        assert relative(found[0][0], found[1][0]) < 1e-13
        assert relative(found[0][1], found[1][1]) < 1e-13

    def test_seeds_differ(self):
        one, other = (self.make(2000, 50, seed).to_dense() for seed in (0, 1))
        overlap = (one * other).sum().item() / 50  # mean of 50 inner products of unrelated unit columns in R^2000
        assert abs(overlap) < 5 / math.sqrt(50 * 2000)  # at most 5 standard errors: fails once in a million

    def test_global_state_is_untouched(self):
        random_state, dtype = torch.get_rng_state(), torch.get_default_dtype()
        P = self.make(1000, 30)
        P.matvec(torch.ones(30))
        P.rmatvec(torch.ones(1000))
        assert torch.equal(random_state, torch.get_rng_state())
        assert torch.get_default_dtype() == dtype

    def test_other_default_dtype_changes_nothing(self):
        z = random_vector(30, "z", torch.float32)
        expected = self.make(1000, 30).matvec(z)
        torch.set_default_dtype(torch.float64)
        try:
            found = self.make(1000, 30).matvec(z)
        finally:
            torch.set_default_dtype(torch.float32)
        assert torch.equal(found, expected)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
    def test_dtype_follows_the_input(self, dtype):
        P, z, g = self.make(1500, 64), random_vector(64, "z", dtype), random_vector(1500, "g", dtype)
        image, back = P.matvec(z), P.rmatvec(g)
        assert image.dtype == back.dtype == dtype
        assert image.shape == (1500,)
        assert back.shape == (64,)
        rounding = {torch.float64: 1e-13, torch.float32: 3e-6}.get(dtype, torch.finfo(dtype).eps)
        assert relative(image, P.matvec(z.double())) < rounding
        assert relative(back, P.rmatvec(g.double())) < rounding

    def test_inputs_are_not_changed_and_need_not_be_contiguous(self):
        P, z, g = self.make(1500, 64), random_vector(128, "z")[::2], random_vector(3000, "g")[1::2]
        z_copy, g_copy = z.clone(), g.clone()
        assert torch.equal(P.matvec(z), P.matvec(z_copy))
        assert torch.equal(P.rmatvec(g), P.rmatvec(g_copy))
        assert torch.equal(z, z_copy)
        assert torch.equal(g, g_copy)
        P.rmatvec(g_copy)
        assert torch.equal(g, g_copy)

    def test_out_is_written_in_place(self):
        P = self.make(1500, 64)
        for dtype in (torch.float32, torch.bfloat16):
            z = random_vector(64, "z", dtype)
            out = torch.full((1500,), math.nan, dtype=dtype)
            assert P.matvec(z, out=out) is out
            assert torch.equal(out, P.matvec(z))

    def test_every_output_is_written(self, monkeypatch):
        """Fresh memory is filled with NaN, so that an entry that was not written shows."""
        empty, new_empty = torch.empty, torch.Tensor.new_empty

        def poison(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.fill_(math.nan) if tensor.is_floating_point() else tensor

        P = self.make(70_001, 100)
        expected = P.matvec(torch.ones(100)), P.rmatvec(torch.ones(70_001))
        monkeypatch.setattr(torch, "empty", lambda *a, **k: poison(empty(*a, **k)))
        monkeypatch.setattr(torch.Tensor, "new_empty", lambda *a, **k: poison(new_empty(*a, **k)))
        assert torch.equal(P.matvec(torch.ones(100)), expected[0])
        assert torch.equal(P.rmatvec(torch.ones(70_001)), expected[1])

    def test_works_under_autocast_inference_mode_and_with_gradients_on(self):
        P, z, g = self.make(1500, 64), random_vector(64, "z", torch.float32), random_vector(1500, "g", torch.float32)
        expected = P.matvec(z), P.rmatvec(g)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(P.matvec(z), expected[0])
            assert torch.equal(P.rmatvec(g), expected[1])
        with torch.inference_mode():
            fresh = self.make(1500, 64)
            assert torch.equal(fresh.matvec(z), expected[0])
        image = fresh.matvec(torch.nn.Parameter(z))
        assert torch.equal(image, expected[0])
        assert not image.requires_grad
        assert torch.equal(fresh.rmatvec(g), expected[1])

    def test_nan_is_passed_on(self):
        P = self.make(1500, 64)
        assert torch.isnan(P.matvec(torch.full((64,), math.nan))).any()
        assert torch.isnan(P.rmatvec(torch.full((1500,), math.nan))).all()

    def test_state_is_counted(self):
        P = self.make(200_000, 64)
        P.matvec(torch.ones(64, dtype=torch.float64))  # in torch, which keeps at least as much as C
        assert 0 < P.state_bytes <= self.bytes_per_weight * 200_000 + 64 * 1024

    @pytest.mark.parametrize(
        ("product", "value"),
        [
            ("matvec", torch.ones(63)),
            ("matvec", torch.ones(64, 1)),
            ("matvec", torch.ones(64, dtype=torch.int64)),
            ("matvec", torch.ones(64, dtype=torch.complex64)),
            ("matvec", [1.0] * 64),
            ("matvec", torch.ones(64, device="meta")),
            ("rmatvec", torch.ones(64)),
            ("rmatvec", torch.ones(1500, dtype=torch.bool)),
        ],
    )
    def test_wrong_inputs_are_errors_with_three_parts(self, product, value):
        with pytest.raises(UserError) as caught:
            getattr(self.make(1500, 64), product)(value)
        assert len(caught.value.parts) == 3

    def test_is_made_by_name(self):
        P = make_projection(self.kind.name, D=1500, d=64, seed=3, device="cpu")
        assert type(P) is self.kind is find_projection(self.kind.name)
        assert self.kind.name in PROJECTIONS
        assert (P.D, P.d, P.name, P.seed, P.device) == (1500, 64, self.kind.name, 3, torch.device("cpu"))
        assert relative(P.to_dense(), self.make(1500, 64, 3).to_dense()) < 1e-15

    @pytest.mark.parametrize(
        ("D", "d"), [(1, 1), (257, 200), (3000, 511), (5001, 70), (70_001, 100), (140_001, 900), (131_073, 65_536)]
    )
    def test_windows_of_rows_add_up_to_the_adjoint_and_equal_the_definition(self, D, d):
        if self.kind.name in ("dense", "fastfood_padded"):
            D, d = min(D, 20_000), min(d, 600)
        P, g = self.make(D, d, 3), random_vector(D, "g")
        edges = sorted({0, 1, D // 7, D // 7 + 1, D // 3, D // 2 + 13, D - D // 9, max(D - 1, 0), D})
        total, whole = torch.zeros(d, dtype=torch.float64), P.rmatvec(g)
        for start, stop in itertools.pairwise(edges):
            window = P.read_rows(g[start:stop], start)
            total += window
            defined = Projection._read_rows(P, g[start:stop], start)
            assert (window - defined).norm() <= 1e-12 * whole.norm()
            single = P.read_rows(g[start:stop].float(), start)
            assert single.dtype == torch.float32
            assert (single - defined).norm() <= 3e-6 * max(defined.norm(), 1e-3 * whole.norm())
            assert torch.equal(single, P.read_rows(g[start:stop].float(), start))
        assert relative(total, whole) < 1e-12

    def test_the_window_of_all_rows_is_the_adjoint_and_one_of_none_is_zero(self):
        P, g = self.make(3001, 70), random_vector(3001, "g", torch.float32)
        assert relative(P.read_rows(g, 0), P.rmatvec(g)) < 1e-6
        assert torch.equal(P.read_rows(g[:0], 3001), torch.zeros(70))

    @pytest.mark.parametrize(("start", "g"), [(-1, torch.ones(3)), (1499, torch.ones(2)), (0, torch.ones(3, 1)),
                                              (0, torch.ones(3, dtype=torch.int64))])  # fmt: skip
    def test_windows_that_do_not_fit_are_errors(self, start, g):
        with pytest.raises(UserError):
            self.make(1500, 64).read_rows(g, start)

    def test_windows_of_rows_take_half_precision(self):
        P, g = self.make(1500, 64), random_vector(400, "g", torch.bfloat16)
        assert P.read_rows(g, 700).dtype == torch.float32
        assert torch.equal(P.read_rows(g, 700), P.read_rows(g.float(), 700))
