"""The compiled products have the bits of their torch twins at all sizes, numbers of threads and pieces."""

import logging
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from intdim.errors import UserError
from intdim.kernels import butterflies, native, streams
from intdim.kernels.flow import Scaling
from intdim.projections import make_projection, make_stacked
from intdim.projections.base import Projection

KINDS = ("one_hot", "orthogonal", "fastfood", "sparse")
SIZES = [
    (1, 1), (63, 7), (64, 64), (255, 1), (257, 256), (1000, 63), (1000, 1000), (1025, 513), (2047, 64), (9999, 4097),
    (70_001, 3), (300_007, 1000), (131_073, 65_536), (40_000, 17),
]  # fmt: skip

compiled = pytest.mark.skipif(native.library() is None, reason=f"computed by {native.reason()}")


def normal(count: int, name: str) -> torch.Tensor:
    return streams.gaussians(streams.stream_key(0, name), 0, count).float()


def in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "supports", lambda *tensors: False)


def products(P: Projection) -> list[torch.Tensor]:
    """Both products, plain and with theta_0, an image and a scaling of three segments."""
    z, g, theta_0 = normal(P.d, "z"), normal(P.D, "g"), normal(P.D, "theta")
    starts = (0, P.D // 3, P.D // 3 + 1) if P.D > 2 else (0,)
    scaling = Scaling(torch.tensor(starts), torch.tensor([0.3, -2.0, 1.7])[: len(starts)], starts)
    moved, scaled, image = (torch.empty_like(theta_0) for _ in range(3))
    P.write(z, theta_0, moved)
    P.write(z, theta_0, scaled, scaling, image)
    return [P.matvec(z), P.rmatvec(g), moved, scaled, image, P.read(g, scaling)]


@compiled
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("D", "d"), SIZES)
def test_same_bits_as_in_torch(kind, D, d, monkeypatch):
    P = make_projection(kind, D, d, 3)
    found = products(P)
    in_torch(monkeypatch)
    for one, other in zip(found, products(P), strict=True):
        assert torch.equal(one, other)


@compiled
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("D", "d"), [(9999, 4097), (70_001, 3), (300_007, 1000), (131_073, 65_536), (40_000, 17)])
def test_windows_of_rows_have_the_bits_of_torch(kind, D, d, threads, monkeypatch):
    P, g, before = make_projection(kind, D, d, 3), normal(D, "g"), torch.get_num_threads()
    windows = [(0, 5), (5, 5 + D // 3), (D // 2 + 1, D - 7), (D - 7, D)]
    torch.set_num_threads(threads)
    try:
        found = [P.read_rows(g[start:stop], start) for start, stop in windows]
    finally:
        torch.set_num_threads(before)
    in_torch(monkeypatch)
    for (start, stop), one in zip(windows, found, strict=True):
        assert torch.equal(one, P.read_rows(g[start:stop], start))


@compiled
@pytest.mark.parametrize(("D", "d"), [*SIZES, (65_535, 100), (65_536, 100), (140_001, 900), (530_001, 4000)])
def test_kronecker_agrees_with_torch(D, d, monkeypatch):
    """To rounding: matrix products of small factors are torch's own, in an order that its library chooses."""
    P = make_projection("kronecker", D, d, 3)
    found = products(P)
    in_torch(monkeypatch)
    for one, other in zip(found, products(P), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=3e-6 * float(other.abs().max()))


@compiled
@pytest.mark.parametrize("kind", KINDS)
def test_same_bits_with_any_number_of_threads(kind):
    P, threads, found = make_projection(kind, 200_003, 300, 3), torch.get_num_threads(), []
    try:
        for count in (1, 2, 3, 7):
            torch.set_num_threads(count)
            found.append(products(P))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        assert all(torch.equal(*pair) for pair in zip(found[0], other, strict=True))


@compiled
@pytest.mark.parametrize("kind", KINDS)
def test_pieces_know_their_place_among_the_segments(kind, monkeypatch):
    P = make_stacked(kind, [700, 1, 3000, 299], 100, 3)
    found = products(P)
    in_torch(monkeypatch)
    for one, other in zip(found, products(P), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("engine", ["c", "torch"])
@pytest.mark.parametrize("kind", [*KINDS, "dense", "kronecker", "fastfood_padded"])
def test_theta_is_theta_0_plus_the_scaled_product(kind, engine, monkeypatch):
    if engine == "torch":
        in_torch(monkeypatch)
    P = make_projection(kind, 5001, 70, 2)
    plain, back, moved, scaled, image, read = products(P)
    theta_0, g, factors = normal(P.D, "theta"), normal(P.D, "g"), torch.empty(P.D)
    factors[: P.D // 3], factors[P.D // 3], factors[P.D // 3 + 1 :] = 0.3, -2.0, 1.7
    assert torch.equal(moved, theta_0 + plain)
    assert torch.equal(image, plain)
    assert torch.equal(scaled, theta_0 + plain * factors)
    assert torch.equal(read, P.rmatvec(g * factors))
    assert torch.equal(back, P.rmatvec(g))


@compiled
def test_a_large_theta_goes_past_the_cache_and_is_the_same(monkeypatch):
    """Above STREAM_FROM weights are stored past the cache, at addresses that need not divide by 32."""
    P, z = make_projection("one_hot", 10_007, 33, 1), normal(33, "z")
    memory = torch.zeros(10_020)
    for start in (0, 1, 5):
        out, plain, theta_0 = memory[start : start + 10_007], torch.empty(10_007), normal(10_007, "theta")
        P.write(z, theta_0, plain)
        monkeypatch.setattr(native, "STREAM_FROM", 1)
        P.write(z, theta_0, out)
        monkeypatch.undo()
        assert torch.equal(out, plain)
        assert not memory[start + 10_007 :].any()


@compiled
def test_nan_and_infinity_arrive(monkeypatch):
    for value in (float("nan"), float("inf")):
        for kind in KINDS:
            P, z, g = make_projection(kind, 3000, 50, 1), normal(50, "z"), normal(3000, "g")
            z[7], g[2999] = value, value
            assert not torch.isfinite(P.matvec(z)).all()
            if kind != "sparse":  # there most weights follow no coordinate
                assert not torch.isfinite(P.rmatvec(g)).all()


@compiled
def test_what_c_does_not_support_goes_to_torch():
    assert native.supports(torch.ones(3), None)
    assert not native.supports(torch.ones(3).double())
    assert not native.supports(torch.ones(6)[::2])
    assert not native.supports(torch.ones(3, device="meta"))


def found_elsewhere(cache: Path, **environment: str) -> tuple[str, str]:
    """How a fresh process computes its products, and the sum of a P z in it."""
    code = (
        "import logging, torch; logging.basicConfig(); from intdim.kernels import native; "
        "from intdim.projections import make_projection; print(native.reason()); "
        "print(make_projection('orthogonal', 3000, 40, 1).matvec(torch.arange(40.0)).double().sum().item())"
    )
    settings = {**os.environ, "INTDIM_CACHE": str(cache), "OMP_NUM_THREADS": "1", **environment}
    made = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True)
    reason, total = made.stdout.splitlines()
    return reason, total


@compiled
def test_without_a_working_compiler_torch_computes_the_same(tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no licence >&2\nexit 3\n")
    broken.chmod(0o755)
    reason, total = found_elsewhere(tmp_path / "cache")
    assert reason.startswith("C (")
    assert list((tmp_path / "cache" / "native").glob("*.so"))
    for environment, words in (
        ({"INTDIM_NATIVE": "0"}, "INTDIM_NATIVE=0"),
        ({"CC": "no-such-compiler"}, "could not be compiled"),
        ({"CC": str(broken)}, "could not be compiled"),
    ):
        other = found_elsewhere(tmp_path / "other", **environment)
        assert words in other[0]
        assert other[1] == total


@compiled
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the option is x86's")
def test_short_vectors_give_the_bits_of_long_ones(tmp_path):
    short = found_elsewhere(tmp_path, CC="gcc -mno-avx512f" if shutil.which("gcc") else "cc -mno-avx512f")
    assert short[0].startswith("C (")
    assert short[1] == found_elsewhere(tmp_path)[1]


@compiled
def test_a_damaged_library_in_the_cache_is_made_again(tmp_path):
    expected = found_elsewhere(tmp_path)
    (cached,) = (tmp_path / "native").glob("*.so")
    whole = cached.read_bytes()
    cached.write_bytes(whole[:1000])
    assert found_elsewhere(tmp_path) == expected
    assert cached.read_bytes()[:1000] == whole[:1000]
    assert len(cached.read_bytes()) == len(whole)


@compiled
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_costs_a_compilation(tmp_path):
    (tmp_path / "native").mkdir(mode=0o500)
    assert found_elsewhere(tmp_path)[0].startswith("C (")


@compiled
def test_a_library_that_computes_something_else_is_not_used(monkeypatch, caplog):
    native._loaded.cache_clear()
    monkeypatch.setattr(butterflies, "transform", lambda rows: rows)
    try:
        with caplog.at_level(logging.WARNING):
            assert native.library() is None
        assert "differ from the torch twin" in caplog.text
        with pytest.raises(UserError):
            native._function("blocks_matvec")
    finally:
        native._loaded.cache_clear()
